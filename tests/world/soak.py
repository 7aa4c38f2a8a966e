"""Thousands of seeds in a few processes, and a table that says whether they were worth it.

A soak fails when a seed went wrong, and also when it was too tame: when a fault was hardly injected, when too few
controllers died between making a pod and recording it, when workflows were small, or when decisions were not taken.
"""

from __future__ import annotations

import gc
import logging
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final

import structlog

from tests.world import faults
from tests.world.decisions import Reached, measured
from tests.world.shrunk import Case, shrink
from tests.world.trial import Report, case_of, run

INJECTIONS_MIN: Final = 0.05  # of each fault, for every seed: 1,000 in 20,000
BETWEEN_MIN: Final = 0.30  # of all runs: a controller died after a pod was made and before that was on record
NODES_MIN: Final = 25  # the median of all workflows
BRANCHES_MIN: Final = 0.95  # of the modules that decide
MEASURED: Final = 1_000  # seeds with branches counted, which makes them slower
CHUNK: Final = 20
UNCOLLECTED: Final = 200_000  # allocations between two looks for garbage: they took a third of the time
SHRUNK_MAX: Final = 3  # failing seeds that are made smaller; the others are only named


@dataclass
class Sums:
    """What all runs came to."""

    seeds: int = 0
    between: int = 0
    deaths: int = 0
    commits: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    nodes: list[int] = field(default_factory=list)
    wrong: list[Report] = field(default_factory=list)
    reached: Reached = field(default_factory=Reached)

    def add(self, reports: list[Report], reached: Reached | None) -> None:
        """Take in a chunk of seeds."""
        for report in reports:
            self.seeds += 1
            self.between += bool(report.between)
            self.deaths += report.deaths
            self.commits += report.commits
            self.tally += report.tally
            self.nodes += report.nodes
            self.wrong += [report] if report.wrong else []
        if reached is not None:
            self.reached.merge(reached)


Work = tuple[int, int, str, frozenset[str], bool]


def chunk(work: Work) -> tuple[list[Report], Reached | None]:
    """Run some seeds; in a process of the pool."""
    first, number, kind, spared, measure = work
    cases = [case_of(seed, kind) for seed in range(first, first + number)]
    cases = [Case(case.seed, case.kinds - spared) for case in cases]
    if not measure:
        return [run(case) for case in cases], None
    with measured() as reached:
        reports = [run(case) for case in cases]
    return reports, reached


def soak(
    seeds: int, first: int, *, kind: str = "mixed", spared: frozenset[str] = frozenset(), processes: int = 2
) -> Sums:
    """Run the seeds and say now and then how far it is. `spared` faults are switched off."""
    sums, begin = Sums(), time.monotonic()
    step = max(1, seeds // (MEASURED or 1))  # chunks with branches counted are spread evenly
    works = []
    for number, start in enumerate(range(first, first + seeds, CHUNK)):
        size = min(CHUNK, first + seeds - start)
        works.append((start, size, kind, spared, number % max(1, step) == 0))
    with get_context("spawn").Pool(processes, initializer=quiet, maxtasksperchild=50) as pool:
        for reports, reached in pool.imap_unordered(chunk, works):
            sums.add(reports, reached)
            for report in reports:
                if report.wrong:
                    say(f"seed {report.case.seed} went wrong: {report.wrong[0][:200]}")
            if sums.seeds % (CHUNK * 10) < CHUNK:
                took = time.monotonic() - begin
                say(f"{sums.seeds}/{seeds} seeds, {len(sums.wrong)} wrong, {sums.seeds / took:.1f}/s")
    return sums


# ------------------------------------------------------------------------------------------------ the verdict


def too_tame(sums: Sums) -> list[str]:
    """Why these runs prove little, if they do."""
    found = []
    for kind in sorted(faults.ALL):
        wanted = max(1, int(INJECTIONS_MIN * sums.seeds))
        if sums.tally[kind] < wanted:
            found.append(f"{kind} was injected {sums.tally[kind]} times, not {wanted}")
    if sums.between < BETWEEN_MIN * sums.seeds:
        share = sums.between / max(1, sums.seeds)
        found.append(
            f"in {share:.0%} of the runs a controller died between a create and its record, not {BETWEEN_MIN:.0%}"
        )
    if not sums.nodes or statistics.median(sums.nodes) < NODES_MIN:
        found.append(f"the median workflow has {statistics.median(sums.nodes or [0]):.0f} nodes, not {NODES_MIN}")
    if sums.reached.share() < BRANCHES_MIN:
        found.append(f"{sums.reached.share():.1%} of the branches that decide were taken, not {BRANCHES_MIN:.0%}")
    return found


def table(sums: Sums) -> Iterator[str]:
    """The numbers, for people."""
    yield f"{'fault':20} {'injected':>9}   what it is"
    for group in faults.GROUPS.values():
        for kind, text in group.items():
            yield f"{kind:20} {sums.tally[kind]:>9,}   {text}"
    share = sums.between / max(1, sums.seeds)
    median = statistics.median(sums.nodes or [0])
    yield f"{sums.seeds:,} runs, {sums.deaths:,} deaths of the controllers, {sums.commits:,} commits judged"
    yield f"runs with a death between a create and its record: {share:.1%}"
    yield f"nodes of a workflow, median: {median:.0f}"
    yield from sums.reached.table()


def judge(sums: Sums) -> int:
    """Print the table and the reasons; the exit code."""
    for line in table(sums):
        say(line)
    for report in sums.wrong[:SHRUNK_MAX]:
        least = shrink(report.case, report.wrong, lambda case: run(case).wrong, tries=150)
        say(f"reproduce: {command(least)}\n    {run(least).wrong[0]}")
    for report in sums.wrong[SHRUNK_MAX:]:
        say(f"reproduce: {command(report.case)}\n    {report.wrong[0]}")
    reasons = too_tame(sums)
    for reason in reasons:
        say(f"too tame: {reason}")
    say(f"{sums.seeds} seeds, {len(sums.wrong)} wrong" + (", too tame" if reasons else ""))
    return 1 if sums.wrong or reasons else 0


def command(case: Case) -> str:
    """The one line that runs a case again."""
    drop = f" --drop '{','.join(case.dropped)}'" if case.dropped else ""
    return f"python -m tests.world --first {case.seed} --seeds 1 --only '{','.join(sorted(case.kinds))}'{drop}"


def quiet() -> None:
    """A world in which much goes wrong would log much; and it is gone before its garbage is worth a look."""
    gc.freeze()
    gc.set_threshold(UNCOLLECTED, 20, 50)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def same_every_time(main: Callable[[], int]) -> int:
    """Run `main` with strings hashed alike in every process: the order of sets is part of what a seed decides."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.world", *sys.argv[1:]])
    return main()
