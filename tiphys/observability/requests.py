"""A coat around an API that counts its requests, by resource, verb and answer: upstream's two metrics of them.

It is on the way of every request, so counting is an addition; the series are made of the counts at a scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Any, TypeVar

from runtime.api import Api, ApiError, LogOptions, ObjectList, PatchType, Propagation, Selection, WatchEvent
from runtime.objects import Object, Reference, Resource
from runtime.series import Series
from tiphys.observability import own

T = TypeVar("T")


class Counted:
    """The same API; every request is measured. Streams (watches, logs) are counted when they are opened."""

    def __init__(self, api: Api, clock: Callable[[], float] = monotonic) -> None:
        self._api = api
        self._clock = clock
        self._counts: dict[tuple[str, str, int], _Count] = {}  # by resource, verb and status code

    async def get(self, ref: Reference) -> Object:
        """GET one object."""
        return await self._told(ref.resource, "Get", self._api.get(ref), 200)

    async def list(self, resource: Resource, selection: Selection = Selection(), **options: Any) -> ObjectList:
        """GET a collection."""
        call = self._api.list(resource, selection, **options)
        return await self._told(resource, "List", call, 200)

    def watch(
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """GET with watch=true."""
        self._count(resource.plural, "Watch", 200)
        return self._api.watch(resource, selection, resource_version=resource_version, timeout_s=timeout_s)

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        """POST."""
        return await self._told(resource, "Create", self._api.create(resource, thing, dry_run=dry_run), 201)

    async def replace(self, resource: Resource, thing: Object, *, subresource: str = "") -> Object:
        """PUT."""
        call = self._api.replace(resource, thing, subresource=subresource)
        return await self._told(resource, "Update", call, 200, subresource)

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        """PATCH."""
        call = self._api.patch(ref, body, kind=kind, subresource=subresource, manager=manager)
        return await self._told(ref.resource, "Patch", call, 200, subresource)

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        """DELETE."""
        await self._told(ref.resource, "Delete", self._api.delete(ref, grace_s=grace_s, propagation=propagation), 200)

    def log(
        self, ref: Reference, options: LogOptions = LogOptions()
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """GET a pod's log."""
        self._count("pods/log", "List", 200)  # so upstream reads its path
        return self._api.log(ref, options)

    async def _told(self, resource: Resource, verb: str, call: Awaitable[T], code: int, part: str = "") -> T:
        began = self._clock()
        try:
            return await call
        except ApiError as error:
            code = error.code
            raise
        finally:
            count = self._count(f"{resource.plural}/{part}" if part else resource.plural, verb, code)
            took = self._clock() - began
            count.seconds += took
            count.buckets[bisect_left(own.REQUEST_DURATION.buckets, took)] += 1

    def _count(self, kind: str, verb: str, code: int) -> _Count:
        """One request more. `kind` is upstream's name of the label: a resource, and its part (`pods/status`)."""
        count = self._counts.get((kind, verb, code))
        if count is None:
            count = self._counts[kind, verb, code] = _Count()
        count.number += 1
        return count

    def put_into(self, series: Series) -> None:
        """Show the counts of now; one of `runtime.series.Series.sources`."""
        for (kind, verb, code), count in self._counts.items():
            labels = (("kind", kind), ("verb", verb), ("status_code", str(code)))
            series.put(own.REQUESTS, labels, float(count.number))
            if any(count.buckets):
                series.put(own.REQUEST_DURATION, labels, count.seconds, count.buckets)


class _Count:
    """Requests that are alike: how many, and how long those took that have an end."""

    __slots__ = ("buckets", "number", "seconds")

    def __init__(self) -> None:
        self.number = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(own.REQUEST_DURATION.buckets) + 1)
