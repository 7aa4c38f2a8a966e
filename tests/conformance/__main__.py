"""`python -m tests.conformance` runs the examples and their twins and prints the table; 1 when fewer count than must.

`--slow` also runs those that sleep for minutes; names or parts of names, and what they touch, restrict it to some.
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Final

import anyio

from tests.conformance import corpus
from tests.conformance.campaign import Results, run_all
from tests.conformance.cluster import refusal
from tests.conformance.table import GOAL, Entry, entries, things_of, trial, trials_of, twin
from tests.conformance.touching import SUBJECTS, touched
from tests.conformance.verdict import problems
from tiphys.cli.nodes import nodes_of

HEADER: Final = ("example", "expected", "got", "twin expected", "twin got", "counts", "why not")


def main() -> int:
    """Run, print, count."""
    options = _options()
    if reason := corpus.absent() or anyio.run(refusal):
        print(reason, file=sys.stderr)
        return 1
    chosen = [e for e in entries().values() if not options.names or any(name in e.file for name in options.names)]
    subjects = {entry.file: touched(things_of(entry)) for entry in chosen}
    chosen = [e for e in chosen if not options.touching or set(subjects[e.file]) & set(options.touching)]
    start = time.monotonic()
    trials = [one for entry in chosen if entry.runs for one in trials_of(entry)]
    results = anyio.run(run_all, [one for one in trials if options.slow or not one.slow])
    rows = [row(entry, results) for entry in chosen]
    if options.touching:
        named = [(one[0], ", ".join(subjects[one[0]]), *one[1:]) for one in rows]
        show([*named, *_elsewhere(options.touching)], (HEADER[0], "touches", *HEADER[1:]))
    else:
        show(rows, HEADER)
        _apart("end Failed or Error, or with a Skipped node", [one for one in rows if _unlucky(one[0], results)])
        _apart("do not count", [one for one in rows if one[5] == "no"])
    some = bool(options.names or options.touching)
    goal = 0 if some else GOAL - sum(not entry.fits or (entry.slow and not options.slow) for entry in chosen)
    count = sum(one[5] == "yes" for one in rows)
    must = f", at least {goal} must" if goal else ""
    print(f"{count} of {len(rows)} examples count{must}; {time.monotonic() - start:.0f} s")
    if results.processes_left:
        print(f"processes were left behind: {results.processes_left}")
    return 0 if count >= goal and not results.processes_left else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--slow", action="store_true", help="also run what sleeps for minutes")
    parser.add_argument(
        "--touching",
        type=_subjects,
        metavar="SUBJECT,…",
        help=f"only examples that touch one of these, and which they touch: {', '.join(SUBJECTS)}, or all",
    )
    parser.add_argument("names", nargs="*", help="only examples whose file contains one of these")
    return parser.parse_args()


def _subjects(text: str) -> list[str]:
    wanted = list(SUBJECTS) if text == "all" else text.split(",")
    if unknown := set(wanted) - set(SUBJECTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: known are {', '.join(SUBJECTS)}")
    return wanted


def _elsewhere(wanted: list[str]) -> Iterator[tuple[str, ...]]:
    """The examples that touch what is wanted and need what is not here: each with what that is."""
    for file, needs in corpus.other_examples().items():
        subjects = touched(corpus.documents(file))
        if set(subjects) & set(wanted):
            yield (file, ", ".join(subjects), "", "", "", "", "no", f"not among those that run offline: {needs}")


def _unlucky(file: str, results: Results) -> bool:
    """Whether an example ended otherwise than in success all through."""
    if file not in results.outcomes:
        return False
    outcome = results.outcomes[file]
    skipped = any(node.get("phase") == "Skipped" for node in nodes_of(outcome.workflow).values())
    return skipped or outcome.phase != "Succeeded"


def _apart(what: str, rows: list[tuple[str, ...]]) -> None:
    print(f"\n{len(rows)} {what}; {sum(one[5] == 'yes' for one in rows)} of them count:")
    for file, _, got, _, _, counts, why in rows:
        print("  " + "  ".join(part for part in (file, got, "" if counts == "yes" else why) if part))


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


def show(rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
    """Print the table, each column as wide as its widest cell."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header) - 1)]
    for line in [header, *rows]:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip())


def _words(phase: str | list[str]) -> str:
    return phase if isinstance(phase, str) else " or ".join(phase)


if __name__ == "__main__":
    raise SystemExit(main())
