"""A pool of connections to one database, and transactions that either read or write.

SQLite is written to by one transaction at a time, which says so when it begins, and read meanwhile; PostgreSQL needs
no such help. A database that does not answer within its time is away, however it stays silent.
"""

from __future__ import annotations

import getpass
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import orjson
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from runtime.api import Refused, Unavailable
from tiphys.persistence.faults import answers
from tiphys.persistence.nul import read_json
from tiphys.persistence.settings import Database

STATEMENT_S = 60.0
"""Longer than any statement that is asked here may take."""

WRITES = "writes"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who connects to a server."""

    user: str = ""
    password: str = ""


class Store:
    """One database. Close it when nobody asks any more."""

    def __init__(self, database: Database, credentials: Credentials = Credentials()) -> None:
        self.database = database
        self.place = database.place
        self._engine = _engine(database, credentials)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises Unavailable, Refused."""
        with answers(self.place):
            async with _limited(self.place), self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, *, serializable: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end of the block, or not at all; a `serializable` one only if all such
        could have come one after the other (SQLite's always do). Raises Unavailable, Refused."""
        alone = {"isolation_level": "SERIALIZABLE"} if serializable and self.database.driver == "postgresql" else {}
        with answers(self.place):
            async with _limited(self.place), self._engine.connect() as plain:
                connection = await plain.execution_options(**{WRITES: True}, **alone)
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        """Give all connections back."""
        await self._engine.dispose()


@asynccontextmanager
async def _limited(place: str) -> AsyncIterator[None]:
    try:
        with anyio.fail_after(STATEMENT_S):
            yield
    except TimeoutError as error:
        raise Unavailable(f"the database {place} gave no answer within {STATEMENT_S:.0f} s") from error


def _engine(database: Database, credentials: Credentials) -> AsyncEngine:
    common: dict[str, Any] = {"json_serializer": _text, "json_deserializer": read_json}
    if database.driver == "sqlite":
        folder = Path(database.name).parent
        if not folder.is_dir():
            raise Refused(f"the database {database.place} cannot be made: there is no folder {folder}")
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=database.name), connect_args={"timeout": 10}, **common
        )
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        return engine
    url = URL.create(
        "postgresql+asyncpg",
        username=credentials.user or _own_name(),
        password=credentials.password or None,
        host=database.host,
        port=database.port,
        database=database.name,
    )
    return create_async_engine(
        url,
        pool_size=database.connections,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=int(database.lifetime_s) or -1,
        pool_pre_ping=True,
        connect_args={"timeout": database.connect_timeout_s, "ssl": _tls(database.tls)},
        **common,
    )


def _own_name() -> str:
    """Who asks when nobody is named: this process's user; where the system has no name for him, "postgres"."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "postgres"


def _tls(mode: str) -> str | ssl.SSLContext | bool:
    return False if mode == "disable" else mode


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _prepare(connection: Any, record: Any) -> None:
    """A new connection to SQLite: transactions are begun by `_begin` alone, and readers do not wait for a writer."""
    del record
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-65536"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
