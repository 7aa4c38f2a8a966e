"""Nodes that are kept in a database: rows first, then the object; nothing is lost or done twice, whoever dies when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from actors.database_messages import LoadNodes, SaveNodes
from actors.workflow.state import WORKFLOWS
from runtime.api import Api
from runtime.objects import Object, Reference
from tests.world.databases import MemoryDatabase
from tests.world.flows import named, table
from tests.world.test_history import create_library
from tests.world.test_runs import workflow
from tests.world.world import Outcome, Script, World, assert_whole, finished, world
from tiphys.cli import explain
from tiphys.controllers import ControllerSettings
from tiphys.persistence.settings import Database, PersistenceSettings

pytestmark = pytest.mark.virtual_time

KEPT = PersistenceSettings(Database("sqlite", "unused"), offload=True)
ALL = ControllerSettings(persistence=KEPT, offload_always=True)
LARGE = ControllerSettings(persistence=KEPT, workflow_bytes=3_000)
VERSION = "offloadNodeStatusVersion"

DIAMOND = workflow(
    """
  - name: main
    dag:
      tasks:
      - {name: a, template: leaf}
      - {name: b, template: leaf, dependencies: [a]}
      - {name: c, template: leaf, dependencies: [a]}
      - {name: d, template: leaf, dependencies: [b, c]}
"""
)
WIDE = workflow(
    """
  - name: main
    dag:
      tasks:
      - {name: t, template: leaf, withSequence: {count: "60"}}
      - {name: last, template: leaf, dependencies: [t]}
"""
)
GATE = workflow(
    """
  - name: main
    steps:
    - - {name: before, template: leaf}
    - - {name: gate, template: gate}
    - - {name: after, template: leaf}
  - {name: gate, suspend: {}}
"""
)


def quick(name: str, pod: Object) -> Outcome:
    return Outcome()


def script(seconds: float) -> Script:
    return lambda name, pod: Outcome(delay_s=seconds)


def version_of(thing: Object) -> str:
    return str((thing.get("status") or {}).get(VERSION) or "")


async def end_of(here: World, ref: Reference) -> Object:
    """The workflow at its end, with its nodes; whatever was seen on the way had its nodes in the database."""
    database = here.database
    assert database is not None
    with anyio.fail_after(7200):
        while not finished(thing := await here.api.get(ref)):
            if version_of(thing):
                assert not (thing["status"].keys() & {"nodes", "compressedNodes"})
                assert (ref.uid, version_of(thing)) in database.nodes
            await anyio.sleep(0.25)
    done = database.whole(thing)
    assert_whole(done)
    return done


def phases(thing: Object) -> dict[str, str]:
    return {node["displayName"]: node["phase"] for node in thing["status"]["nodes"].values()}


ENDED = dict.fromkeys(["w", "a", "b", "c", "d"], "Succeeded")


@asynccontextmanager
async def kept(settings: ControllerSettings = ALL, script: Script = quick, **more: Any) -> AsyncIterator[World]:
    async with world(script, settings=settings, database=MemoryDatabase(), **more) as here:
        yield here


# ------------------------------------------------------------------------------------------------ which nodes


@pytest.mark.spec("OFF-1")
@pytest.mark.spec("OFF-2")
async def test_nodes_that_are_too_large_even_compressed_are_kept_in_the_database() -> None:
    async with kept(LARGE, script(3)) as here:
        ref = await here.submit(WIDE)
        done = await end_of(here, ref)

        assert done["status"]["phase"] == "Succeeded"
        assert len(done["status"]["nodes"]) == 63
        assert version_of(await here.api.get(ref)).startswith("fnv:")
        assert len(set(here.created)) == len(here.created) == 61


@pytest.mark.spec("OFF-2")
async def test_all_nodes_are_where_the_installation_wants_it_so() -> None:
    async with kept() as here:
        ref = await here.submit(DIAMOND)
        done = await end_of(here, ref)

        assert phases(done) == ENDED
        assert version_of(await here.api.get(ref))
        assert done["status"]["progress"] == "4/4"


@pytest.mark.spec("OFF-1")
async def test_nodes_that_the_object_can_have_are_no_business_of_the_database() -> None:
    async with kept(replace(ALL, offload_always=False)) as here:
        ref = await here.submit(DIAMOND)
        await here.end_of(ref)

        assert here.database is not None
        assert not {"SaveNodes", "LoadNodes"} & set(here.database.asked)


@pytest.mark.spec("OFF-3")
async def test_whoever_keeps_no_more_nodes_there_takes_back_what_is_there() -> None:
    async with kept(script=script(20)) as here:
        ref = await here.submit(DIAMOND)
        await anyio.sleep(25)
        assert version_of(await here.api.get(ref))

        here.settings = replace(ALL, persistence=replace(KEPT, offload=False))
        here.die()
        done = await here.end_of(ref)

        assert phases(done) == ENDED
        assert not version_of(done)
        assert len(set(here.created)) == len(here.created) == 4


# ------------------------------------------------------------------------------------------------ deaths and failures


@pytest.mark.spec("OFF-3")
@pytest.mark.parametrize("settings", [ALL, LARGE], ids=["all", "large"])
@pytest.mark.parametrize("seed", range(3))
async def test_controllers_that_die_at_any_moment_find_their_nodes_again(
    seed: int, settings: ControllerSettings
) -> None:
    text, pods = (DIAMOND, 4) if settings is ALL else (WIDE, 61)
    async with kept(settings, script(2), seed=seed, deaths_every_s=1.0) as here:
        done = await end_of(here, await here.submit(text))

        assert here.deaths > 0
        assert set(phases(done).values()) == {"Succeeded"}
        assert len(set(here.created)) == len(here.created) == pods


class Dying:
    """Kills the controllers at the n-th moment around a question to the database or a write of the workflow."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.here: World | None = None

    def step(self) -> bool:
        self.left -= 1
        if self.left != 0:
            return False
        assert self.here is not None
        self.here.die()
        return True

    def struck(self, moment: str, query: Any) -> bool:
        return isinstance(query, SaveNodes | LoadNodes) and self.step()

    def coat(self, api: Api) -> Api:
        dying = self

        class Coat:
            def __getattr__(self, name: str) -> Any:
                return getattr(api, name)

            async def patch(self, ref: Reference, body: Any, **more: Any) -> Object:
                mine = ref.resource == WORKFLOWS
                if mine and dying.step():
                    await anyio.lowlevel.checkpoint()
                done = await api.patch(ref, body, **more)
                if mine and dying.step():
                    await anyio.lowlevel.checkpoint()
                return done

        return Coat()


@pytest.mark.spec("OFF-3")
@pytest.mark.parametrize("at", range(1, 19))
async def test_a_death_between_any_two_steps_loses_nothing_and_does_nothing_twice(at: int) -> None:
    dying = Dying(at)
    async with kept(coat=dying.coat) as here:
        dying.here = here
        assert here.database is not None
        here.database.struck = dying.struck
        done = await end_of(here, await here.submit(DIAMOND))

        assert here.deaths == 1
        assert phases(done) == ENDED
        assert len(set(here.created)) == len(here.created) == 4


@pytest.mark.spec("OFF-3")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("every", [2, 3])
async def test_a_database_that_fails_now_and_then_delays_and_nothing_else(moment: str, every: int) -> None:
    asked = 0

    def struck(at: str, query: Any) -> bool:
        nonlocal asked
        asked += at == moment
        return at == moment and asked % every == 0

    async with kept(deaths_every_s=4, script=script(2)) as here:
        assert here.database is not None
        here.database.struck = struck
        done = await end_of(here, await here.submit(DIAMOND))

        assert phases(done) == ENDED
        assert len(set(here.created)) == len(here.created) == 4


@pytest.mark.spec("OFF-3")
async def test_a_database_that_is_away_holds_one_workflow_and_says_why() -> None:
    """Others, whose nodes it does not keep, go on; what runs is not ended, what has ended is not let go."""
    async with kept(LARGE, script(5)) as here:
        assert here.database is not None
        ref = await here.submit(WIDE)
        await anyio.sleep(2)
        here.database.away = True
        await anyio.sleep(600)

        held = await here.api.get(ref)
        assert not finished(held)
        assert len(here.database.asked) < 60
        assert any("the database does not answer" in line for line in await told(here))
        small = await here.end_of(await here.submit(workflow("  - {name: main, container: {image: x}}"), "small"))
        assert small["status"]["phase"] == "Succeeded"

        here.database.away = False
        done = await end_of(here, ref)
        assert done["status"]["phase"] == "Succeeded"
        assert len(set(here.created)) == len(here.created)
        assert not any("database" in line for line in await told(here))


async def told(here: World) -> list[str]:
    return await explain.sentences(here.api, "default", "w", anyio.current_time())


@pytest.mark.spec("OFF-3")
async def test_a_workflow_that_is_held_can_be_stopped_and_ends_when_the_database_is_back() -> None:
    async with kept(script=script(60)) as here:
        assert here.database is not None
        ref = await here.submit(DIAMOND)
        await anyio.sleep(5)
        here.database.away = True
        await here.api.patch(ref, {"spec": {"shutdown": "Terminate"}})
        await anyio.sleep(120)
        assert not here.running

        here.database.away = False
        done = await end_of(here, ref)
        assert done["status"]["phase"] == "Failed"
        assert phases(done)["a"] == "Failed"


@pytest.mark.spec("OFF-3")
async def test_controllers_that_start_while_the_database_is_away_wait_for_it() -> None:
    async with kept(script=script(30)) as here:
        assert here.database is not None
        ref = await here.submit(DIAMOND)
        await anyio.sleep(10)
        here.database.away = True
        here.die()
        await anyio.sleep(300)
        before = await here.api.get(ref)
        assert not finished(before)
        assert any("the database does not answer" in line for line in await told(here))

        here.database.away = False
        done = await end_of(here, ref)
        assert phases(done) == ENDED
        assert len(set(here.created)) == len(here.created) == 4


@pytest.mark.spec("OFF-3")
async def test_a_workflow_whose_nodes_are_lost_ends_with_that_sentence() -> None:
    async with kept(script=script(30)) as here:
        assert here.database is not None
        ref = await here.submit(DIAMOND)
        await anyio.sleep(10)
        here.die()
        here.database.nodes.clear()
        await anyio.sleep(60)
        done = await here.api.get(ref)

        assert done["status"]["phase"] == "Error"
        assert done["status"]["message"].startswith("its nodes are lost: the database has no nodes fnv:")


@pytest.mark.spec("EST-1", "OFF-3")
async def test_a_run_is_expected_to_take_as_long_as_the_last_one_whose_nodes_a_database_keeps() -> None:
    spec = "spec: {workflowTemplateRef: {name: lib}}"
    database = MemoryDatabase()
    async with world(table(a=Outcome(delay_s=20)), settings=ALL, database=database) as here:
        await create_library(here)
        _, *found = [await end_of(here, await here.submit(spec, f"w{number}")) for number in range(3)]
        loads = database.asked.count("LoadNodes")

    for number, one in enumerate(found, 1):
        assert one["status"]["estimatedDuration"] == pytest.approx(20, abs=2)
        assert named(one)[f"w{number}[0].a"]["estimatedDuration"] == pytest.approx(20, abs=2)
    assert loads == 2, "once for each run that others are like"


@pytest.mark.spec("EST-1", "OFF-3")
async def test_without_the_nodes_a_run_is_still_expected_to_take_as_long_as_the_last_one() -> None:
    spec = "spec: {workflowTemplateRef: {name: lib}}"
    database = MemoryDatabase()
    async with world(table(a=Outcome(delay_s=20)), settings=ALL, database=database) as here:
        await create_library(here)
        await end_of(here, await here.submit(spec, "w0"))
        database.nodes.clear()
        ended = await end_of(here, await here.submit(spec, "w1"))

    assert ended["status"]["estimatedDuration"] == pytest.approx(20, abs=2)
    assert "estimatedDuration" not in named(ended)["w1[0].a"]
