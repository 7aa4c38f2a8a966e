"""Outputs of a pod that somebody deletes early: what our finalizer is for, and what there is without it.

By default pods that podGC collects do without: it would cost a patch of each. `ARGO_POD_STATUS_CAPTURE_FINALIZER=true`
holds those as well.
"""

from __future__ import annotations

import anyio
import pytest

from actors.node.manifest_request import PodSettings
from runtime.objects import PODS, reference
from tests.kernel.coat import Coat
from tests.world.flows import flow, named
from tests.world.test_deleted import collect, living
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

HELD = ControllerSettings(pods=PodSettings(held="always"))
MADE = flow("  - name: main\n    steps: [[{name: a, template: make}]]\n", podGC="{strategy: OnPodCompletion}")


async def as_soon_as_it_ends(here: World) -> None:
    """Somebody cleans up: pods that have ended go at once."""
    version = (await here.api.list(PODS)).resource_version
    async with here.api.watch(PODS, resource_version=version) as events:
        async for event in events:
            if event.type != "DELETED" and (event.object.get("status") or {}).get("phase") == "Succeeded":
                await here.api.delete(reference(PODS, event.object), grace_s=0)
                return


@pytest.mark.spec("PGC-4")
async def test_a_loose_pods_outputs_are_those_that_were_seen_whoever_deletes_it() -> None:
    async with world(lambda name, pod: Outcome(parameters={"p": "v"}), settings=ControllerSettings()) as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(as_soon_as_it_ends, here)
            ref = await here.submit(MADE)
            node = named(await here.end_of(ref))["w[0].a"]
        await here.at_rest(ref)

    assert node["phase"] == "Succeeded"
    assert node["outputs"]["parameters"][0]["value"] == "v"
    assert len(here.created) == 1


@pytest.mark.spec("PGC-4")
@pytest.mark.parametrize("held", [True, False])
async def test_what_nobody_has_seen_is_there_if_the_pod_was_held(*, held: bool) -> None:
    """The price: it ended and was deleted by somebody while no controller lived. It is not done again unasked."""
    settings = HELD if held else ControllerSettings()
    async with world(lambda name, pod: Outcome(delay_s=10, parameters={"p": "v"}), settings=settings) as here:
        ref = await here.submit(MADE)
        await anyio.sleep(5)
        here.replaced = True
        here.die()
        await anyio.sleep(10)
        await collect(here)
        async with living(here, Coat(here.api)):
            node = named(await here.end_of(ref))["w[0].a"]

    told = (node["phase"], node.get("message", ""))
    assert told == (("Succeeded", "") if held else ("Error", "pod deleted"))
    assert len(here.created) == 1
