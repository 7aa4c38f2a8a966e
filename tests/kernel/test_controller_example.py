"""The example a stranger reads first works, and does no more than it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.objects import CONFIGMAPS, reference
from runtime.system import System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = pytest.mark.virtual_time

EXAMPLE = Path(__file__).parents[2] / "examples" / "controller.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("controller_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_who_is_labelled_is_greeted_once_and_again_when_the_greeting_is_changed():
    server = ApiServer(now=VirtualClock().wall)
    server.start()
    api = Coat(InProcessApi(server))
    system = System(api, [load().ROOM], clock=VirtualClock())
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        meta = {"namespace": "default", "name": "ann", "labels": {"greet": "yes"}}
        ann = await api.api.create(CONFIGMAPS, {"metadata": meta})
        await api.api.create(CONFIGMAPS, {"metadata": {"namespace": "default", "name": "bob"}})
        await anyio.sleep(60)
        ann = await api.get(reference(CONFIGMAPS, ann))
        assert ann["data"] == {"greeting": "hello ann"}
        assert "data" not in await api.get(reference(CONFIGMAPS, ann)._replace(name="bob", uid=""))
        assert [verb for verb, _ in api.calls].count("patch") == 1

        await api.api.patch(reference(CONFIGMAPS, ann), {"data": {"greeting": "go away"}})
        await anyio.sleep(60)
        assert (await api.get(reference(CONFIGMAPS, ann)))["data"] == {"greeting": "hello ann"}

        await api.api.delete(reference(CONFIGMAPS, ann))
        await anyio.sleep(1)
        assert system.addresses("greeter") == []
        tasks.cancel_scope.cancel()
    assert system.stopped_cleanly
