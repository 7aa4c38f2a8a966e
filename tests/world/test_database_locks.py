"""Locks that a database keeps, in whole runs: controllers share them, and whatever dies, none has too many holders."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from actors.lock_messages import LOCKS, holdings
from actors.workflow.state import WORKFLOWS
from runtime.objects import Object
from tests.world.lock_rows import SETTINGS, LockingDatabase, LockRows
from tests.world.locks import FAN, leaf, quick, single, workflow
from tests.world.test_runs import nodes
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time

MUTEX = "synchronization: {mutexes: [{name: m, namespace: all, database: true}]}"
SEMAPHORE = "synchronization: {semaphores: [{database: {key: k}}]}"
MTX, SEM = "mtx/all/m", "sem/default/k"


def never_more(limits: dict[str, int]) -> Callable[[LockRows], None]:
    """Rows of these locks never say that more hold them."""

    def watch(rows: LockRows) -> None:
        for name, limit in limits.items():
            assert len(rows.holders(name)) <= limit, rows.holders(name)

    return watch


@pytest.mark.spec("SYNC-4")
async def test_a_semaphore_lets_as_many_work_as_its_row_says() -> None:
    rows = LockRows(limits={SEM: 2}, watch=never_more({SEM: 2}))
    async with world(quick, settings=SETTINGS, database=LockingDatabase(locks=rows)) as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(SEMAPHORE))))

        assert done["status"]["phase"] == "Succeeded"
        assert len(here.created) == 5
        assert here.most_running == 2
        assert "synchronization" not in done["status"]
        await here.after(61)
        assert not rows.rows


@pytest.mark.spec("SYNC-4")
async def test_who_waits_says_for_which_lock_of_which_database_name() -> None:
    rows = LockRows()
    async with world(quick, settings=SETTINGS, database=LockingDatabase(locks=rows)) as here:
        ref = await here.submit(workflow(FAN, leaf(MUTEX)))
        await here.after(3)
        status = (await here.api.get(ref))["status"]

        waiting = [node for node in status["nodes"].values() if node.get("synchronizationStatus")]
        assert len(waiting) == 4
        assert {node["synchronizationStatus"]["waiting"] for node in waiting} == {"all/Database/m"}
        assert {node["phase"] for node in waiting} == {"Pending"}
        assert {node["message"] for node in waiting} == {
            "Waiting for all/Database/m lock (mtx/all/m). Lock status: 1/1"
        }
        [held] = status["synchronization"]["mutex"]["holding"]
        assert held["mutex"] == "all/Database/m"
        assert status["synchronization"]["mutex"]["waiting"] == [{"mutex": "all/Database/m", "holder": held["holder"]}]
        assert rows.holders(MTX) == [held["holder"]]
        await here.end_of(ref)


@pytest.mark.spec("SYNC-4")
async def test_two_controllers_share_a_mutex_and_each_has_its_turn() -> None:
    rows = LockRows(watch=never_more({MTX: 1}))
    running: dict[str, int] = {}
    one, two = LockingDatabase(locks=rows, controller="a"), LockingDatabase(locks=rows, controller="b")
    async with (
        world(counted(running, "a"), settings=SETTINGS, database=one) as here,
        world(counted(running, "b"), settings=SETTINGS, database=two, seed=1) as there,
    ):
        refs = [(place, await place.submit(single(MUTEX), f"w{n}")) for n in range(3) for place in (here, there)]
        done = [await place.end_of(ref) for place, ref in refs]

        assert [thing["status"]["phase"] for thing in done] == ["Succeeded"] * 6
        spans = sorted((thing["status"]["startedAt"], thing["status"]["finishedAt"]) for thing in done)
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), spans


def counted(running: dict[str, int], name: str) -> Callable[[str, Object], Outcome]:
    def script(node: str, pod: Object) -> Outcome:
        running[name] = running.get(name, 0) + 1
        return Outcome(delay_s=5.0)

    return script


@pytest.mark.spec("SYNC-4")
async def test_a_limit_that_is_raised_lets_more_in_at_the_next_poll() -> None:
    rows = LockRows(limits={SEM: 1})
    async with world(lambda name, pod: Outcome(delay_s=60.0), settings=SETTINGS, database=locking(rows)) as here:
        ref = await here.submit(workflow(FAN, leaf(SEMAPHORE)))
        await here.after(10)
        assert len(here.running) == 1

        rows.limits[SEM] = 3
        await here.after(7)

        assert len(here.running) == 3
        await here.end_of(ref)


def locking(rows: LockRows) -> LockingDatabase:
    return LockingDatabase(locks=rows)


@pytest.mark.spec("SYNC-13")
async def test_a_database_that_is_away_is_waited_for_and_who_holds_goes_on() -> None:
    rows = LockRows()
    database = locking(rows)
    async with world(quick, settings=SETTINGS, database=database) as here:
        ref = await here.submit(workflow(FAN, leaf(MUTEX)))
        await here.after(2)
        database.away = True
        await here.after(60)

        status = (await here.api.get(ref))["status"]
        entries = [node for node in status["nodes"].values() if node["type"] == "Pod"]
        assert sorted(node["phase"] for node in entries) == ["Pending"] * 4 + ["Succeeded"]
        said = {node["message"] for node in entries if node["phase"] == "Pending"}
        assert said == {"Waiting to acquire the synchronization lock. the database does not answer"}
        assert here.system is not None
        assert "the database does not answer" in here.system.explain(LOCKS)

        database.away = False
        done = await here.end_of(ref)
        assert done["status"]["phase"] == "Succeeded"
        assert here.most_running == 1
        assert not any(node.get("message") for node in nodes(done).values())


@pytest.mark.spec("SYNC-3")
async def test_a_semaphore_without_a_row_makes_an_error_with_the_remedy() -> None:
    async with world(quick, settings=SETTINGS, database=LockingDatabase()) as here:
        done = await here.end_of(await here.submit(workflow(FAN, leaf(SEMAPHORE))))

        [message] = {node["message"] for node in nodes(done).values() if node["type"] == "Pod"}
        assert message.startswith("failed to initialize semaphore default/Database/k with limit: ")
        assert "tiphys sync create k --type database --limit N -n default" in message


@pytest.mark.spec("SYNC-4")
async def test_without_a_database_in_the_configuration_a_workflow_fails_at_once() -> None:
    async with world(quick) as here:
        done = await here.end_of(await here.submit(single(MUTEX)))

        assert done["status"]["phase"] == "Failed"
        assert "synchronization database session is not available" in done["status"]["message"]


@pytest.mark.spec("SYNC-4")
async def test_locks_of_a_database_and_others_are_taken_together() -> None:
    both = "synchronization: {mutexes: [{name: m, namespace: all, database: true}, {name: here}]}"
    own = "synchronization: {mutexes: [{name: here}]}"
    rows = LockRows(watch=never_more({MTX: 1}))
    async with world(quick, settings=SETTINGS, database=locking(rows)) as here:
        first = await here.submit(single(own), "own")
        await here.after(1)
        second = await here.submit(single(both), "both")
        await here.after(2)
        assert rows.holders(MTX) == [], "what cannot be had together is not had at all"
        status = (await here.api.get(second))["status"]
        assert status["message"] == "Waiting for default/Mutex/here lock. Lock status: 0/1"

        done = [await here.end_of(ref) for ref in (first, second)]
        assert [thing["status"]["phase"] for thing in done] == ["Succeeded"] * 2
        ends = done[0]["status"]["finishedAt"]
        assert ends <= done[1]["status"]["startedAt"]


@pytest.mark.spec("SYNC-4")
async def test_a_workflow_that_is_deleted_leaves_no_row_behind() -> None:
    rows = LockRows()
    async with world(lambda name, pod: Outcome(delay_s=600.0), settings=SETTINGS, database=locking(rows)) as here:
        held, waits = [await here.submit(single(MUTEX), name) for name in ("held", "waits")]
        await here.after(3)
        assert len(rows.rows) == 2
        for ref in (held, waits):
            await here.api.delete(ref)
        await here.after(10)
        assert not rows.rows


@pytest.mark.spec("SYNC-4")
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_dies_when_no_permit_is_lost_or_doubled(seed: int) -> None:
    """Two controllers die again and again, the database forgets to answer before and after it has written, and the
    records of both together never say that more hold a lock than may."""
    rows = LockRows(limits={SEM: 2}, watch=never_more({SEM: 2, MTX: 1}))
    dice = Random(seed)
    databases = [LockingDatabase(locks=rows, controller=name, struck=striking(dice)) for name in "ab"]
    async with (
        world(quick, settings=SETTINGS, database=databases[0], seed=seed, deaths_every_s=9.0) as here,
        world(quick, settings=SETTINGS, database=databases[1], seed=seed + 100, deaths_every_s=9.0) as there,
        anyio.create_task_group() as watching,
    ):
        places = (here, there)
        held: dict[tuple[int, str], list[str]] = {}
        for index, place in enumerate(places):
            watching.start_soon(recorded, index, place, held)
        refs = [
            (place, await place.submit(workflow(FAN, leaf(SEMAPHORE)), f"s{n}")) for n in (1, 2) for place in places
        ]
        refs += [(place, await place.submit(single(MUTEX), f"m{n}")) for n in (1, 2) for place in places]
        done = [await place.end_of(ref, 7200.0) for place, ref in refs]

        assert [thing["status"]["phase"] for thing in done] == ["Succeeded"] * len(done)
        await here.after(90)
        assert not [row for row in rows.rows.values() if row.held]
        watching.cancel_scope.cancel()
    assert here.deaths + there.deaths > 4


def striking(dice: Random) -> Callable[[str, Any], bool]:
    return lambda moment, query: dice.random() < 0.15


async def recorded(index: int, place: World, held: dict[tuple[int, str], list[str]]) -> None:
    """What the records of all controllers say is held, at any moment."""
    version = (await place.api.list(WORKFLOWS)).resource_version
    while True:
        async with place.api.watch(WORKFLOWS, resource_version=version) as events:
            async for event in events:
                version = event.object["metadata"]["resourceVersion"]
                if event.type == "BOOKMARK":
                    continue
                status = event.object.get("status") or {}
                keys = [key for kept in holdings(status).values() for key in kept]
                held[index, event.object["metadata"]["name"]] = keys
                of_all = [key for kept in held.values() for key in kept]
                assert of_all.count("default/Database/k") <= 2
                assert of_all.count("all/DatabaseMutex/m") <= 1


@pytest.mark.spec("SYNC-12")
async def test_who_waits_for_several_locks_of_a_database_names_them_all() -> None:
    both = "synchronization: {semaphores: [{database: {key: k}}], mutexes: [{name: m, namespace: all, database: true}]}"
    rows = LockRows(limits={SEM: 2})
    async with world(quick, settings=SETTINGS, database=locking(rows)) as here:
        await here.submit(single(MUTEX), "holder")
        await here.after(1)
        waiter = await here.submit(single(both), "waiter")
        await here.after(2)

        status = (await here.api.get(waiter))["status"]
        assert status["synchronization"] == {
            "semaphore": {"waiting": [{"semaphore": "default/Database/k"}]},
            "mutex": {"waiting": [{"mutex": "all/Database/m", "holder": "default/holder"}]},
        }
        await here.end_of(waiter)


CONFORMANCE = Path(os.environ.get("TIPHYS_CONFORMANCE", Path(__file__).parents[3] / "shared" / "conformance"))
EXAMPLES = CONFORMANCE / "workflows" / "examples"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"no conformance data at {CONFORMANCE}")
@pytest.mark.parametrize(
    ("file", "most"),
    [
        ("synchronization-db-mutex-tmpl-level.yaml", 2),
        ("synchronization-db-mutex-wf-level.yaml", 1),
        ("synchronization-db-tmpl-level.yaml", 2),
        ("synchronization-db-wf-level.yaml", 1),
    ],
)
async def test_upstreams_examples_run_as_their_locks_allow(file: str, most: int) -> None:
    rows = LockRows(limits={"sem/default/template": 2, "sem/default/workflow": 1})
    async with world(quick, settings=SETTINGS, database=locking(rows)) as here:
        refs = [await here.submit((EXAMPLES / file).read_text(), name) for name in ("one", "two")]
        done = [await here.end_of(ref) for ref in refs]

        assert [thing["status"]["phase"] for thing in done] == ["Succeeded"] * 2
        assert here.most_running <= most
