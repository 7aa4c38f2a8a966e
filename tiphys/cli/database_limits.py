"""How many may hold a semaphore of a database: looked up and written where the controllers look. (CLI-20)

The database is the one that the controller's configuration names under `synchronization`: a file that was named, or
the ConfigMap, looked for where upstream's installation has it, then in the command's own namespace. Its Secrets are
read as the person who asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runtime.api import AlreadyExists, Gone
from tiphys.cli import config_map
from tiphys.cli.config_map import CONFIG_MAP, USUAL_NAMESPACE
from tiphys.cli.configured import configuration_of
from tiphys.cli.connect import Connection
from tiphys.cli.problems import InputError

if TYPE_CHECKING:  # SQLAlchemy is loaded when the database is opened
    from tiphys.persistence.sync_limits import Limits
    from tiphys.persistence.sync_settings import SyncSettings


class Row(NamedTuple):
    """Which limit, and the configuration's file when one was named."""

    key: str
    config: Path | None = None


async def create(at: Connection, row: Row, limit: int) -> int:
    """Make a limit that is not there yet."""
    async with _limits(at, row) as limits:
        try:
            await limits.create(_name(at, row), limit)
        except AlreadyExists as error:
            there = f"database sync limit {row.key!r} is there already in {at.namespace!r}: update it"
            raise InputError(there) from error
    print("Sync limit created")
    return _show(at, row, limit)


async def get(at: Connection, row: Row) -> int:
    """Print a limit."""
    async with _limits(at, row) as limits:
        return _show(at, row, await _found(at, row, limits))


async def update(at: Connection, row: Row, limit: int) -> int:
    """Change a limit; who waits is let in at the controllers' next poll."""
    async with _limits(at, row) as limits:
        await _found(at, row, limits)
        await limits.update(_name(at, row), limit)
    print("Sync limit updated")
    return _show(at, row, limit)


async def delete(at: Connection, row: Row) -> int:
    """Take a limit away; one that is not there is fine."""
    async with _limits(at, row) as limits:
        await limits.delete(_name(at, row))
    print("Sync limit deleted")
    return 0


async def _found(at: Connection, row: Row, limits: Limits) -> int:
    try:
        return await limits.get(_name(at, row))
    except Gone as error:
        raise InputError(f"there is no database sync limit {row.key!r} in {at.namespace!r}: create it") from error


def _show(at: Connection, row: Row, limit: int) -> int:
    print(f"Key: {row.key}\nType: database\nNamespace: {at.namespace}\nLimit: {limit}")
    return 0


def _name(at: Connection, row: Row) -> str:
    return f"{at.namespace}/{row.key}"


@asynccontextmanager
async def _limits(at: Connection, row: Row) -> AsyncIterator[Limits]:
    """The table of limits; tables that are not there yet are made."""
    settings, home = await _configured(at, row.config)
    from tiphys.persistence.sync_service import opened  # noqa: PLC0415  (drivers)

    store = await opened(settings, at.api, home)
    try:
        from tiphys.persistence.sync_limits import Limits  # noqa: PLC0415  (drivers)
        from tiphys.persistence.sync_tables import sync_tables  # noqa: PLC0415

        yield Limits(store, sync_tables(settings.tables))
    finally:
        await store.close()


async def _configured(at: Connection, file: Path | None) -> tuple[SyncSettings, str]:
    """Which database, and the namespace of its Secrets."""
    from tiphys.configuration.databases import synchronization  # noqa: PLC0415  (pydantic is slow to import)

    if file is None:
        found = await config_map.said(at, lambda read: synchronization(read.synchronization))
        where = f"no ConfigMap {CONFIG_MAP} in {USUAL_NAMESPACE} or {at.namespace} names one"
    else:
        read = configuration_of(file)
        meant = synchronization(read.synchronization) if read is not None else None
        found = (meant, at.namespace) if meant is not None else None
        where = f"{file} does not name one"
    if found is None:
        remedy = "Name the controller's configuration with --config FILE"
        raise InputError(f"no database keeps locks: {where} under `synchronization`.\n{remedy}")
    return found
