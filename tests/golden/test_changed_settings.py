"""A recording knows when the settings changed: a replay decides by those that were in force."""

from __future__ import annotations

import json
from random import Random

import pytest

from runtime.objects import CONFIGMAPS, Reference
from runtime.recorder import Recorder
from runtime.replay import Replayed, header, replay
from runtime.system import Settings, System
from tests.virtual_time import VirtualClock
from tests.world.flows import flow, table
from tests.world.world import Outcome, world
from tiphys.configuration.following import NAME, Follower, at_start
from tiphys.configuration.installation import Installation
from tiphys.controller.recordings import about, changing, rooms_of
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

CONFIG = Reference(CONFIGMAPS, "default", NAME)
SLOW = flow("  - {name: main, steps: [[{name: a, template: leaf}]]}")


async def recording(entries_max: int) -> list[str]:
    """One workflow at a time, then two, while three want to run."""
    async with world(table(a=Outcome(delay_s=20))) as here:
        meta = {"name": NAME, "namespace": "default"}
        thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"parallelism": "1"}}
        await here.api.create(CONFIGMAPS, thing)
        installation = Installation(ControllerSettings(), {}, await at_start(here.api, CONFIG))
        decided, clock = installation.settings, VirtualClock()
        recorder = Recorder(about(decided), entries_max=entries_max)
        chosen = Settings(series=decided.series, recorder=recorder)
        system = System(here.api, installation.rooms, settings=chosen, clock=clock, dice=Random(1))
        installation.system = system
        follower = Follower(here.api, CONFIG, installation.use, clock, Random(2))
        async with here.instead(system) as tasks:
            tasks.start_soon(follower.run)
            refs = [await here.submit(SLOW, f"w{number}") for number in range(3)]
            await here.after(5)
            await here.api.patch(CONFIG, {"data": {"parallelism": "2"}})
            for ref in refs:
                await here.end_of(ref)
        return list(recorder.lines())


def replayed(lines: list[str], *, with_changes: bool) -> Replayed:
    rooms = rooms_of(header(lines[0])["about"])
    kept = [line for line in lines[1:] if with_changes or "to" in json.loads(line)]
    return replay(kept, rooms, changing(rooms))


async def test_a_replay_decides_by_the_settings_that_were_in_force() -> None:
    lines = await recording(20_000)
    found = replayed(lines, with_changes=True)
    assert (found.difference, found.left_out) == (None, 0)
    assert found.compared == sum('"to"' in line for line in lines)
    without = replayed(lines, with_changes=False)
    assert without.difference is not None or without.left_out > 0, "the change is what makes the difference"


async def test_when_the_change_itself_is_no_longer_kept_the_first_line_tells_of_it() -> None:
    whole = await recording(20_000)
    at = max(number for number, line in enumerate(whole[1:]) if "to" not in json.loads(line))
    lines = await recording(len(whole) - 2 - at)
    assert json.loads(whole[0])["about"]["queue"]["parallelism"] == 1
    assert json.loads(lines[0])["about"]["queue"]["parallelism"] == 2
    assert all("to" in json.loads(line) for line in lines[1:])
    assert replayed(lines, with_changes=True).difference is None
