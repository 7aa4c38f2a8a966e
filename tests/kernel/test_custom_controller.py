"""The example a stranger reads first works, mends what others break, and writes no more than it must."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
import yaml

from runtime.api import Throttled, Unavailable
from runtime.objects import CONFIGMAPS, CRDS, Reference, reference
from runtime.system import System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = pytest.mark.virtual_time

FOLDER = Path(__file__).parents[2] / "examples" / "custom-controller"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("custom_controller", FOLDER / "controller.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXAMPLE = load()
SAID = Reference(CONFIGMAPS, "default", "hello")


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Coat, System]]:
    server = ApiServer(now=VirtualClock().wall)
    server.start()
    api = Coat(InProcessApi(server))
    await api.api.create(CRDS, yaml.safe_load((FOLDER / "crd.yaml").read_text()))
    system = System(api, [EXAMPLE.ROOM], clock=VirtualClock(), dice=Random(1))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        yield api, system
        tasks.cancel_scope.cancel()
    assert system.stopped_cleanly


async def shout(api: Coat) -> Any:
    return await api.api.create(EXAMPLE.SHOUTS, yaml.safe_load((FOLDER / "shout.yaml").read_text()))


async def test_a_shout_is_said_and_its_status_tells_so_in_two_writes():
    async with running() as (api, system):
        made = await shout(api)
        await anyio.sleep(60)
        assert (await api.get(SAID))["data"] == {"text": "HELLO OUT THERE"}
        assert (await api.get(reference(EXAMPLE.SHOUTS, made)))["status"] == {"said": "HELLO OUT THERE"}
        assert [verb for verb, _ in api.calls if verb in ("create", "patch")] == ["create", "patch"]
        (address,) = system.addresses("shout")
        assert system.explain(address) == "for its text to change"


async def test_what_others_change_or_delete_is_mended_and_a_new_text_is_said():
    async with running() as (api, _):
        made = await shout(api)
        await anyio.sleep(1)
        await api.api.patch(SAID, {"data": {"text": "quiet"}})
        await anyio.sleep(1)
        assert (await api.get(SAID))["data"] == {"text": "HELLO OUT THERE"}
        await api.api.delete(SAID)
        await anyio.sleep(1)
        assert (await api.get(SAID))["data"] == {"text": "HELLO OUT THERE"}
        await api.api.patch(reference(EXAMPLE.SHOUTS, made), {"spec": {"text": "bye"}})
        await anyio.sleep(1)
        assert (await api.get(SAID))["data"] == {"text": "BYE"}
        assert (await api.get(reference(EXAMPLE.SHOUTS, made)))["status"] == {"said": "BYE"}


async def test_a_deleted_shout_needs_no_actor():
    async with running() as (api, system):
        made = await shout(api)
        await anyio.sleep(1)
        await api.api.delete(reference(EXAMPLE.SHOUTS, made))
        await anyio.sleep(1)
        assert system.addresses("shout") == []


@pytest.mark.parametrize("seed", range(5))
async def test_bad_weather_delays_it_and_changes_nothing(seed: int):
    dice = Random(seed)
    async with running() as (api, system):
        errors = [Unavailable("503"), Throttled("slow", after_s=2.0)]
        api.fault = lambda verb, subject: dice.choice(errors) if dice.random() < 0.5 else None
        made = await shout(api)
        await anyio.sleep(600)
        api.fault = lambda verb, subject: None
        await anyio.sleep(60)
        assert (await api.get(reference(EXAMPLE.SHOUTS, made)))["status"] == {"said": "HELLO OUT THERE"}
        assert system.statistics().lives.crashes == 0
