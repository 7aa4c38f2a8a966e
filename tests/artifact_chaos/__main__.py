"""`python -m tests.artifact_chaos --workflows 500`: artifacts, while pods, stores and the controller fail.

It says twice a minute how far it is, and ends with a verdict: 0 when nothing was lost and nothing took longer than it
may, 1 when something was or did, 2 when its time (--limit) was over before all had been begun. It never stands: a
workflow that is not over after its limit of time ends it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from math import inf
from pathlib import Path

import anyio

from tests.artifact_chaos.campaign import GRACE_S, LET_GO_S, LIMIT_S, UNFINISHED_MAX, Severity, run


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """The exit code: the verdict."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.artifact_chaos", description=__doc__, formatter_class=form)
    parser.add_argument("--workflows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang", type=float, default=120.0, metavar="SECONDS", help="of the server, when it hangs")
    parser.add_argument("--limit", type=float, default=inf, metavar="SECONDS", help="no further ones are begun then")
    options = parser.parse_args()
    say(
        f"limits: a workflow {LIMIT_S} s and {GRACE_S} s to be written, a server that hangs {options.hang:.0f} s, "
        f"{UNFINISHED_MAX} workflows at once, {LET_GO_S:.0f} s for all pods to be let go of at the end"
    )
    with tempfile.TemporaryDirectory(prefix="tiphys-chaos-") as folder:
        severity = Severity(hang_s=options.hang, limit_s=options.limit)
        report = anyio.run(run, options.workflows, severity, options.seed, Path(folder), say)
    for problem in report.problems[:50]:
        say(f"  {problem}")
    deeds = ", ".join(f"{count} {name}" for name, count in sorted(report.deeds.items()))
    say(
        f"{report.ended} of {report.wanted} workflows in {report.seconds:.0f} s, the slowest {report.slowest_s:.0f} s; "
        f"{report.pod_kills} pods and {report.controller_kills} controllers killed; requests: {deeds}: "
        f"{len(report.problems)} problems"
    )
    whole = report.workflows == report.wanted
    say("VERDICT: " + (f"{len(report.problems)} problems" if report.problems else "good" if whole else "not the whole"))
    return 1 if report.problems else 0 if whole else 2


if __name__ == "__main__":
    sys.exit(main())
