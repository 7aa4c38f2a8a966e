"""Many Rollouts under one controller: what they cost at rest, and while all of them are updated at once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable

import anyio

from actors.names import resources
from runtime.api import Api, ApiError, Selection, Throttled
from runtime.objects import Object, Reference, Resource
from tiphys.bench.measure import Result, measured
from tiphys.bench.observation import percentile
from tiphys.bench.observer import SUBMITTERS, Observer, Stuck
from tiphys.bench.rig import Rig
from tiphys.bench.workloads import IMAGE

ROLLOUTS = Resource(*resources.ROLLOUT)
REST_S = 30.0
LIMIT_S = 1800.0
NEXT_IMAGE = "busybox:1.37"
STEPS = ({"setWeight": 20}, {"setWeight": 50}, {"setWeight": 100})


def rollout(name: str, namespace: str) -> Object:
    """A Rollout of one pod and three steps."""
    labels = {"app": name}
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "infinity"]}
    return {
        "apiVersion": ROLLOUTS.api_version,
        "kind": ROLLOUTS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "strategy": {"canary": {"steps": list(STEPS)}},
        },
    }


class Fleet:
    """The Rollouts of one namespace as the watch shows them: when each was healthy on its newest spec."""

    def __init__(self) -> None:
        self.healthy: dict[str, float] = {}  # by name, since when (monotonic)
        self.versions: dict[str, int] = {}  # the generation that was asked for last

    def see(self, thing: Object, now: float) -> None:
        """Take in a state of a Rollout."""
        meta, status = thing["metadata"], thing.get("status") or {}
        name, generation = meta["name"], int(meta.get("generation", 1))
        is_current = status.get("observedGeneration") == str(generation) and generation >= self.versions.get(name, 1)
        if is_current and status.get("phase") == "Healthy":
            self.healthy.setdefault(name, now)
        elif generation >= self.versions.get(name, 1):
            self.healthy.pop(name, None)

    def expect(self, thing: Object) -> None:
        """The server took a new spec: what was seen of older ones says nothing any more."""
        meta = thing["metadata"]
        self.versions[meta["name"]] = int(meta["generation"])


async def fleet(rig: Rig, observer: Observer, number: int) -> Result:
    """Create so many, leave them alone for half a minute, then give all of them another image."""
    result = Result("S7", {"rollouts": number, "rest_s": REST_S})
    names, seen = [f"s7-{at}" for at in range(number)], Fleet()
    async with anyio.create_task_group() as tasks:
        version = (await rig.api.list(ROLLOUTS, Selection(observer.namespace), limit=1)).resource_version
        tasks.start_soon(_follow, rig.api, observer.namespace, version, seen)
        began = time.monotonic()
        await _each(names, lambda name: _create(rig.api, observer.namespace, name))
        await _until(seen, number)
        result.more["all_created_s"] = time.monotonic() - began
        await _rest(rig, result)
        asked: dict[str, float] = {}
        async with measured(rig, result, observer.seen):
            await _each(names, lambda name: _update(rig.api, observer.namespace, name, (seen, asked)))
            await _until(seen, number)
        result.workflows = number
        took = [seen.healthy[name] - asked[name] for name in names]
        result.latencies = {"update": {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}}
        result.series = {"ended": sorted(took), "update": took}
        tasks.cancel_scope.cancel()
    return result


async def _rest(rig: Rig, result: Result) -> None:
    """What everybody uses while nothing happens: shares of a core, in percent."""
    before = rig.costs()
    await anyio.sleep(REST_S)
    after = rig.costs()
    result.more["rest_cpu_percent"] = {
        name: (cost.cpu_s - before[name].cpu_s) / REST_S * 100 for name, cost in after.items() if name in before
    }
    result.more["rest_peak_mib"] = {name: cost.peak_mib for name, cost in after.items()}


async def _each(names: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
    """Do it to all of them, several at a time."""
    waiting = iter(names)

    async def one_after_the_other() -> None:
        for name in waiting:
            await _granted(act, name)

    async with anyio.create_task_group() as tasks:
        for _ in range(SUBMITTERS):
            tasks.start_soon(one_after_the_other)


async def _granted(act: Callable[[str], Awaitable[None]], name: str) -> None:
    while True:
        try:
            return await act(name)
        except Throttled as refusal:
            await anyio.sleep(refusal.after_s)


async def _create(api: Api, namespace: str, name: str) -> None:
    await api.create(ROLLOUTS, rollout(name, namespace))


async def _update(api: Api, namespace: str, name: str, known: tuple[Fleet, dict[str, float]]) -> None:
    seen, asked = known
    container = {"name": "main", "image": NEXT_IMAGE, "command": ["sleep", "infinity"]}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    asked[name] = time.monotonic()
    seen.healthy.pop(name, None)
    seen.versions[name] = seen.versions.get(name, 1) + 1
    seen.expect(await api.patch(Reference(ROLLOUTS, namespace, name), body))


async def _until(seen: Fleet, number: int) -> None:
    """Wait until all are healthy. Raises Stuck."""
    deadline = time.monotonic() + LIMIT_S
    while len(seen.healthy) < number:
        if time.monotonic() > deadline:
            raise Stuck(f"after {LIMIT_S:.0f} s {len(seen.healthy)} of {number} Rollouts were healthy")
        await anyio.sleep(0.1)


async def _follow(api: Api, namespace: str, version: str, seen: Fleet) -> None:
    while True:
        try:
            async with api.watch(ROLLOUTS, Selection(namespace), resource_version=version) as events:
                async for event in events:
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        seen.see(event.object, time.monotonic())
        except ApiError:
            await anyio.sleep(0.2)  # the stream ended: go on where it was
