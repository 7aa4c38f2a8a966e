"""One namespace submits thousands at once: what another one's workflows wait for meanwhile.

The few come one after the other, each when the one before has ended, so they never wait for each other. What each took
to its first pod, and from its pod's end to its own, is to be that of an unhurried controller, however many of the
other's still wait. In between it is the node's turn, which knows nothing of namespaces.
"""

from __future__ import annotations

from typing import NamedTuple

import anyio

from runtime.objects import NAMESPACES, Reference
from tiphys.bench import workloads
from tiphys.bench.measure import Result, measured
from tiphys.bench.observation import percentile
from tiphys.bench.observer import Observer
from tiphys.bench.rig import Rig

CROWD = 500  # workflows of the many that are there before the first of the few


async def beside(rig: Rig, observer: Observer, number: int) -> Result:
    """One namespace submits so many at once; meanwhile another one submits one after the other."""
    result = Result("S9", {"workflows": number})
    name = f"{observer.namespace}-few"
    await rig.api.create(NAMESPACES, {"metadata": {"name": name}})
    few = Observer(rig.api, name)
    try:
        async with few.watching():
            alone = await _one(few, "s9-alone")
            async with measured(rig, result, observer.seen), anyio.create_task_group() as tasks:
                tasks.start_soon(observer.submit, [workloads.one_pod(f"s9-{at}") for at in range(number)])
                await observer.until(lambda seen: len(seen.workflows) >= min(number, CROWD))
                times = [await _one(few, "s9-first")]
                while observer.seen.finished < number:
                    times.append(await _one(few, f"s9-{len(times)}"))
            result.more |= {"few": len(times), "alone": alone._asdict(), "first": times[0]._asdict()}
    finally:
        await rig.api.delete(Reference(NAMESPACES, "", name))
    for what, values in (("few_to_pod", [one.pod_s for one in times]), ("few_to_end", [one.close_s for one in times])):
        result.latencies[what] = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}
    result.failed, result.duplicates = observer.seen.failed + few.seen.failed, observer.seen.duplicates
    result.more["said"] = f"alone {alone}; beside {number}: the first {times[0]}, {_middle(times)} in the middle"
    return result


class _Took(NamedTuple):
    """Seconds from its submission to its first pod, and from its pod's end to its own."""

    pod_s: float
    close_s: float

    def __str__(self) -> str:
        return f"{self.pod_s * 1000:.0f} ms to its pod and {self.close_s * 1000:.0f} ms from its pod's end to its own"


def _middle(times: list[_Took]) -> _Took:
    return sorted(times, key=lambda took: took.pod_s + took.close_s)[len(times) // 2]


async def _one(observer: Observer, name: str) -> _Took:
    """Submit one workflow of one pod and wait for its end."""
    before = observer.seen.finished
    await observer.create(workloads.one_pod(name))
    await observer.until(lambda seen: seen.finished > before)
    seen = next(one for one in observer.seen.workflows.values() if one.name == name)
    assert seen.finished is not None
    began, ended = seen.first_pod or seen.finished, seen.last_pod_finished or seen.finished
    return _Took(max(began - seen.submitted, 0.0), max(seen.finished - ended, 0.0))
