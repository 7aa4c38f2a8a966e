"""The service that rooms ask: it opens the databases that the configuration names, when they are needed, and answers.

A database that does not answer is tried anew from the beginning, credentials included, with the next question: what
was changed about it counts without a restart. Nothing here waits for a database longer than a question does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from actors.database_messages import Archive, Expire, ForgetNodes, LoadNodes, SaveNodes
from actors.lock_round import LockRound
from actors.packing import BadPack, nodes_of
from runtime.api import Api, Gone, Refused, Unavailable
from runtime.log import Log
from runtime.objects import Object
from tiphys.persistence.connecting import connected
from tiphys.persistence.settings import PersistenceSettings
from tiphys.persistence.sync_service import LockDatabase
from tiphys.persistence.sync_settings import SyncSettings

if TYPE_CHECKING:  # drivers are loaded when a database is opened
    from tiphys.persistence import archive, engine, nodes

DELETED_AT_ONCE = 500
LARGE_AT_ONCE = 4  # versions of nodes that are written or read: they share connections and memory
CLOSE_S = 5.0  # for connections to be given back at the end

log = Log()


@dataclass
class Opened:
    """A database with the tables that are used."""

    store: engine.Store
    archive: archive.Archive | None = None
    nodes: nodes.OffloadedNodes | None = None


@dataclass
class Databases:
    """The databases of an installation. `api` and `namespace` say where their credentials are."""

    persistence: PersistenceSettings | None = None
    api: Api | None = None
    namespace: str = ""
    locks: LockDatabase = field(default_factory=LockDatabase)
    _open: dict[Any, Opened] = field(default_factory=dict)  # by what it is used for
    _opening: anyio.Lock = field(default_factory=anyio.Lock)
    _large: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(LARGE_AT_ONCE))
    _away: set[str] = field(default_factory=set)
    _stale: list[Opened] = field(default_factory=list)  # of a former configuration

    def use(self, persistence: PersistenceSettings | None, synchronization: SyncSettings | None = None) -> None:
        """From now on these are meant."""
        self.locks.use(synchronization)
        if persistence != self.persistence:
            self.persistence = persistence
            self._stale += self._open.values()
            self._open = {}

    async def ask(self, query: Any) -> Any:
        """Answer a question of `actors.database_messages`, or the lock room's. Raises Gone, Unavailable, Refused."""
        if isinstance(query, LockRound):
            self.locks.api, self.locks.namespace = self.api, self.namespace
            return await self.locks.ask(query)
        if isinstance(query, SaveNodes | LoadNodes):
            async with self._large:
                return await self._ask(query)
        return await self._ask(query)

    async def _ask(self, query: Any) -> Any:
        wanted = self._settings_for(query)
        await self._clear()
        try:
            opened = await self._opened(wanted)
            answer = await _answer(opened, query)
        except Unavailable as error:
            await self._forget(wanted, error)
            raise
        if wanted.database.place in self._away:
            self._away.discard(wanted.database.place)
            log.info("database.back", place=wanted.database.place)
        return answer

    async def __aenter__(self) -> None:
        """Databases are opened when they are asked."""

    async def __aexit__(self, *raised: object) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_S):
            await self.close()

    async def close(self) -> None:
        """Give all connections back."""
        self._stale += self._open.values()
        self._open = {}
        await self._clear()
        await self.locks.close()

    async def _clear(self) -> None:
        while self._stale:
            await self._stale.pop().store.close()

    def _settings_for(self, query: Any) -> PersistenceSettings:
        if not isinstance(query, Archive | Expire | SaveNodes | LoadNodes | ForgetNodes):
            raise Refused(f"{type(query).__name__} is no question to a database")
        if self.persistence is None:
            raise Refused("no database is configured: `persistence` in the controller's ConfigMap names one")
        return self.persistence

    async def _opened(self, wanted: PersistenceSettings) -> Opened:
        async with self._opening:  # one opens, the others wait for it
            found = self._open.get(wanted.database)
            if found is None:
                found = self._open[wanted.database] = await opened(wanted, self.api, self.namespace)
            return found

    async def _forget(self, wanted: PersistenceSettings, error: Unavailable) -> None:
        if wanted.database.place not in self._away:
            self._away.add(wanted.database.place)
            log.warning("database.away", place=wanted.database.place, error=error.message)
        found = self._open.pop(wanted.database, None)
        if found is not None:
            await found.store.close()


async def opened(wanted: PersistenceSettings, api: Api | None, namespace: str) -> Opened:
    """Open a database and make its tables ready. Raises Unavailable, Refused."""
    found = Opened(await connected(wanted.database, api, namespace))
    try:
        await prepare(found, wanted)
    except BaseException:
        await found.store.close()
        raise
    return found


async def prepare(found: Opened, wanted: PersistenceSettings) -> None:
    """Make the tables ready, unless the installation does that itself."""
    from tiphys.persistence import archive, migrations, nodes, tables  # noqa: PLC0415

    places = tables.archive_tables(wanted.nodes_table)
    if wanted.migrate:
        for done in await migrations.migrate(found.store, migrations.archive_plan(places)):
            log.info("database.migrated", place=found.store.place, step=done)
    found.nodes = nodes.OffloadedNodes(found.store, places, wanted.cluster)
    found.archive = archive.Archive(found.store, places, wanted.cluster, wanted.instance_id)


async def _answer(opened: Opened, query: Any) -> Any:
    assert opened.archive is not None
    assert opened.nodes is not None
    match query:
        case Archive(workflow):
            return await _archive(opened, workflow)
        case SaveNodes(uid, namespace, nodes):
            return await opened.nodes.save(uid, namespace, nodes)
        case LoadNodes(uid, version):
            return await opened.nodes.load(uid, version)
        case ForgetNodes():
            return await opened.nodes.forget(query)
    gone = 0
    while (portion := await opened.archive.delete_ended_before(query.before, DELETED_AT_ONCE)) > 0:
        gone += portion
    return gone


async def _archive(opened: Opened, workflow: Object) -> None:
    """Archive a workflow with its nodes, wherever they are kept: its own place for them may go."""
    assert opened.archive is not None
    await opened.archive.save(await hydrated(workflow, opened.nodes))


async def hydrated(workflow: Object, offloaded: nodes.OffloadedNodes | None) -> Object:
    """The workflow with its nodes inline. Nodes that are lost stay so: the rest is on record all the same."""
    status = workflow.get("status") or {}
    version = status.get("offloadNodeStatusVersion")
    if not version and not status.get("compressedNodes"):
        return workflow
    rest = {key: value for key, value in status.items() if key not in ("compressedNodes", "offloadNodeStatusVersion")}
    try:
        if version and offloaded is not None and not status.get("nodes"):
            rest["nodes"] = await offloaded.load(workflow["metadata"]["uid"], version)
        else:
            rest["nodes"] = nodes_of(status)
    except (BadPack, Gone) as error:
        log.warning("nodes.lost", workflow=workflow["metadata"]["name"], error=str(error))
        return workflow
    return {**workflow, "status": rest}
