"""Nodes that a database keeps: what others write is taken in, and what nobody needs any more goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import orjson
import pytest

from actors.database_messages import LoadNodes, SaveNodes
from actors.operations.retry import retry
from actors.workflow.state import WORKFLOWS
from runtime.objects import Object
from tests.world import test_artifact_gc as artifact_gc
from tests.world.databases import MemoryDatabase
from tests.world.test_offload import ALL, DIAMOND, ENDED, GATE, KEPT, VERSION, end_of, kept, phases, script, version_of
from tests.world.world import Outcome

pytestmark = pytest.mark.virtual_time


# ------------------------------------------------------------------------------------------------ edits by others


def resumed(nodes: dict[str, Any]) -> dict[str, Any]:
    key, gate = next((key, node) for key, node in nodes.items() if node["displayName"] == "gate")
    return {key: {**gate, "phase": "Succeeded", "finishedAt": gate["startedAt"]}}


def inline(database: MemoryDatabase, thing: Object) -> Object:
    nodes = resumed(database.whole(thing)["status"]["nodes"])
    return {**thing, "status": {**thing["status"], "nodes": nodes}}


def version(database: MemoryDatabase, thing: Object) -> Object:
    nodes = database.whole(thing)["status"]["nodes"]
    saved = database._answer(SaveNodes(thing["metadata"]["uid"], "default", orjson.dumps({**nodes, **resumed(nodes)})))
    return {**thing, "status": {**thing["status"], VERSION: saved}}


def taken_back(database: MemoryDatabase, thing: Object) -> Object:
    whole = database.whole(thing)
    nodes = whole["status"]["nodes"]
    status = {key: value for key, value in whole["status"].items() if key != VERSION}
    return {**whole, "status": {**status, "nodes": {**nodes, **resumed(nodes)}}}


@pytest.mark.spec("OFF-3")
@pytest.mark.parametrize("edit", [inline, version, taken_back])
@pytest.mark.parametrize("dies", [False, True])
async def test_what_somebody_else_writes_is_taken_in(
    edit: Callable[[MemoryDatabase, Object], Object], dies: bool
) -> None:
    """Entries beside the version, another version, or all nodes in the object again: each resumes the gate."""
    async with kept() as here:
        assert here.database is not None
        ref = await here.submit(GATE)
        await anyio.sleep(20)
        thing = await here.api.get(ref)
        assert phases(here.database.whole(thing))["gate"] == "Running"
        if dies:
            here.die()
        await here.api.replace(WORKFLOWS, edit(here.database, thing))
        await anyio.sleep(5)
        done = await end_of(here, ref)

        assert phases(done)["after"] == "Succeeded"
        assert len(set(here.created)) == len(here.created) == 2


@pytest.mark.spec("OFF-3")
async def test_a_failed_workflow_is_retried_from_the_nodes_in_the_database() -> None:
    codes = iter([0, 1, 0, 0, 0])
    async with kept(script=lambda name, pod: Outcome(code=next(codes))) as here:
        assert here.database is not None
        ref = await here.submit(DIAMOND)
        done = await end_of(here, ref)
        assert done["status"]["phase"] == "Failed"
        thing, pods = retry(here.database.whole(await here.api.get(ref)), 2_000_000_000.0)
        for pod_ref, _ in await here.pod_refs():
            if pod_ref.name in pods:
                await here.api.patch(pod_ref, {"metadata": {"finalizers": None}})
                await here.api.delete(pod_ref, grace_s=0)
        thing["status"].pop(VERSION)
        await here.api.replace(WORKFLOWS, thing)
        await anyio.sleep(60)

        done = here.database.whole(await here.api.get(ref))
        assert done["status"]["phase"] == "Succeeded"
        assert phases(done) == ENDED
        assert version_of(done)


# ------------------------------------------------------------------------------------------------ what is not needed


@pytest.mark.spec("OFF-2")
async def test_versions_that_nobody_refers_to_go_after_their_time_and_with_their_workflow() -> None:
    async with kept(script=script(60)) as here:
        assert here.database is not None
        ref = await here.submit(DIAMOND)
        await end_of(here, ref)
        other = await here.submit(GATE, "other")
        await anyio.sleep(3)
        assert len([uid for uid, _ in here.database.nodes if uid == ref.uid]) > 1

        await anyio.sleep(1000)
        assert {one for one in here.database.nodes if one[0] == ref.uid} == {
            (ref.uid, version_of(await here.api.get(ref)))
        }

        await here.api.delete(ref)
        await anyio.sleep(1000)
        assert {uid for uid, _ in here.database.nodes} == {other.uid}
        assert (other.uid, version_of(await here.api.get(other))) in here.database.nodes


@pytest.mark.spec("OFF-2")
async def test_a_version_whose_write_is_hours_late_is_there_when_it_arrives() -> None:
    """The object may name it only then: it is not swept while its workflow runs."""
    async with kept(script=script(2)) as here:
        assert here.database is not None
        ref = await here.submit(GATE)
        await anyio.sleep(60)
        saved = here.database._answer(SaveNodes(ref.uid, "default", b'{"later":{}}'))
        first = version_of(await here.api.get(ref))
        await anyio.sleep(7200)

        assert {version for uid, version in here.database.nodes if uid == ref.uid} == {first, saved}


@pytest.mark.spec("OFF-2")
@pytest.mark.spec("ARCHV-1")
async def test_a_deleted_workflow_is_archived_with_its_nodes_before_they_go() -> None:
    settings = replace(ALL, persistence=replace(KEPT, archive=True))
    async with kept(settings) as here:
        database = here.database
        assert database is not None
        ref = await here.submit(DIAMOND)
        database.struck = lambda moment, query: not isinstance(query, SaveNodes | LoadNodes)
        await end_of(here, ref)
        await here.api.delete(ref)
        await anyio.sleep(3600)
        assert database.nodes

        database.struck = lambda moment, query: False
        await anyio.sleep(1500)
        assert {node["displayName"] for node in database.archived[ref.uid]["status"]["nodes"].values()} == set(ENDED)
        assert database.nodes == {}


@pytest.mark.spec("OFF-3")
@pytest.mark.spec("AGC-5")
@pytest.mark.parametrize("away", [False, True])
async def test_artifacts_of_nodes_in_the_database_are_deleted_and_marked_there(away: bool) -> None:
    """With the database away for ever, a deleted workflow goes all the same once the deadline has passed."""
    seen: list[Object] = []
    settings = replace(ALL, repository=artifact_gc.REPOSITORY)
    async with kept(settings, artifact_gc.script(seen)) as here:
        database = here.database
        assert database is not None
        ref = await here.submit(artifact_gc.BOTH)
        await end_of(here, ref)
        await anyio.sleep(30)
        root = next(iter(database.whole(await here.api.get(ref))["status"]["nodes"].values()))
        marked = {entry["name"]: bool(entry.get("deleted")) for entry in root["outputs"]["artifacts"]}
        assert marked == {"early": True, "late": False, "kept": False}

        database.away = away
        await here.api.delete(ref, propagation="Background")
        await anyio.sleep(7200 if away else 60)

        assert await artifact_gc.gone(here, ref)
        deleted = [artifact_gc.discards(pod) for pod in seen]
        assert deleted == ([["early"]] if away else [["early"], ["late"]])
