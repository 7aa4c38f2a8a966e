"""A workflow that a user deletes takes everything with it, also when nobody was there to see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest

from runtime.objects import PODS
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tests.world.flows import flow, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import rooms

pytestmark = pytest.mark.virtual_time

HELD = flow("  - name: main\n    steps: [[{name: a, template: make}, {name: b, template: leaf}]]\n")


async def collect(here: World) -> None:
    """What the garbage collector does to the pods of a workflow that is gone."""
    for ref, _ in await here.pod_refs():
        await here.api.delete(ref, grace_s=0)


@asynccontextmanager
async def living(here: World, coat: Coat) -> AsyncIterator[System]:
    """Other controllers than the world's, through a coat."""
    system = System(coat, rooms(here.settings), settings=Settings(), clock=VirtualClock(), dice=Random(1))
    async with here.instead(system):
        yield system


@pytest.mark.spec("PGC-4")
async def test_a_pod_that_is_held_for_its_outputs_does_not_outlive_a_deleted_workflow() -> None:
    async with world(lambda name, pod: Outcome(delay_s=100)) as here:
        ref = await here.submit(HELD)
        await anyio.sleep(3)
        await here.api.delete(ref)
        await collect(here)
        assert len(await here.pod_refs()) == 1, "the finalizer holds the one whose output is wanted"
        await anyio.sleep(10)
        assert await here.pod_refs() == []


@pytest.mark.spec("PGC-4")
async def test_nor_does_one_whose_workflow_was_deleted_while_no_controller_lived() -> None:
    async with world(lambda name, pod: Outcome(delay_s=100)) as here:
        ref = await here.submit(HELD)
        await anyio.sleep(3)
        here.replaced = True
        here.die()
        await here.api.delete(ref)
        await collect(here)
        async with living(here, Coat(here.api)):
            await anyio.sleep(10)
            assert await here.pod_refs() == []


async def test_a_pod_that_somebody_deletes_is_held_until_its_workflow_has_its_end_on_record() -> None:
    async with world(lambda name, pod: Outcome(delay_s=100)) as here:
        await here.submit(HELD)
        await anyio.sleep(3)
        here.replaced = True
        here.die()
        coat = Coat(here.api)
        coat.fault = lambda verb, subject: TimeoutError() if (verb, subject) == ("patch", "w") else None
        async with living(here, coat):
            await collect(here)
            await anyio.sleep(200)
            assert len([verb for verb, subject in coat.calls if (verb, subject) == ("get", "w")]) >= 2, "it looks"
            assert len(await here.pod_refs()) == 1


async def test_pods_that_workflows_let_go_of_in_time_cost_no_look() -> None:
    async with world(table()) as here:
        here.replaced = True
        here.die()
        coat = Coat(here.api)
        async with living(here, coat) as system:
            collected = HELD.replace("spec:", "spec:\n  podGC: {strategy: OnPodCompletion}", 1)
            await here.end_of(await here.submit(collected))
            await anyio.sleep(60)
            assert system.addresses("orphan") == []
        assert not [call for call in coat.calls if call == ("get", "w")]
        assert (await here.api.list(PODS)).items == []
