"""`python -m tests.soak --seeds N`: so many random workflows, then so many random Rollouts, each with its table.

What else is said goes to the first (`python -m tests.world --help`)."""

from __future__ import annotations

import argparse
import subprocess
import sys


def main() -> int:
    """Soak one after the other; 1 when either failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    for name in ("seeds", "first", "processes"):
        parser.add_argument(f"--{name}")
    shared, _ = parser.parse_known_args()
    common = [word for name, value in vars(shared).items() if value for word in (f"--{name}", value)]
    lines = (["tests.world", "--soak", *sys.argv[1:]], ["tests.rollouts", "--soak", *common])
    return max(subprocess.run([sys.executable, "-m", *line], check=False).returncode for line in lines)


if __name__ == "__main__":
    sys.exit(main())
