"""Offloaded nodes come back as they were saved; what nobody refers to is swept away, what is young stays."""

from __future__ import annotations

import orjson
import pytest
import sqlalchemy as sa

from actors.database_messages import ForgetNodes
from runtime.api import Gone
from tests.persistence.workflows import archived
from tiphys.persistence.engine import Store
from tiphys.persistence.nodes import OffloadedNodes, version_of
from tiphys.persistence.tables import archive_tables

NODES = {"n1": {"id": "n1", "phase": "Succeeded", "message": "a\0b"}, "n2": {"id": "n2"}}
TEXT = orjson.dumps(NODES)


@pytest.fixture
async def nodes(store: Store) -> OffloadedNodes:
    await archived(store)
    return OffloadedNodes(store, archive_tables())


@pytest.mark.spec("OFF-1")
async def test_nodes_come_back_under_the_name_of_their_content(nodes: OffloadedNodes) -> None:
    version = await nodes.save("u1", "default", TEXT)

    assert version == version_of(TEXT) == await nodes.save("u1", "default", TEXT)
    assert version.startswith("fnv:")
    assert 0 <= int(version.removeprefix("fnv:")) < 2**32
    assert await nodes.load("u1", version) == NODES
    with pytest.raises(Gone, match="no nodes fnv:1 of the workflow u1"):
        await nodes.load("u1", "fnv:1")
    with pytest.raises(Gone):
        await nodes.load("u2", version)


@pytest.mark.spec("OFF-2")
async def test_of_a_known_workflow_only_versions_older_than_the_named_one_go(
    nodes: OffloadedNodes, store: Store
) -> None:
    """A younger one may be about to be named, by a write that is under way for however long."""
    older, live, younger = [await nodes.save("u1", "default", text) for text in (b'{"a":{}}', b'{"b":{}}', b'{"c":{}}')]
    for version, year in ((older, 2001), (live, 2002), (younger, 2003)):
        await aged(store, year, version)
    young = await nodes.save("u1", "default", b'{"d":{}}')

    assert await nodes.forget(ForgetNodes({"u1": live}, frozenset(), 300, strangers=True)) == 1

    with pytest.raises(Gone):
        await nodes.load("u1", older)
    for version in (live, younger, young):
        assert await nodes.load("u1", version)


@pytest.mark.spec("OFF-2")
async def test_what_goes_of_other_workflows_is_what_the_question_says(nodes: OffloadedNodes, store: Store) -> None:
    for uid, namespace in (("running", "default"), ("gone", "default"), ("strange", "default"), ("far", "other")):
        await nodes.save(uid, namespace, TEXT)
    await aged(store, 2001)
    young = await nodes.save("new", "default", TEXT)

    known = {"running": ""}
    assert await nodes.forget(ForgetNodes(known, frozenset({"gone"}), 300)) == 1
    assert await left(store) == {"running", "strange", "far", "new"}
    assert await nodes.forget(ForgetNodes(known, frozenset(), 300, strangers=True, namespace="default")) == 1
    assert await left(store) == {"running", "far", "new"}
    assert await nodes.load("new", young) == NODES


@pytest.mark.spec("OFF-2")
async def test_a_version_that_is_saved_again_is_young_again(nodes: OffloadedNodes, store: Store) -> None:
    version = await nodes.save("u1", "default", TEXT)
    await aged(store, 2001)

    await nodes.save("u1", "default", TEXT)

    assert await nodes.forget(ForgetNodes({}, frozenset(), 300, strangers=True)) == 0
    assert await nodes.load("u1", version) == NODES


async def aged(store: Store, year: int, version: str = "%") -> None:
    """As if it had been saved in that year."""
    set_ = sa.text(f"update argo_workflows set updatedat = '{year}-01-01 00:00:00' where version like :version")
    async with store.writing() as connection:
        await connection.execute(set_, {"version": version})


async def left(store: Store) -> set[str]:
    async with store.reading() as connection:
        return set((await connection.execute(sa.text("select uid from argo_workflows"))).scalars())
