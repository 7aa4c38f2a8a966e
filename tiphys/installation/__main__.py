"""`python -m tiphys.installation` writes what is generated in `deploy/`; `--check` only compares."""

from __future__ import annotations

import sys

from tiphys.installation.files import FOLDER, stale, write


def main(arguments: list[str]) -> int:
    """The exit code: 1 when `--check` finds a file that is out of date."""
    if not FOLDER.is_dir():
        sys.stderr.write(f"{FOLDER} is not there: run this in the project's own tree\n")
        return 1
    if arguments == ["--check"]:
        wrong = stale()
        for name in wrong:
            sys.stderr.write(f"{FOLDER / name} is out of date: run python -m tiphys.installation\n")
        return 1 if wrong else 0
    for name in write():
        sys.stdout.write(f"{FOLDER / name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
