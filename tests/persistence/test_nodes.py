"""Offloaded nodes come back as they were saved; what nobody refers to is swept away, what is young stays."""

from __future__ import annotations

import orjson
import pytest
import sqlalchemy as sa

from runtime.api import Gone
from tests.persistence.workflows import archived
from tiphys.persistence.engine import Store
from tiphys.persistence.nodes import OffloadedNodes, Version, version_of
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
async def test_old_versions_go_but_live_and_young_ones_stay(nodes: OffloadedNodes, store: Store) -> None:
    old = await nodes.save("u1", "default", b'{"a":{}}')
    live = await nodes.save("u1", "default", b'{"b":{}}')
    async with store.writing() as connection:
        await connection.execute(sa.text("update argo_workflows set updatedat = '2001-01-01 00:00:00'"))
    young = await nodes.save("u1", "default", b'{"c":{}}')

    assert await nodes.sweep([Version("u1", live)], 300) == 1

    assert await nodes.load("u1", live) == {"b": {}}
    assert await nodes.load("u1", young) == {"c": {}}
    with pytest.raises(Gone):
        await nodes.load("u1", old)


@pytest.mark.spec("OFF-2")
async def test_a_version_that_is_saved_again_is_young_again(nodes: OffloadedNodes, store: Store) -> None:
    version = await nodes.save("u1", "default", TEXT)
    async with store.writing() as connection:
        await connection.execute(sa.text("update argo_workflows set updatedat = '2001-01-01 00:00:00'"))

    await nodes.save("u1", "default", TEXT)

    assert await nodes.sweep([], 300) == 0
    assert await nodes.load("u1", version) == NODES
