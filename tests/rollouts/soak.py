"""Thousands of random Rollouts in a few processes, and a table that says whether they were worth it.

A soak fails when a seed went wrong, and also when it was too tame: when a kind of strategy was rare, when few updates
were aborted, when traffic was hardly ever shared, or when controllers did not die.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Final

import anyio

from tests.rollouts.trial import Trial, trial
from tests.virtual_time import VirtualLoop
from tests.world.soak import quiet, say

FLOORS: Final[dict[str, float]] = {
    "basic": 0.25, "blueGreen": 0.1, "routed": 0.1, "dynamic": 0.1, "aborted": 0.1, "promoted": 0.5, "deaths": 1.0,
    "looked": 20.0, "weighed": 5.0,
}  # fmt: skip
"""The least number of each, for every seed."""

MEANING: Final = {
    "basic": "canaries without a router", "blueGreen": "blue-green", "routed": "canaries behind a router",
    "dynamic": "of those, with a stable side that shrinks", "aborted": "updates that an abort ended",
    "promoted": "walks that ended with the newest version", "deaths": "of the controllers",
    "looked": "commits after which sizes and availability were judged",
    "weighed": "commits with the traffic shared, after which both sides were judged",
}  # fmt: skip


def one(seed: int) -> Trial:
    """Live through a seed; in a process of the pool."""
    return anyio.run(trial, seed, backend_options={"loop_factory": VirtualLoop})


def told(found: Trial) -> str:
    """What went wrong, and how to see it again."""
    again = f"python -m tests.rollouts --first {found.seed} --seeds 1"
    return f"seed {found.seed} ({found.kind}, {found.actions}): {again}\n  " + "\n  ".join(found.wrong)


def soak(seeds: int, first: int, processes: int) -> int:
    """Run the seeds, say now and then how far it is, and print the table; 1 when it was wrong or too tame."""
    tally: Counter[str] = Counter()
    wrong, begin = 0, time.monotonic()
    with get_context("spawn").Pool(processes, initializer=quiet, maxtasksperchild=500) as pool:
        for number, found in enumerate(pool.imap_unordered(one, range(first, first + seeds), chunksize=10), start=1):
            tally += found.tally
            if found.wrong:
                wrong += 1
                say(told(found))
            if number % 200 == 0:
                say(f"{number}/{seeds} rollouts, {wrong} wrong, {number / (time.monotonic() - begin):.1f}/s")
    for line in table(tally):
        say(line)
    reasons = too_tame(tally, seeds)
    for reason in reasons:
        say(f"too tame: {reason}")
    say(f"{seeds} rollouts, {wrong} wrong" + (", too tame" if reasons else ""))
    return 1 if wrong or reasons else 0


def table(tally: Counter[str]) -> Iterator[str]:
    """The numbers, for people."""
    yield f"{'what':10} {'number':>9}   what it is"
    for name, text in MEANING.items():
        yield f"{name:10} {tally[name]:>9,}   {text}"


def too_tame(tally: Counter[str], seeds: int) -> list[str]:
    """Why these walks prove little, if they do."""
    least = {name: max(1, int(floor * seeds)) for name, floor in FLOORS.items()}
    return [
        f"{name}: {tally[name]}, at least {number} were wanted"
        for name, number in least.items()
        if tally[name] < number
    ]
