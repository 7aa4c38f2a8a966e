"""Every promise is kept on SQLite and on PostgreSQL, where the machine has one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.persistence import postgres
from tiphys.persistence.engine import Credentials, Store
from tiphys.persistence.settings import Database


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int | None]:
    """The port of a server, or None."""
    with postgres.server() as port:
        yield port


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty database."""
    async with opened(request, tmp_path) as found:
        yield found


def opened(request: pytest.FixtureRequest, folder: Path) -> _Opened:
    """An empty database of the kind that the test is asked for; skips without a server."""
    if request.param == "sqlite":
        return _Opened(Database("sqlite", str(folder / "archive.db")), Credentials())
    port = request.getfixturevalue("postgres_port")
    if port is None:
        pytest.skip("no PostgreSQL on this machine (Debian: apt install postgresql), or not for a user without a name")
    return _Opened(
        Database("postgresql", f"t{secrets.token_hex(6)}", "127.0.0.1", port),
        Credentials(postgres.USER, postgres.PASSWORD),
    )


class _Opened:
    """Makes the database, and closes what was opened on it."""

    def __init__(self, database: Database, credentials: Credentials) -> None:
        self._database, self._credentials = database, credentials

    async def __aenter__(self) -> Store:
        if self._database.driver == "postgresql":
            where = {"host": "127.0.0.1", "port": self._database.port, "database": "postgres"}
            admin = await asyncpg.connect(user=self._credentials.user, password=self._credentials.password, **where)
            await admin.execute(f'create database "{self._database.name}"')
            await admin.close()
        self._store = Store(self._database, self._credentials)
        return self._store

    async def __aexit__(self, *raised: object) -> None:
        await self._store.close()
