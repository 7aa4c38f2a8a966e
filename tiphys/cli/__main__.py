"""`python -m tiphys.cli` is `tiphys`."""

import sys

from tiphys.cli import main

sys.exit(main())
