"""The database of locks: opened when it is asked, and opened anew after it did not answer, credentials included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from actors.lock_round import LockAnswer, LockRound
from runtime.api import Api, Refused, Unavailable
from runtime.log import Log
from tiphys.persistence.connecting import connected
from tiphys.persistence.sync_settings import SyncSettings

if TYPE_CHECKING:  # drivers are loaded when a database is opened
    from tiphys.persistence.engine import Store

log = Log()


@dataclass
class LockDatabase:
    """Where the lock room's rounds go. `api` and `namespace` say where the credentials are."""

    settings: SyncSettings | None = None
    api: Api | None = None
    namespace: str = ""
    _store: Store | None = None
    _stale: list[Store] = field(default_factory=list)  # of a former configuration
    _opening: anyio.Lock = field(default_factory=anyio.Lock)
    _away: bool = False

    def use(self, settings: SyncSettings | None) -> None:
        """From now on this is meant."""
        if settings != self.settings:
            self.settings = settings
            self._set_aside()

    async def ask(self, asked: LockRound) -> LockAnswer:
        """Carry out a round. Raises Unavailable, Refused."""
        settings = self.settings
        if settings is None:
            raise Refused("no database keeps locks: `synchronization` in the controller's ConfigMap names one")
        await self._clear()
        try:
            answer = await self._asked(settings, asked)
        except Unavailable as error:
            if not self._away:
                log.warning("database.away", place=settings.database.place, error=error.message)
            self._away = True
            self._set_aside()
            raise
        if self._away:
            log.info("database.back", place=settings.database.place)
        self._away = False
        return answer

    async def _asked(self, settings: SyncSettings, asked: LockRound) -> LockAnswer:
        async with self._opening:
            if self._store is None:
                self._store = await opened(settings, self.api, self.namespace)
            store = self._store
        from tiphys.persistence.sync_rounds import Rounds  # noqa: PLC0415  (drivers)

        return await Rounds(store, settings).carry_out(asked)

    async def close(self) -> None:
        """Give all connections back."""
        self._set_aside()
        await self._clear()

    def _set_aside(self) -> None:
        if self._store is not None:
            self._stale.append(self._store)
            self._store = None

    async def _clear(self) -> None:
        while self._stale:
            await self._stale.pop().close()


async def opened(settings: SyncSettings, api: Api | None, namespace: str) -> Store:
    """Open the database and make its tables ready, unless the installation does that. Raises Unavailable, Refused."""
    store = await connected(settings.database, api, namespace)
    if not settings.migrate:
        return store
    from tiphys.persistence import migrations, sync_tables  # noqa: PLC0415  (drivers)

    try:
        for done in await migrations.migrate(store, sync_tables.sync_plan(sync_tables.sync_tables(settings.tables))):
            log.info("database.migrated", place=store.place, step=done)
    except BaseException:
        await store.close()
        raise
    return store
