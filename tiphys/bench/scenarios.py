"""The scenarios: each drives an observer on a rig and answers with one result for every size it was run at.

Sizes come in two lists: `short` ends within a minute or so, `full` is what numbers are published of.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import anyio

from runtime.objects import CONFIGMAPS, Object
from tiphys.bench import workloads
from tiphys.bench.beside import beside
from tiphys.bench.fleet import fleet
from tiphys.bench.measure import Result, measured
from tiphys.bench.observer import Observer
from tiphys.bench.rig import Rig

IN_FLIGHT = 100  # workflows of S1 that live at a time
PODS_LIVE_S = 5.0  # how long pods of S8 run at least: about as long as it takes to start a controller again

Drive = Callable[[Rig, Observer, int], Awaitable[Result]]


class NotOurs(Exception):
    """A scenario needs something that the rig does not have; the text says what."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load and what it asks."""

    name: str
    claim: str
    size: str  # what the numbers in `short` and `full` count
    short: Sequence[int]
    full: Sequence[int]
    drive: Drive
    divisible: bool = False  # its workflows may be in any namespace


async def stream(rig: Rig, observer: Observer, seconds: int) -> Result:
    """Workflows of one pod, as fast as they end: a bounded number lives at a time."""
    result = Result("S1", {"seconds": seconds, "in_flight": IN_FLIGHT})
    room = anyio.Semaphore(IN_FLIGHT)
    observer.on_finished = room.release
    submitted = 0
    async with measured(rig, result, observer.seen):  # to the last end: a workflow half done has cost, too
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(seconds):
                while True:
                    await room.acquire()
                    submitted += 1
                    tasks.start_soon(observer.create, workloads.one_pod(f"s1-{submitted}"))
        await observer.until(lambda seen: seen.finished >= submitted)
    result.series["ended"] = _ends(observer)
    result.more["submitted"] = submitted
    result.failed, result.duplicates = observer.seen.failed, observer.seen.duplicates
    return result


async def burst(rig: Rig, observer: Observer, number: int) -> Result:
    """All submitted at once, then drained."""
    return await _all("S2", rig, observer, [workloads.one_pod(f"s2-{number}-{at}") for at in range(number)], number)


async def chains(rig: Rig, observer: Observer, number: int) -> Result:
    """Chains of 100 steps, so many beside each other."""
    made = [workloads.chain(f"s3-{number}-{at}", 100) for at in range(number)]
    return await _all("S3", rig, observer, made, number)


async def fan(rig: Rig, observer: Observer, width: int, *, parallelism: int = 0) -> Result:
    """One workflow, one loop."""
    made = workloads.fan_out(f"s4-{width}-{parallelism}", width, parallelism=parallelism)
    result = await _all("S4" if not parallelism else f"S4 parallelism {parallelism}", rig, observer, [made], width)
    result.parameters["parallelism"] = parallelism
    return result


async def graphs(rig: Rig, observer: Observer, tasks: int) -> Result:
    """A ladder of so many tasks; with 5,000 a random graph, with 100 a matrix of ten by ten."""
    made = workloads.ladder(f"s5-ladder-{tasks}", tasks)
    if tasks == 100:
        made = workloads.matrix("s5-matrix", 10, 10)
    elif tasks == 5000:
        made = workloads.random_graph("s5-random", tasks)
    return await _all("S5", rig, observer, [made], tasks)


async def locks(rig: Rig, observer: Observer, number: int, *, limit: int) -> Result:
    """So many workflows wait for one lock."""
    if limit > 1:
        data = {"limit": str(limit)}
        place = {"name": "bench-locks", "namespace": observer.namespace}
        await rig.api.create(CONFIGMAPS, {"metadata": place, "data": data})
    made = [workloads.locked(f"s6-{limit}-{at}", limit=limit) for at in range(number)]
    result = await _all(f"S6 limit {limit}", rig, observer, made, number)
    result.more["handoffs_per_s"] = number / result.wall_s
    return result


async def crash(rig: Rig, observer: Observer, number: int) -> Result:
    """The controller is killed while so many workflows wait for their first pod, and started again at once."""
    if rig.controller is None:
        raise NotOurs("S8 kills the controller: it needs --controller with a command to start it")
    result = Result("S8", {"workflows": number})
    seconds = PODS_LIVE_S + number / 50
    made = [workloads.pair(f"s8-{at}", seconds) for at in range(number)]
    async with measured(rig, result, observer.seen):
        await observer.submit(made)
        await observer.until(lambda seen: len(seen.pods) >= number)
        rig.controller.kill()
        await observer.create(workloads.one_pod("s8-probe"))
        began, pods = time.monotonic(), len(observer.seen.pods)
        rig.restart_controller()
        await observer.until(lambda seen: len(seen.pods) > pods)
        result.more["first_dispatch_s"] = time.monotonic() - began
        await observer.until(lambda seen: seen.finished >= number + 1)
    result.series["ended"] = _ends(observer)
    return result


async def _all(name: str, rig: Rig, observer: Observer, made: Sequence[Object], size: int) -> Result:
    result = Result(name, {"size": size})
    async with measured(rig, result, observer.seen):
        await observer.submit(made)
        await observer.until(lambda seen: seen.finished >= len(made))
    result.series["ended"] = _ends(observer)
    return result


def _ends(observer: Observer) -> list[float]:
    """When workflows ended, in seconds since the first submission."""
    times = observer.seen.workflows.values()
    first = min(one.submitted for one in times)
    return sorted(one.finished - first for one in times if one.finished is not None)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("S1", "a steady stream of workflows of one pod", "seconds", (20,), (300,), stream, divisible=True),
        Scenario(
            "S2", "workflows of one pod, submitted at once", "workflows", (1000,), (5000, 10000), burst, divisible=True
        ),
        Scenario("S3", "chains of 100 steps", "chains", (1, 10), (1, 100), chains, divisible=True),
        Scenario("S4", "one workflow with one wide loop", "pods", (100, 1000), (100, 1000, 10000), fan),
        Scenario(
            "S4p", "the same, 50 pods at a time", "pods", (100, 1000), (100, 1000, 10000), partial(fan, parallelism=50)
        ),
        Scenario("S5", "graphs of tasks", "tasks", (100, 1000), (100, 1000, 5000), graphs),
        Scenario("S6", "workflows that wait for one mutex", "workflows", (200,), (1000,), partial(locks, limit=1)),
        Scenario("S7", "an update of all Rollouts at once", "rollouts", (200,), (2000,), fleet),
        Scenario("S8", "the controller is killed", "live workflows", (500,), (10000,), crash),
        Scenario("S9", "few beside another namespace's many", "workflows of the many", (1000,), (10000,), beside),
        Scenario("S6s", "a semaphore of ten", "workflows", (200,), (1000,), partial(locks, limit=10)),
    )
}
