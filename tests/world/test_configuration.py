"""The configuration of running controllers: followed without a restart, never lost by a mistake, and whose it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from actors.language.tags import use_expressions
from actors.names import labels
from runtime.objects import CONFIGMAPS, EVENTS, Object, Reference
from runtime.system import Settings, System
from tests.virtual_time import VirtualClock
from tests.world.flows import arguments_of, flow, named, run, table
from tests.world.world import Outcome, World, world
from tiphys.configuration.following import NAME, Follower, at_start
from tiphys.configuration.installation import Installation
from tiphys.configuration.problems import BadConfiguration
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

CONFIG = Reference(CONFIGMAPS, "default", NAME)
SLOW = flow("  - {name: main, steps: [[{name: a, template: leaf}]]}")


def config_map(**data: str) -> Object:
    meta = {"name": NAME, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


@asynccontextmanager
async def configured(**data: str) -> AsyncIterator[tuple[World, Follower]]:
    """A world whose controllers follow their ConfigMap."""
    async with world(table(a=Outcome(delay_s=20))) as here:
        clock = VirtualClock()
        if data:
            await here.api.create(CONFIGMAPS, config_map(**data))
        installation = Installation(ControllerSettings(), {}, await at_start(here.api, CONFIG))
        series = installation.settings.series
        system = System(here.api, installation.rooms, settings=Settings(series=series), clock=clock, dice=Random(1))
        installation.system = system
        follower = Follower(here.api, CONFIG, installation.use, clock, Random(2))
        async with here.instead(system) as tasks:
            tasks.start_soon(follower.run)
            await here.after(1)
            yield here, follower


async def running(here: World, refs: list[Reference]) -> list[str]:
    found = [(await here.api.get(ref)) for ref in refs]
    return [thing["metadata"]["name"] for thing in found if (thing.get("status") or {}).get("phase") == "Running"]


@pytest.mark.spec("PAR-1")
async def test_a_limit_that_is_raised_lets_in_who_waits_without_a_restart() -> None:
    async with configured(parallelism="1") as (here, _):
        refs = [await here.submit(SLOW, f"w{number}") for number in range(4)]
        await here.after(3)
        assert await running(here, refs) == ["w0"]
        await here.api.patch(CONFIG, {"data": {"parallelism": "3"}})
        await here.after(3)
        assert await running(here, refs) == ["w0", "w1", "w2"]
        await here.api.delete(CONFIG)
        await here.after(3)
        assert await running(here, refs) == ["w0", "w1", "w2", "w3"]


async def test_a_mistake_leaves_the_last_good_one_in_force_and_says_so_at_the_config_map() -> None:
    async with configured(parallelism="1") as (here, follower):
        await here.api.patch(CONFIG, {"data": {"parallelism": "lots", "colour": "red"}})
        await here.after(2)
        refs = [await here.submit(SLOW, f"w{number}") for number in range(2)]
        await here.after(3)
        assert await running(here, refs) == ["w0"]
        assert len(follower.problems) == 2
        events = [event for event in (await here.api.list(EVENTS)).items if event["reason"] == "ConfigurationRefused"]
        assert [event["involvedObject"]["name"] for event in events] == [NAME]
        assert "colour: there is no such key" in events[0]["message"]
        await here.api.patch(CONFIG, {"data": {"parallelism": "2", "colour": None}})
        await here.after(3)
        assert await running(here, refs) == ["w0", "w1"]
        assert follower.problems == []


@pytest.mark.spec("WDEF-1", "TTL-3")
async def test_defaults_and_retention_reach_what_comes_after_the_change() -> None:
    async with configured() as (here, _):
        first = await here.submit(SLOW, "first")
        await here.after(2)
        changed = {
            "workflowDefaults": "spec: {activeDeadlineSeconds: 5}",
            "retentionPolicy": "{completed: 1, failed: 1}",
        }
        await here.api.create(CONFIGMAPS, config_map(**changed))
        await here.after(2)
        second = await here.submit(SLOW, "second")
        assert (await here.end_of(second))["status"]["phase"] == "Failed"
        assert (await here.end_of(first))["status"]["phase"] == "Succeeded"
        await here.api.patch(CONFIG, {"data": {"retentionPolicy": "{completed: 0, failed: 1}"}})
        await here.after(10)
        assert [thing["metadata"]["name"] for thing in (await here.api.list(here.workflows)).items] == ["second"]


async def test_at_the_start_a_mistake_is_an_error() -> None:
    async with world(table()) as here:
        assert (await at_start(here.api, CONFIG)).parallelism == 0
        await here.api.create(CONFIGMAPS, config_map(parallelism="x"))
        with pytest.raises(BadConfiguration):
            await at_start(here.api, CONFIG)


@pytest.mark.spec("OPS-1")
@pytest.mark.parametrize(
    ("mine", "label", "runs"), [("", "", True), ("", "x", False), ("x", "x", True), ("x", "", False)]
)
async def test_a_controller_looks_after_the_objects_of_its_instance_alone(mine: str, label: str, runs: bool) -> None:
    text = SLOW if not label else f"metadata: {{labels: {{{labels.CONTROLLER_INSTANCE_ID}: {label}}}}}\n{SLOW}"
    async with world(table(), settings=ControllerSettings(instance_id=mine)) as here:
        ref = await here.submit(text)
        await here.after(30)
        thing = await here.api.get(ref)

    assert bool(thing.get("status")) == runs


@pytest.mark.spec("EXPR-11")
async def test_expressions_may_be_switched_off() -> None:
    text = """
  - name: main
    inputs: {parameters: [{name: x, value: "1"}]}
    container: {image: busybox, command: [echo], args: ["{{=1 + 1}}", "{{inputs.parameters.x}}"]}
"""
    seen: dict[str, list[str]] = {}
    try:
        thing = await run(flow(text), arguments_of(seen), settings=ControllerSettings(expressions=False))
    finally:
        use_expressions(True)

    assert thing["status"]["phase"] == "Succeeded"
    assert seen["w"] == ["{{=1 + 1}}", "1"]
    assert named(await run(flow(text), arguments_of(seen)))
    assert seen["w"] == ["2", "1"]
