"""`python -m tests.world` runs one seed and tells what happens, a few hundred, or a soak with its table.

--seeds 300                   random workflows and faults; what goes wrong is made smaller and printed as one line
--soak --seeds 20000          the same in two processes, with the table that a soak is judged by
--first 17 --seeds 1 --trace  every commit of one run
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from tests.world import faults
from tests.world.shrunk import Case, shrink
from tests.world.soak import command, judge, quiet, same_every_time, say, soak
from tests.world.trial import case_of, run


def main() -> int:
    """Do what the command line says; 1 when a seed went wrong (or a soak was too tame)."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.world", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, help="the first of them")
    parser.add_argument("--kind", choices=(*faults.KINDS, "mixed"), default="mixed", help="which faults there are")
    parser.add_argument("--only", help="only these faults, separated by commas; nothing for none")
    parser.add_argument("--drop", default="", help="leave these parts of the workflow out, separated by commas")
    parser.add_argument("--without", default="", help="switch these faults off; `all` for all")
    parser.add_argument("--soak", action="store_true", help="many processes, and a table")
    parser.add_argument("--processes", type=int, default=2, help="of a soak")
    parser.add_argument("--trace", action="store_true", help="tell every commit")
    parser.add_argument("--quick", action="store_true", help="stop at the first that goes wrong, and do not shrink it")
    options = parser.parse_args()
    options.first = options.first if options.first is not None else faults.FIRST_NAMED_LATER if options.soak else 1000
    quiet()
    spared = faults.ALL if options.without == "all" else _words(options.without)
    if options.soak:
        return judge(soak(options.seeds, options.first, kind=options.kind, spared=spared, processes=options.processes))
    cases = [case_of(seed, options.kind) for seed in range(options.first, options.first + options.seeds)]
    only = None if options.only is None else _words(options.only)
    drop = tuple(part for part in options.drop.split(",") if part)
    cases = [Case(case.seed, (case.kinds if only is None else only) - spared, drop) for case in cases]
    return _try(cases, quick=options.quick, trace=options.trace)


def _words(text: str) -> frozenset[str]:
    words = frozenset(word for word in text.split(",") if word)
    if words - faults.ALL:
        raise SystemExit(
            f"there is no fault {', '.join(sorted(words - faults.ALL))}, only {', '.join(sorted(faults.ALL))}"
        )
    return words


def _try(cases: list[Case], *, quick: bool, trace: bool) -> int:
    wrong, begin = 0, time.monotonic()
    nodes: list[int] = []
    for number, case in enumerate(cases):
        report = run(case, say if trace else None)
        nodes += report.nodes
        if not report.wrong:
            continue
        wrong += 1
        if quick or trace or len(cases) == 1:
            least = case
        else:
            least = shrink(case, report.wrong, lambda smaller: run(smaller).wrong)
        told = "\n    ".join(report.wrong[:8])
        say(
            f"seed {case.seed}, the {number + 1}. of {len(cases)}, went wrong:\n    {told}\nreproduce: {command(least)}"
        )
        if quick:
            return 1
    took = time.monotonic() - begin
    median = statistics.median(nodes or [0])
    say(f"{len(cases)} seeds, {wrong} wrong, median of {median:.0f} nodes, {len(cases) / took:.1f}/s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(same_every_time(main))
