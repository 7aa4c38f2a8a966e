"""The same kernel on the loops that programs use: asyncio's own, and uvloop where it is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import anyio
import pytest

from runtime.actor import Room, Watch
from runtime.messages import Address, Done, Observed, Patch, WakeAt, Woke
from runtime.objects import CONFIGMAPS
from runtime.system import Settings, System
from tests.kernel.kernel import Scripted
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

OBJECTS = 300
WITH_UVLOOP = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")


@pytest.fixture(params=["asyncio", pytest.param("uvloop", marks=WITH_UVLOOP)])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return ("asyncio", {"use_uvloop": request.param == "uvloop"})


async def test_every_object_is_seen_written_and_woken_for():
    woken: set[str] = set()
    all_woken = anyio.Event()

    def receive(state, message, now):
        match message:
            case Observed(ref, thing) if "data" not in thing:
                return [Patch(ref, {"data": {"seen": "yes"}})]
            case Done():
                return [WakeAt(now + 0.01, message.result["metadata"]["name"])]
            case Woke(tag):
                woken.add(tag)
                if len(woken) == OBJECTS:
                    all_woken.set()
        return ()

    server = ApiServer()
    server.start()
    api = InProcessApi(server)
    for number in range(OBJECTS):
        await api.create(CONFIGMAPS, {"metadata": {"namespace": "default", "name": f"c{number}"}})
    own = Watch(CONFIGMAPS, lambda t: Address("a", "", t["metadata"]["name"], t["metadata"]["uid"]), wakes=True)
    system = System(api, [Room("a", Scripted(receive), (own,))], settings=Settings("default"))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            await tasks.start(system.run)
            await all_woken.wait()
            tasks.cancel_scope.cancel()
    assert system.stopped_cleanly
    assert system.statistics().performers.performed == OBJECTS
