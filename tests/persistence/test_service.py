"""The service opens a database when it is asked, says what is away, and begins anew with what has changed."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from actors.database_messages import Archive, Expire, ForgetNodes, LoadNodes, SaveNodes
from actors.packing import NodePack
from runtime.api import Gone, Refused, Unavailable
from runtime.objects import SECRETS
from tests.persistence import postgres
from tests.persistence.workflows import finished
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.persistence.archive import Archive as Rows
from tiphys.persistence.engine import Store
from tiphys.persistence.nodes import OffloadedNodes
from tiphys.persistence.service import Databases
from tiphys.persistence.settings import Database, PersistenceSettings, SecretEntry
from tiphys.persistence.tables import archive_tables


@pytest.mark.spec("ARCHV-1")
async def test_what_is_archived_through_the_service_is_on_record_with_its_nodes(tmp_path: Path) -> None:
    place = Database("sqlite", str(tmp_path / "a.db"))
    databases = Databases(PersistenceSettings(place, archive=True))
    async with databases:
        packed = finished("packed", uid="u1")
        pack = NodePack()
        pack.put("n", {"id": "n"})
        packed["status"] |= {"nodes": None, "compressedNodes": pack.text()}
        await databases.ask(Archive(packed))
        old = finished("old", uid="u2", started=10.0)
        await databases.ask(Archive(old))
        rows = next(iter(databases._open.values())).archive
        assert isinstance(rows, Rows)
        status = (await rows.get("u1"))["status"]
        assert status["nodes"] == {"n": {"id": "n"}}
        assert "compressedNodes" not in status

        assert await databases.ask(Expire(500.0)) == 1


async def test_nodes_that_upstreams_controller_has_offloaded_are_archived_too(tmp_path: Path) -> None:
    place = Database("sqlite", str(tmp_path / "a.db"))
    databases = Databases(PersistenceSettings(place, archive=True))
    async with databases:
        await databases.ask(Expire(0.0))
        found = next(iter(databases._open.values()))
        version = await OffloadedNodes(found.store, archive_tables()).save("u1", "default", b'{"n":{"id":"n"}}')
        away = finished("away", uid="u1")
        away["status"] |= {"nodes": None, "offloadNodeStatusVersion": version}
        await databases.ask(Archive(away))
        assert found.archive is not None
        assert (await found.archive.get("u1"))["status"]["nodes"] == {"n": {"id": "n"}}


@pytest.mark.spec("OFF-3")
async def test_nodes_are_kept_read_and_forgotten_through_the_service(tmp_path: Path) -> None:
    databases = Databases(PersistenceSettings(Database("sqlite", str(tmp_path / "a.db")), offload=True))
    async with databases:
        versions = [await databases.ask(SaveNodes(f"u{n}", "default", b'{"n":{"id":"n"}}')) for n in range(9)]
        assert len(set(versions)) == 1
        assert await databases.ask(LoadNodes("u3", versions[3])) == {"n": {"id": "n"}}
        assert await databases.ask(ForgetNodes({}, frozenset({"u3"}), older_s=-1)) == 1
        with pytest.raises(Gone, match="the database has no nodes fnv:"):
            await databases.ask(LoadNodes("u3", versions[3]))


async def test_without_a_database_or_a_place_for_it_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="`persistence` in the controller's ConfigMap names one"):
        await Databases().ask(Expire(0.0))
    nowhere = PersistenceSettings(Database("sqlite", str(tmp_path / "nowhere" / "a.db")))
    with pytest.raises(Refused, match="there is no folder"):
        await Databases(nowhere).ask(Expire(0.0))


async def test_a_server_that_is_not_there_is_away() -> None:
    closed = PersistenceSettings(Database("postgresql", "argo", "127.0.0.1", 1))
    with pytest.raises(Unavailable, match=r"PostgreSQL 127\.0\.0\.1:1/argo does not answer"):
        await Databases(closed).ask(Expire(0.0))


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_a_password_that_was_wrong_is_read_anew_and_never_shown(store: Store) -> None:
    database = replace(store.database, user=SecretEntry("db", "u"), password=SecretEntry("db", "p"))
    server = ApiServer(random=Random(1))
    server.start()
    api = InProcessApi(server)
    databases = Databases(PersistenceSettings(database, archive=True), api, "default")
    async with databases:
        with pytest.raises(Unavailable, match="secret default/db of the database cannot be read"):
            await databases.ask(Expire(0.0))
        await api.create(SECRETS, _secret("wrong-and-secret"))
        with pytest.raises(Unavailable) as raised:
            await databases.ask(Expire(0.0))
        assert "wrong-and-secret" not in str(raised.value)
        await api.replace(SECRETS, _secret(postgres.PASSWORD))
        assert await databases.ask(Expire(0.0)) == 0


def _secret(password: str) -> dict[str, object]:
    values = {"u": postgres.USER, "p": password}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "default"},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }  # fmt: skip
