"""Finished workflows reach the archive, whatever the database or the controllers do, and nothing waits for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from actors.archive.mind import PAUSES_S, REFUSED_S
from actors.database_messages import ARCHIVE
from actors.names import labels
from actors.operations.retry import retry
from actors.workflow.state import WORKFLOWS
from runtime.api import Gone
from runtime.objects import Object, Reference
from tests.world.databases import MemoryDatabase
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings
from tiphys.persistence.settings import Database, PersistenceSettings

pytestmark = pytest.mark.virtual_time

ARCHIVING = PersistenceSettings(Database("sqlite", "unused"), archive=True)
SETTINGS = ControllerSettings(persistence=ARCHIVING)
QUICK = "{name: main, container: {image: busybox, command: [echo]}}"


def single(**spec: Any) -> str:
    more = "".join(f"\n  {key}: {value}" for key, value in spec.items())
    return f"spec:\n  entrypoint: main{more}\n  templates:\n  - {QUICK}\n"


def script(name: str, pod: Object) -> Outcome:
    return Outcome()


def archiving_of(thing: Object) -> str | None:
    return (thing["metadata"].get("labels") or {}).get(labels.ARCHIVING_STATUS)


async def settled(here: World, ref: Reference) -> Object:
    await anyio.sleep(5)
    return await here.api.get(ref)


@pytest.mark.spec("ARCHV-1")
async def test_a_finished_workflow_is_archived_and_says_so() -> None:
    database = MemoryDatabase()
    async with world(script, settings=SETTINGS, database=database) as here:
        ref = await here.submit(single())
        done = await here.end_of(ref)
        assert archiving_of(done) == "Pending"

        done = await settled(here, ref)

        assert archiving_of(done) == "Archived"
        kept = database.archived[ref.uid]
        assert archiving_of(kept) == "Persisted"
        assert kept["status"] == done["status"]
        assert kept["spec"] == done["spec"]
        assert database.asked.count("Archive") == 1


@pytest.mark.spec("ARCHV-1")
async def test_workflows_that_failed_or_never_could_begin_are_archived_too() -> None:
    database = MemoryDatabase()
    async with world(lambda name, pod: Outcome(code=1), settings=SETTINGS, database=database) as here:
        failed = await here.submit(single(), "failed")
        unfit = await here.submit("spec: {entrypoint: nowhere, templates: []}", "unfit")
        await here.end_of(failed)
        await settled(here, unfit)

        assert {thing["metadata"]["name"] for thing in database.archived.values()} == {"failed", "unfit"}


@pytest.mark.spec("ARCHV-1")
async def test_only_what_the_selector_picks_is_archived() -> None:
    selector = {
        "matchLabels": {"keep": "yes"},
        "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}],
    }
    settings = replace(SETTINGS, persistence=replace(ARCHIVING, selector=selector))
    database = MemoryDatabase()
    async with world(script, settings=settings, database=database) as here:
        chosen = await here.submit("metadata: {name: one, labels: {keep: 'yes', team: a}}\n" + single(), "one")
        other = await here.submit("metadata: {name: two, labels: {keep: 'yes', team: b}}\n" + single(), "two")
        await here.end_of(chosen)
        await here.end_of(other)

        assert archiving_of(await settled(here, chosen)) == "Archived"
        assert archiving_of(await settled(here, other)) is None
        assert list(database.archived) == [chosen.uid]


async def test_without_an_archive_nothing_is_marked_or_asked() -> None:
    database = MemoryDatabase()
    async with world(script, database=database) as here:
        ref = await here.submit(single())
        await here.end_of(ref)

        assert archiving_of(await settled(here, ref)) is None
        assert database.asked == []


@pytest.mark.spec("ARCHV-1")
@pytest.mark.spec("TTL-2")
async def test_a_database_that_is_away_delays_the_deletion_and_nothing_else() -> None:
    """Its questions become rarer; when it is back, the workflow is archived and then goes."""
    database = MemoryDatabase(away=True)
    async with world(script, settings=SETTINGS, database=database) as here:
        ref = await here.submit(single(ttlStrategy="{secondsAfterCompletion: 10}"))
        await here.end_of(ref)
        await anyio.sleep(3600)

        assert archiving_of(await here.api.get(ref)) == "Pending"
        assert database.asked.count("Archive") < 3600 / PAUSES_S[-1] + 10
        assert here.system is not None
        assert here.system.explain(ARCHIVE) == "for the database to take 1 workflow: the database does not answer"
        other = await here.end_of(await here.submit(single(), "other"))
        assert other["status"]["phase"] == "Succeeded"

        database.away = False
        await anyio.sleep(PAUSES_S[-1] + 15)

        assert ref.uid in database.archived
        with pytest.raises(Gone):
            await here.api.get(ref)


@pytest.mark.spec("ARCHV-1")
async def test_a_workflow_that_somebody_deletes_while_the_database_is_away_is_archived_all_the_same() -> None:
    database = MemoryDatabase(away=True)
    async with world(script, settings=SETTINGS, database=database) as here:
        ref = await here.submit(single())
        await here.end_of(ref)
        await here.api.delete(ref)
        await anyio.sleep(300)
        with pytest.raises(Gone):
            await here.api.get(ref)

        database.away = False
        await anyio.sleep(PAUSES_S[-1] + 5)

        assert ref.uid in database.archived


async def test_one_workflow_that_is_refused_does_not_hold_up_the_others() -> None:
    database = MemoryDatabase(refuses={"bad"})
    async with world(script, settings=SETTINGS, database=database) as here:
        bad = await here.submit(single(), "bad")
        await here.end_of(bad)
        good = await here.submit(single(), "good")
        await here.end_of(good)

        assert archiving_of(await settled(here, good)) == "Archived"
        assert archiving_of(await settled(here, bad)) == "Pending"

        database.refuses.clear()
        await anyio.sleep(REFUSED_S + 5)
        assert archiving_of(await here.api.get(bad)) == "Archived"


async def test_what_was_deleted_or_begun_again_meanwhile_is_not_marked() -> None:
    """Who retries a workflow takes its labels away; its second end is archived in place of the first."""
    database = MemoryDatabase(away=True)
    codes = iter([1, 0])
    async with world(lambda name, pod: Outcome(code=next(codes)), settings=SETTINGS, database=database) as here:
        ref = await here.submit(single())
        await here.end_of(ref)
        thing, pods = retry(await here.api.get(ref), 2_000_000_000.0)
        for pod_ref, _ in await here.pod_refs():
            if pod_ref.name in pods:
                await here.api.patch(pod_ref, {"metadata": {"finalizers": None}})
                await here.api.delete(pod_ref, grace_s=0)
        await here.api.replace(WORKFLOWS, thing)
        database.away = False
        await anyio.sleep(120)

        done = await here.api.get(ref)
        assert done["status"]["phase"] == "Succeeded"
        assert archiving_of(done) == "Archived"
        assert database.archived[ref.uid]["status"]["phase"] == "Succeeded"


@pytest.mark.spec("ARCHV-1")
@pytest.mark.parametrize("seed", range(4))
async def test_whoever_dies_every_workflow_is_archived_with_its_end(seed: int) -> None:
    database = MemoryDatabase()
    async with world(script, settings=SETTINGS, database=database, seed=seed, deaths_every_s=1.5) as here:
        refs = [await here.submit(single(), f"w{number}") for number in range(5)]
        for ref in refs:
            await here.end_of(ref)
        await anyio.sleep(60)

        assert here.deaths > 0
        assert set(database.archived) == {ref.uid for ref in refs}
        for ref in refs:
            done = await here.api.get(ref)
            assert archiving_of(done) == "Archived"
            assert database.archived[ref.uid]["status"] == done["status"]


@pytest.mark.spec("ARCHV-1")
async def test_archived_workflows_go_from_the_database_when_their_time_has_come() -> None:
    settings = replace(SETTINGS, persistence=replace(ARCHIVING, keep_s=3600.0), archive_period_s=600.0)
    database = MemoryDatabase()
    async with world(script, settings=settings, database=database) as here:
        ref = await here.submit(single())
        await here.end_of(ref)
        await anyio.sleep(3000)
        assert ref.uid in database.archived

        await anyio.sleep(1300)

        assert database.archived == {}
        assert archiving_of(await here.api.get(ref)) == "Archived"
