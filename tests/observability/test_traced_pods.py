"""Pods and workflows carry the ids of their spans, where traces are asked for."""

from __future__ import annotations

from random import Random

import pytest

from actors.names import tracing as ids
from runtime.api import Selection
from runtime.objects import PODS
from runtime.system import Settings, System
from tests.virtual_time import VirtualClock
from tests.world.flows import flow, table
from tests.world.world import world
from tiphys.controllers import ControllerSettings, rooms
from tiphys.observability.tracing import ROOM

pytestmark = pytest.mark.virtual_time

SCRIPT = flow("  - {name: main, script: {image: busybox, command: [sh], source: 'echo 1'}}")


@pytest.mark.spec("OPS-11")
@pytest.mark.parametrize("traced", [True, False])
async def test_a_pod_continues_the_trace_of_its_workflow(traced: bool) -> None:
    async with world(table()) as here:
        chosen = [room for room in rooms(ControllerSettings(traced=traced)) if room.name != ROOM]  # it sends spans away
        system = System(here.api, chosen, settings=Settings(), clock=VirtualClock(), dice=Random(1))
        async with here.instead(system):
            done = await here.end_of(await here.submit(SCRIPT, "w"))
            (pod,) = (await here.api.list(PODS, Selection("default"))).items
    uid = done["metadata"]["uid"]
    node = pod["metadata"]["annotations"]["workflows.argoproj.io/node-id"]
    found = {key: pod["metadata"]["annotations"].get(key) for key in (ids.TRACE_ID, ids.SPAN_ID)}
    env = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0].get("env") or ()}

    assert (found == ids.span_annotations(uid, node)) is traced
    assert ("TRACEPARENT" in env) is traced
    assert (done["metadata"].get("annotations", {}).get(ids.TRACE_ID) == ids.trace_id(uid)) is traced
