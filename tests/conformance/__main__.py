"""`python -m tests.conformance` runs the examples and their twins and prints the table; 1 when fewer than GOAL count.

`--slow` also runs those that sleep for minutes; names or parts of names restrict it to some.
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

import anyio

from tests.conformance import corpus
from tests.conformance.campaign import Results, run_all
from tests.conformance.cluster import refusal
from tests.conformance.table import Entry, entries, trial, trials_of, twin
from tests.conformance.verdict import problems

GOAL: Final = 145


def main() -> int:
    """Run, print, count."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--slow", action="store_true", help="also run what sleeps for minutes")
    parser.add_argument("names", nargs="*", help="only examples whose file contains one of these")
    options = parser.parse_args()
    if reason := corpus.absent() or anyio.run(refusal):
        print(reason, file=sys.stderr)
        return 1
    chosen = [e for e in entries().values() if not options.names or any(name in e.file for name in options.names)]
    start = time.monotonic()
    trials = [one for entry in chosen if entry.runs for one in trials_of(entry)]
    results = anyio.run(run_all, [one for one in trials if options.slow or not one.slow])
    rows = [row(entry, results) for entry in chosen]
    show(rows)
    count = sum(one[5] == "yes" for one in rows)
    print(f"{count} of {len(rows)} examples count, at least {GOAL} must; {time.monotonic() - start:.0f} s")
    if results.processes_left:
        print(f"processes were left behind: {results.processes_left}")
    return 0 if (count >= GOAL or options.names) and not results.processes_left else 1


def row(entry: Entry, results: Results) -> tuple[str, ...]:
    """One line: example, expected, got, twin expected, twin got, whether it counts, and why not."""
    if not entry.runs:
        return (entry.file, "", "", "", "", "no", entry.why_not_run)
    one = trial(entry)
    cells = [entry.file, _words(one.expect["phase"]), "not run"]
    reasons = []
    if one.name in results.outcomes:
        cells[2] = results.outcomes[one.name].phase
        reasons += problems(results.outcomes[one.name], one.expect)
    else:
        reasons.append("slow: needs --slow")
    if entry.has_twin:
        other = twin(entry)
        cells += [_words(other.expect["phase"]), "not run"]
        if other.name in results.outcomes:
            cells[4] = results.outcomes[other.name].phase
            reasons += [f"twin: {problem}" for problem in problems(results.outcomes[other.name], other.expect)]
        elif "slow: needs --slow" not in reasons:
            reasons.append("its twin is slow: needs --slow")
    else:
        cells += ["none", ""]
    reasons += entry.why_not_counted
    return (*cells, "no" if reasons else "yes", "; ".join(reasons))


def show(rows: list[tuple[str, ...]]) -> None:
    """Print the table, each column as wide as its widest cell."""
    header = ("example", "expected", "got", "twin expected", "twin got", "counts", "why not")
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header) - 1)]
    for line in [header, *rows]:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip())


def _words(phase: str | list[str]) -> str:
    return phase if isinstance(phase, str) else " or ".join(phase)


if __name__ == "__main__":
    raise SystemExit(main())
