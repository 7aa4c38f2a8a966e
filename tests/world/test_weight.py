"""What is over is forgotten: after any number of workflows, schedules' runs and rollouts a system weighs the same."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable

import anyio
import pytest

from actors.rollout.wire import ROLLOUTS
from actors.workflow.state import WORKFLOWS
from runtime.objects import NAMESPACES, PODS, Reference
from runtime.system import System
from runtime.turns import LANES_KEPT
from tests.rollouts.world import rollout, rollout_world
from tests.world.cron_world import cron, cron_world
from tests.world.weight import fuller, grown, weigh
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time

BATCH = 12
KEPT_OF_NAMES = 2048
"""A cache that takes in something of every workflow, or of every second, may hold so much at most: it is full after a
few hundred or half an hour, and what is in it no longer grows."""

FLOW = """
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: a, template: leaf, withItems: [1, 2]}
        - - {name: b, template: leaf}
    - name: leaf
      retryStrategy: {limit: "1"}
      synchronization: {mutexes: [{name: m}]}
      container: {image: alpine, command: ["true"]}
      outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}
"""

SMALL = """
spec:
  entrypoint: main
  templates:
    - name: main
      synchronization: {mutexes: [{name: m}]}
      container: {image: alpine, command: ["true"]}
"""


async def batches_weigh_the_same(system: Callable[[], System | None], batch: Callable[[int], Awaitable[None]]) -> None:
    """Two batches to warm up; the third must leave nothing behind."""
    for number in (0, 1):
        await batch(number)
    running = system()
    assert running is not None
    before = weigh(running)
    gc.disable()
    try:
        await batch(2)
        assert gc.collect() < BATCH, "what is over is freed at once: it is no cycle that waits for the collector"
    finally:
        gc.enable()
    assert system() is running
    after = weigh(running)
    assert running.statistics().lives.births > BATCH, "it has worked"
    assert grown(before, after, BATCH) == {}
    unbounded = {name: limit for name, limit in fuller(before, after).items() if (limit or 1 << 60) > KEPT_OF_NAMES}
    assert unbounded == {}, "a cache that grows with every workflow"


async def run_and_delete(here: World, text: str, name: str, namespace: str = "default") -> None:
    if namespace != "default":
        await here.api.create(NAMESPACES, {"metadata": {"name": namespace}})
    ref = await here.submit(f"metadata: {{namespace: {namespace}}}\n{text}", name)
    thing = await here.end_of(ref)
    assert thing["status"]["phase"] == "Succeeded", thing["status"]
    await anyio.sleep(20)
    await here.api.delete(ref, propagation="Background")
    for pod, node in await here.pod_refs():
        if node == name or node.startswith((f"{name}[", f"{name}.")):
            await here.api.delete(pod, grace_s=0)
    if namespace != "default":
        await here.api.delete(Reference(NAMESPACES, "", namespace))


async def test_workflows_that_are_over_leave_nothing_behind() -> None:
    def ends(name: str, pod: object) -> Outcome:
        return Outcome(code=int(name.endswith("a(0:1)(0)")), delay_s=0.5, parameters={"p": f"of {name}"})

    async with world(ends) as here:

        async def batch(number: int) -> None:
            async with anyio.create_task_group() as tasks:
                for at in range(BATCH):
                    tasks.start_soon(run_and_delete, here, FLOW, f"w-{number}-{at}")
            await anyio.sleep(120)
            assert (await here.api.list(PODS)).items == []

        await batches_weigh_the_same(lambda: here.system, batch)


async def test_workflows_of_namespaces_that_are_over_leave_nothing_behind() -> None:
    """Each has a namespace of its own, which is looked up in many a table, and never comes again."""
    async with world(lambda _name, _pod: Outcome(delay_s=0.5, parameters={"p": "x"})) as here:

        async def batch(number: int) -> None:
            async with anyio.create_task_group() as tasks:
                for at in range(2 * LANES_KEPT):
                    tasks.start_soon(run_and_delete, here, SMALL, f"w-{number}-{at}", f"n-{number}-{at}")
            await anyio.sleep(120)
            assert (await here.api.list(PODS)).items == []

        await batches_weigh_the_same(lambda: here.system, batch)


async def test_runs_of_schedules_that_are_over_leave_nothing_behind() -> None:
    async with cron_world() as here:
        await here.create(cron(successfulJobsHistoryLimit=1))
        await anyio.sleep(30)  # between two runs

        async def batch(number: int) -> None:
            await anyio.sleep(BATCH * 60 - 10)
            listed = (await here.api.list(WORKFLOWS)).items
            kept = {thing["metadata"]["name"] for thing in listed}
            for pod in (await here.api.list(PODS)).items:
                if pod["metadata"]["ownerReferences"][0]["name"] not in kept:
                    await here.api.delete(Reference(PODS, "default", pod["metadata"]["name"]), grace_s=0)
            await anyio.sleep(10)
            assert len(listed) <= 2
            assert len(here.seen) >= BATCH * number

        await batches_weigh_the_same(lambda: here.system, batch)


async def test_rollouts_that_are_gone_leave_nothing_behind() -> None:
    async with rollout_world() as here:

        async def batch(number: int) -> None:
            names = [f"r-{number}-{at}" for at in range(BATCH)]
            for name in names:
                await here.apply(rollout(name, canary={"steps": [{"setWeight": 50}, {"pause": {"duration": "5s"}}]}))
            for image in ("v1", "v2"):
                for name in names:
                    await here.image(image, name)
                for name in names:
                    await here.until_phase("Healthy", name)
            for name in names:
                await here.api.delete(Reference(ROLLOUTS, "default", name), propagation="Background")
            await anyio.sleep(120)
            assert (await here.api.list(PODS)).items == []

        await batches_weigh_the_same(lambda: here.system, batch)
