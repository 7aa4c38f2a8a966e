"""Many do not starve few on a slow server; one that is away for an hour is neither stormed nor forgotten."""

from __future__ import annotations

from collections import Counter
from random import Random

import anyio
import pytest

from actors.workflow.state import WORKFLOWS
from runtime.api import Selection, Unavailable
from runtime.objects import NAMESPACES, PODS, Object
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tests.world.world import Outcome, World, world
from tiphys.controllers import rooms

pytestmark = pytest.mark.virtual_time

MANY = 150
SPEC = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "alpine", "command": ["true"]}}]}


def system(here: World, api: Coat, concurrency: int) -> System:
    settings = Settings(concurrency=concurrency)
    return System(api, rooms(here.settings), settings=settings, clock=VirtualClock(), dice=Random(1))


def workflow(namespace: str, name: str) -> Object:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": SPEC}


async def first_pod(here: World, namespace: str) -> float:
    """Seconds until there is one."""
    begun = anyio.current_time()
    while not (await here.api.list(PODS, Selection(namespace))).items:  # noqa: ASYNC110  # a test
        await anyio.sleep(0.05)
    return anyio.current_time() - begun


async def test_the_first_workflow_of_a_namespace_does_not_wait_for_the_hundreds_of_another() -> None:
    """Two calls at once, 0.1 s each: what one namespace has asked for takes the server half a minute."""
    async with world(lambda name, pod: Outcome(delay_s=1.0)) as here:
        for namespace in ("many", "few"):
            await here.api.create(NAMESPACES, {"metadata": {"name": namespace}})
        slow = Coat(here.api, delay_s=0.1)
        async with here.instead(system(here, slow, concurrency=2)):
            for number in range(MANY):
                await here.api.create(WORKFLOWS, workflow("many", f"w{number}"))
            await anyio.sleep(1)
            await here.api.create(WORKFLOWS, workflow("few", "w"))
            took = await first_pod(here, "few")
            written = Counter(subject for verb, subject in slow.calls if verb in ("create", "patch"))
            of_many = sum(number for name, number in written.items() if name != "w")
            assert took < 2.5, took
            assert of_many < MANY, "the others were far from done"


async def test_a_server_that_is_away_for_an_hour_is_not_stormed_and_all_goes_on_as_if_nothing_had_happened() -> None:
    async with world(lambda name, pod: Outcome(delay_s=5.0)) as here:
        away = False
        coat = Coat(here.api, delay_s=0.01, fault=lambda verb, subject: Unavailable("away") if away else None)
        async with here.instead(system(here, coat, concurrency=64)) as _:
            for number in range(20):
                await here.api.create(WORKFLOWS, workflow("default", f"w{number}"))
            await anyio.sleep(0.3)
            away, before = True, len(coat.calls)
            await anyio.sleep(3600)
            asked = Counter(verb for verb, _ in coat.calls[before:])
            away = False
            await anyio.sleep(120)
            found = (await here.api.list(WORKFLOWS)).items
            assert {thing["status"]["phase"] for thing in found} == {"Succeeded"}
            assert len(here.created) == len(set(here.created)) == 20
            assert here.system is not None
            assert here.system.statistics().lives.crashes == 0
            # At most every 30 s a resource is asked for, and at most every minute an actor asks for what it needs.
            resources = len(here.system.statistics().informers)
            assert asked["list"] + asked["watch"] < resources * 3600 / 15 + 20
            assert asked["patch"] + asked["create"] + asked["get"] < 20 * 3600 / 15, asked
