"""`python -m tests.mutants` puts each named bug into a copy of the tree and looks whether it is found there.

A bug that survives 5,000 seeds of the simulator, or the suite that is named for it, says that the tests have a hole.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.bugs import ROOT, Bug, apply, bugs

SEEDS_MAX = 5000
FIRST = 20_000
FOCUSED = 400  # seeds in which only the bug's own faults happen, before all faults are tried
TREE = ("runtime", "actors", "crds", "tiphys", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Found:
    """How a bug was found; `by` is empty when it was not."""

    bug: Bug
    by: str
    seeds: int
    took_s: float
    said: str = ""


def copy_of_the_tree(place: Path) -> None:
    """What is needed to run the tests."""
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(source, place / name)


def hunt(bug: Bug, seeds: int) -> Found:
    """Look for one bug, in a tree of its own."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        place = Path(folder)
        copy_of_the_tree(place)
        apply(bug, place)
        if bug.suite:
            return _by_suite(bug, place, begin)
        tried = 0
        while tried < seeds:
            only = ["--only", bug.faults] if tried < FOCUSED else []
            number = (FOCUSED if tried < FOCUSED else seeds) - tried
            line = ["-m", "tests.world", "--quick", *only, "--first"]
            done = _python(place, [*line, str(FIRST + tried), "--seeds", str(number)])
            if done.returncode not in (0, 1):
                raise RuntimeError(f"{bug.name}: the simulator does not start: {done.stderr[-500:]}")
            found = re.search(r"seed (\d+), the (\d+)\. of", done.stdout)
            tried += int(found[2]) if found else number
            if found and _python(ROOT, [*line, found[1], "--seeds", "1"]).returncode == 0:  # it is the bug's doing
                said = done.stdout.splitlines()[1].strip()
                return Found(bug, "simulator", tried, time.monotonic() - begin, said)
    return Found(bug, "", seeds, time.monotonic() - begin)


def _by_suite(bug: Bug, place: Path, begin: float) -> Found:
    done = _python(place, ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *bug.suite.split()])
    failed = re.search(r"^FAILED (\S+)", done.stdout, re.M)
    return Found(bug, failed[1].rpartition("/")[2] if failed else "", 0, time.monotonic() - begin)


def _python(place: Path, line: list[str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *line], cwd=place, env=env, capture_output=True, text=True, check=False)


def main() -> int:
    """Hunt the bugs named, or all; 1 when one survives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="how many at most for each")
    options = parser.parse_args()
    known = {bug.name: bug for bug in bugs()}
    unknown = set(options.names) - known.keys()
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}, only {', '.join(known)}")
    survived = 0
    say(f"{'mutant':28} {'found by':44} {'seeds':>6} {'seconds':>8}")
    for name in options.names or known:
        found = hunt(known[name], options.seeds)
        survived += not found.by
        seeds = str(found.seeds) if found.seeds else "-"
        say(f"{name:28} {found.by or 'NOBODY':44} {seeds:>6} {found.took_s:>8.1f}  {found.said[:100]}")
    say(f"{survived} survived" if survived else "all were found")
    return 1 if survived else 0


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
