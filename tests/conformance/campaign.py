"""Runs many trials at once: on one cluster where they agree on what has no namespace, else on a cluster of its own.

Those that only sleep do not wait for a place; the others share a few, since each pod is a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio

from runtime.objects import Object
from tests.conformance.cluster import Site, processes_left, site
from tests.conformance.harness import Outcome, run
from tests.conformance.table import Trial

AT_ONCE: Final = 6
"""Trials that share the processors; more do not make a machine with two of them faster."""
SLEEPER_S: Final = 5.0


@dataclass(slots=True)
class Results:
    """How every trial ended, and the processes that were left behind when the last pod had ended."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)  # by the trial's name
    processes_left: dict[str, int] = field(default_factory=dict)


async def run_all(trials: Sequence[Trial]) -> Results:
    """Run all of them, and see what processes are left."""
    results = Results()
    places = anyio.CapacityLimiter(AT_ONCE)
    async with anyio.create_task_group() as tasks:
        for group in agreeing(trials):
            tasks.start_soon(_run_group, group, places, results)
    return results


def agreeing(trials: Iterable[Trial]) -> list[list[Trial]]:
    """The trials in as few groups as it takes for no group to need two versions of an object without a namespace."""
    groups: list[tuple[dict[str, Object], list[Trial]]] = []
    for one in trials:
        own = {t["metadata"]["name"]: t for t in one.things if t["kind"] == "ClusterWorkflowTemplate"}
        for shared, group in groups:
            if all(shared.get(name, thing) == thing for name, thing in own.items()):
                shared.update(own)
                group.append(one)
                break
        else:
            groups.append((own, [one]))
    return [group for _, group in groups]


async def _run_group(group: list[Trial], places: anyio.CapacityLimiter, results: Results) -> None:
    async with site() as here:
        async with anyio.create_task_group() as tasks:
            for one in sorted(group, key=lambda one: -one.takes_s):
                tasks.start_soon(_run_one, here, one, places, results)
        results.processes_left |= processes_left(here.observer)


async def _run_one(here: Site, one: Trial, places: anyio.CapacityLimiter, results: Results) -> None:
    if one.takes_s > SLEEPER_S:
        results.outcomes[one.name] = await run(here, one)
        return
    async with places:
        results.outcomes[one.name] = await run(here, one)
