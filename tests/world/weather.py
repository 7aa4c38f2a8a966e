"""What the controllers see the API through: calls fail, answers are lost, streams are late, broken, silent or stale.

One coat for each life of the controllers. It also keeps two promises in view: who was told to come back later (429)
does not come earlier, and a life that is over changes nothing any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Protocol, TypeVar

import anyio
import anyio.lowlevel

from runtime.api import Api, Conflict, Expired, ObjectList, Selection, Throttled, Unavailable, WatchEvent
from runtime.objects import LEASES, Object, Reference, Resource
from tests.world.faults import Plan
from tiphys.devcluster.inprocess import bookmark
from tiphys.devcluster.selectors import matcher
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Event, Watcher

T = TypeVar("T")
Call = Callable[[], Awaitable[Any]]
WRITES = frozenset({"create", "replace", "patch", "delete"})
LATENCY_S = 0.06
STALE_MAX = 3  # old lists in a row: a server that lags behind catches up
QUIET_S = 60.0  # between bookmarks


class Reaper(Protocol):
    """Who decides about death at a write."""

    def strikes(self, verb: str, subject: str, moment: str) -> bool:
        """Whether the controllers die `before` or `after` this very write was carried out."""
        ...


class Weather:
    """`runtime.api.Api` over an in-process server, on the days that the plan allows."""

    def __init__(self, api: Api, server: ApiServer, plan: Plan, reaper: Reaper, broken: Callable[[str], None]) -> None:
        self._api = api
        self._server = server
        self._plan = plan
        self._reaper = reaper
        self._broken = broken
        self._not_before: dict[tuple[str, str], float] = {}  # verb, subject -> when it may come again
        self._numbers = count()
        self.flying: dict[int, tuple[str, Call]] = {}  # writes that are sent and not yet carried out
        self.stalled = False  # nothing comes through any more, in either direction
        self.away_until = 0.0
        self._listed: dict[str, int] = {}  # source -> how many stale lists in a row it was given in this reign
        self._acquired = ""  # when its last reign was asked for

    # ------------------------------------------------------------------------------------------------ calls

    async def get(self, ref: Reference) -> Object:
        """Read one object."""
        return await self._pass("get", _name(ref), lambda: self._api.get(ref))

    async def list(self, resource: Resource, selection: Selection = Selection(), **options: Any) -> ObjectList:
        """Read a collection, or what it was a while ago."""
        # The first list of a life or reign is a quorum read, so the newest there is; a later one may be any server's.
        source = f"{resource.plural}?{selection.labels}"
        listed = self._listed.get(source)
        stale = listed is not None and listed < STALE_MAX and self._plan.throw("stale_list", 0.5)
        call = self._stale(resource, selection) if stale else lambda: self._api.list(resource, selection, **options)
        found: ObjectList = await self._pass("list", source, call)
        self._listed[source] = (listed or 0) + 1 if stale else 0
        return found

    async def create(self, resource: Resource, thing: Object, **options: Any) -> Object:
        """Create an object."""
        self._look_for_reigns(resource, thing)
        name = f"{resource.plural}/{thing['metadata'].get('name', '')}"
        return await self._pass("create", name, lambda: self._api.create(resource, thing, **options))

    async def replace(self, resource: Resource, thing: Object, **options: Any) -> Object:
        """PUT."""
        self._look_for_reigns(resource, thing)
        name = f"{resource.plural}/{thing['metadata']['name']}"
        return await self._pass("replace", name, lambda: self._api.replace(resource, thing, **options))

    async def patch(self, ref: Reference, body: Any, **options: Any) -> Object:
        """Patch an object."""
        return await self._pass("patch", _name(ref), lambda: self._api.patch(ref, body, **options))

    async def delete(self, ref: Reference, **options: Any) -> None:
        """Delete an object."""
        await self._pass("delete", _name(ref), lambda: self._api.delete(ref, **options))

    def _look_for_reigns(self, resource: Resource, thing: Object) -> None:
        """Whoever asks for the lead will list everything anew, and relies on that."""
        acquired = thing["spec"].get("acquireTime", "") if resource == LEASES else self._acquired
        if acquired != self._acquired:
            self._acquired = acquired
            self._listed.clear()

    def log(self, ref: Reference, *args: Any, **options: Any) -> Any:
        """Stream a log."""
        return self._api.log(ref, *args, **options)

    async def _pass(self, verb: str, subject: str, call: Callable[[], Awaitable[T]]) -> T:
        self._heed(verb, subject)
        latency = self._plan.dice("latency")
        number = next(self._numbers)
        if verb in WRITES:
            self.flying[number] = (verb, call)
        try:
            await anyio.sleep(latency.random() * LATENCY_S)
            await self._stall()
            await self._refuse(verb, subject)
            if verb in WRITES and self._reaper.strikes(verb, subject, "before"):
                await anyio.sleep_forever()
        finally:
            self.flying.pop(number, None)
        result = await call()
        if verb in WRITES and self._reaper.strikes(verb, subject, "after"):
            await anyio.sleep_forever()
        await self._lose()
        await anyio.sleep(latency.random() * LATENCY_S)
        await self._stall()
        return result

    async def _stall(self) -> None:
        while self.stalled:  # noqa: ASYNC110  # until its life is over
            await anyio.sleep(3600)

    def _heed(self, verb: str, subject: str) -> None:
        """Who was told to wait must have waited; but a lease that is not renewed is lost."""
        if subject.startswith("leases/"):
            return
        early = self._not_before.pop((verb, subject), 0.0) - anyio.current_time()
        if early > 1e-6:
            self._broken(f"{verb} {subject} came back {early:.3f} s before the time that its 429 named")

    async def _refuse(self, verb: str, subject: str) -> None:
        """The call is not carried out, and the caller knows it."""
        plan = self._plan
        if self.away_until > anyio.current_time() and not plan.calm:
            raise Unavailable("connection refused")
        if verb in {"patch", "replace", "delete"} and plan.throw("conflict", 0.03):
            raise Conflict("somebody was faster")
        if plan.throw("throttled", 0.02):
            after_s = plan.dice("throttled").choice([1.0, 5.0, 30.0])
            self._not_before[verb, subject] = anyio.current_time() + after_s
            raise Throttled("too many requests", after_s=after_s)
        if plan.throw("server_error", 0.03):
            raise Unavailable("internal error", code=plan.dice("server_error").choice([500, 502, 503, 504]))
        if plan.throw("lost_answer", 0.015):
            raise Unavailable("timed out")

    async def _lose(self) -> None:
        """The call was carried out, and the caller will not know."""
        plan = self._plan
        if plan.throw("lost_answer", 0.03):
            raise Unavailable("timed out")
        if plan.throw("hung", 0.008):
            await anyio.sleep(3600)

    def _stale(self, resource: Resource, selection: Selection) -> Call:
        async def call() -> ObjectList:
            await anyio.lowlevel.checkpoint()
            kind = self._server.catalog.of(resource)
            bucket = self._server.rest.bucket(kind)
            back = self._plan.dice("stale_list").randint(1, 40)
            version = max(bucket.forgotten, self._server.storage.version - back, 1)
            matches = matcher(selection.labels, selection.fields, kind.selectable)
            found = [
                entry for entry in bucket.as_of(version, selection.namespace) if not matches or matches(entry.object)
            ]
            return ObjectList([entry.copy() for entry in found], str(version))

        return call

    # ---------------------------------------------------------------------------------------------- streams

    def watch(self, resource: Resource, selection: Selection = Selection(), **options: Any) -> Any:
        """Stream what changes."""
        return self._watch(resource, selection, **options)

    @asynccontextmanager
    async def _watch(
        self, resource: Resource, selection: Selection, *, resource_version: str, timeout_s: int = 290
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        stream = f"{resource.plural}?{selection.labels}"
        self._heed("watch", stream)
        await anyio.sleep(self._plan.dice("latency").random() * LATENCY_S)
        await self._refuse("watch", stream)
        watcher = self._server.rest.watch(self._server.catalog.of(resource), selection, int(resource_version))
        events = self._events(resource, watcher, anyio.current_time() + timeout_s)
        try:
            yield events
        finally:
            watcher.close()
            await events.aclose()  # type: ignore[attr-defined]  # an async generator

    async def _events(self, resource: Resource, watcher: Watcher, end: float) -> AsyncIterator[WatchEvent]:
        plan, kind = self._plan, self._server.catalog.of(resource)
        while anyio.current_time() < end or plan.calm:
            event = watcher.take_ready()
            if event is None:
                with anyio.move_on_after(QUIET_S):
                    event = await watcher.take()
            await self._stall()
            self._interrupt()
            if event is None:
                yield WatchEvent("BOOKMARK", bookmark(kind, self._server.storage.settled))
                continue
            if plan.throw("silent", 0.004):
                await anyio.sleep(3600)
            if plan.throw("late", 0.1):
                await anyio.sleep(plan.dice("late").choice([0.2, 0.7, 3.0, 20.0]))
            if plan.throw("coalesced", 0.04):
                await anyio.sleep(plan.dice("coalesced").choice([0.5, 2.0, 10.0]))
                for last in _coalesced(event, watcher):
                    yield last
                continue
            yield WatchEvent(event.type, event.record.copy())
            if plan.throw("repeated", 0.05):
                yield WatchEvent(event.type, event.record.copy())

    def _interrupt(self) -> None:
        if self.away_until > anyio.current_time() and not self._plan.calm:
            raise Unavailable("connection reset by peer")
        if self._plan.throw("lost", 0.02):
            raise Unavailable("the stream broke")
        if self._plan.throw("expired", 0.012):
            raise Expired("too old resource version", code=410)


def _coalesced(event: Event, watcher: Watcher) -> list[WatchEvent]:
    """The last state of each object among those that wait; in the order of their last changes."""
    newest = {event.record.key: event}
    while (following := watcher.take_ready()) is not None:
        newest.pop(following.record.key, None)
        newest[following.record.key] = following
    return [WatchEvent(entry.type, entry.record.copy()) for entry in newest.values()]


def _name(ref: Reference) -> str:
    return f"{ref.resource.plural}/{ref.name}"
