"""`python -m tests.artifact_chaos --workflows 500`: artifacts, while pods, stores and the controller fail."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import anyio

from tests.artifact_chaos.campaign import Severity, run


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """0 when nothing was lost and nothing took longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.artifact_chaos", description=__doc__)
    parser.add_argument("--workflows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang", type=float, default=120.0, metavar="SECONDS", help="of the server, when it hangs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiphys-chaos-") as folder:
        report = anyio.run(run, options.workflows, Severity(hang_s=options.hang), options.seed, Path(folder), say)
    for problem in report.problems[:50]:
        say(f"  {problem}")
    deeds = ", ".join(f"{count} {name}" for name, count in sorted(report.deeds.items()))
    say(
        f"{report.workflows} workflows in {report.seconds:.0f} s, the slowest {report.slowest_s:.0f} s; "
        f"{report.pod_kills} pods and {report.controller_kills} controllers killed; requests: {deeds}: "
        f"{len(report.problems)} problems"
    )
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
