"""Which archive a command means: a file that was named, or the database that the controller's ConfigMap names.

A file needs no cluster. The ConfigMap is looked for where upstream's installation has it, then in the command's own
namespace; the Secrets that it names are read as the person who asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio

from runtime.api import Api
from tiphys.cli import config_map
from tiphys.cli.config_map import CONFIG_MAP, USUAL_NAMESPACE
from tiphys.cli.connect import Connection, Target, on_cluster
from tiphys.cli.problems import InputError
from tiphys.persistence.settings import Database, PersistenceSettings

if TYPE_CHECKING:  # SQLAlchemy is loaded when the archive is opened
    from tiphys.persistence.archive import Archive


class Asked(NamedTuple):
    """What a command works with: the archive, and a cluster where it needs one."""

    archive: Archive
    namespace: str  # empty: all
    at: Connection | None


Act = Callable[[Asked], Awaitable[int]]


def on_archive(target: Target, file: Path | None, act: Act, *, cluster: bool = False) -> int:
    """Open the archive and act; the exit code. With a `file`, no cluster is asked for, unless `cluster` says so."""
    if file is not None and not cluster:

        async def alone() -> int:
            async with _archive_of(_of_file(file), None, "") as archive:
                return await act(Asked(archive, target.namespace, None))

        return anyio.run(alone)

    async def there(at: Connection) -> int:
        if file is not None:
            async with _archive_of(_of_file(file), None, "") as archive:
                return await act(Asked(archive, target.namespace or at.namespace, at))
        settings, home = await _configured(at)
        async with _archive_of(settings, at.api, home) as archive:
            return await act(Asked(archive, target.namespace or at.namespace, at))

    return on_cluster(target, there)


def _of_file(file: Path) -> PersistenceSettings:
    if not file.is_file():
        raise InputError(f"--archive {file}: there is no such file; `tiphys dev --archive {file}` makes one")
    return settings_of_file(file)


def settings_of_file(file: Path) -> PersistenceSettings:
    """The archive in a SQLite file."""
    return PersistenceSettings(Database("sqlite", str(file.absolute())), archive=True)


async def configured(at: Connection) -> tuple[PersistenceSettings, str] | None:
    """The database that the controller's ConfigMap names, and that one's namespace; None when none does.

    Raises InputError for a ConfigMap that cannot be understood."""
    from tiphys.configuration.databases import persistence  # noqa: PLC0415  (pydantic is slow to import)

    return await config_map.said(at, lambda read: persistence(read.persistence, read.instanceID))


async def _configured(at: Connection) -> tuple[PersistenceSettings, str]:
    found = await configured(at)
    if found is not None:
        return found
    raise InputError(
        f"no archive: no ConfigMap {CONFIG_MAP} in {USUAL_NAMESPACE} or {at.namespace} names a database under "
        "`persistence`.\nName a SQLite file with --archive FILE"
    )


@asynccontextmanager
async def _archive_of(settings: PersistenceSettings, api: Api | None, namespace: str) -> AsyncIterator[Archive]:
    """The archive; tables that are not there yet are made."""
    from tiphys.persistence.service import opened  # noqa: PLC0415

    found = await opened(settings, api, namespace)
    try:
        assert found.archive is not None
        yield found.archive
    finally:
        await found.store.close()
