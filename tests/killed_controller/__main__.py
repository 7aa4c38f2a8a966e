"""`python -m tests.killed_controller --kills 50 --workflows 200`: kill a controller until every workflow has ended."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import anyio

from tests.killed_controller.campaign import run


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """0 when nothing was lost and nothing doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.killed_controller", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workflows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiphys-ledger-") as folder:
        report = anyio.run(run, options.kills, options.workflows, options.seed, Path(folder), say)
    for problem in report.problems[:50]:
        say(f"  {problem}")
    say(
        f"{report.kills} kills, {report.near} of them within 20 ms of a write; {report.workflows} workflows,"
        f" {report.pods} pods in {report.seconds:.0f} s: {len(report.problems)} problems"
    )
    short = report.kills < options.kills
    if short:
        say(f"only {report.kills} of {options.kills} kills: the workflows ended before; give more of them")
    return 1 if report.problems or short else 0


if __name__ == "__main__":
    sys.exit(main())
