"""Answers that go on: watches as JSON lines, logs as they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import orjson

from runtime.api import ApiError
from runtime.objects import Object
from tiphys.devcluster import query, table
from tiphys.devcluster.answers import Call
from tiphys.devcluster.inprocess import BOOKMARK_S, bookmark
from tiphys.devcluster.rest import in_version
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Event, Watcher

WATCH_S = 1800  # how long a watch without timeoutSeconds lasts
BATCH = 1024  # events written at once
GATHER_S = 0.005  # after a piece was written the next one waits so long: the first event is told at once
GATHER_QUIET_S = 0.001  # in a stream that is not busy: what follows is somebody's next step
BUSY_PER_S = 500.0  # events of one stream from which on its pieces are gathered longer
COUNT_S = 0.1  # how often that is looked at


class WatchStream:
    """The lines of one watch, in batches."""

    def __init__(self, server: ApiServer, call: Call) -> None:
        self._server = server
        self._call = call
        self._kind = call.target.kind
        self._seconds = query.number(call.query, "timeoutSeconds") or WATCH_S
        self._bookmarks = query.flag(call.query, "allowWatchBookmarks")
        self._initial = query.flag(call.query, "sendInitialEvents")
        self._columns_told = False
        self._told = 0  # events since `_counted_at`
        self._counted_at = anyio.current_time()
        self._is_busy = False
        selection = call.target.selection(call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
        since = None if self._initial else query.version(call.query)
        self._watcher: Watcher | None = None
        self._refusal: ApiError | None = None
        self._ends_initial = server.storage.settled
        try:
            self._watcher = server.rest.watch(self._kind, selection, since)
        except ApiError as e:
            if e.code != 410:
                raise
            self._refusal = e  # told as an ERROR event, inside a stream that was accepted

    async def lines(self) -> AsyncIterator[bytes]:
        """Batches of lines until the time is over or the watcher too slow."""
        if self._watcher is None:
            assert self._refusal is not None
            yield self._line("ERROR", self._refusal.status)
            return
        try:
            async for batch in self._batches(self._watcher):
                yield batch
        except ApiError as e:
            yield self._line("ERROR", e.status)

    def close(self) -> None:
        """Hear no more."""
        if self._watcher is not None:
            self._watcher.close()

    async def _batches(self, watcher: Watcher) -> AsyncIterator[bytes]:
        end = anyio.current_time() + self._seconds
        if self._initial:
            yield self._ready(watcher) + self._bookmark(self._ends_initial, initial=True)
        while True:
            event = watcher.take_ready()
            if event is None:
                event = await watcher.take_within(min(BOOKMARK_S, end - anyio.current_time()))
            if event is not None:
                yield self._event(event) + self._ready(watcher)
                await anyio.sleep(self._pause_s(anyio.current_time()))  # what happens right after goes out in one piece
                continue
            if self._bookmarks:
                yield self._bookmark(self._server.storage.settled)
            if anyio.current_time() >= end:
                return

    def _ready(self, watcher: Watcher) -> bytes:
        lines: list[bytes] = []
        while len(lines) < BATCH and (event := watcher.take_ready()) is not None:
            lines.append(self._event(event))
        return b"".join(lines)

    def _pause_s(self, now: float) -> float:
        """How long the next piece waits: fewer pieces for who hears much, quicker ones for who hears little."""
        took_s = now - self._counted_at
        if took_s >= COUNT_S:
            self._is_busy = self._told >= BUSY_PER_S * took_s
            self._told, self._counted_at = 0, now
        return GATHER_S if self._is_busy else GATHER_QUIET_S

    def _event(self, event: Event) -> bytes:
        self._told += 1
        form, record = self._call.form, in_version(self._kind, event.record)
        if form == "Table":
            return self._line(event.type, self._table(record.object))
        if form.startswith("PartialObjectMetadata"):
            return self._line(event.type, table.partial(record.object))
        return b'{"type":"' + event.type.encode() + b'","object":' + record.json + b"}\n"

    def _table(self, thing: Object) -> Object:
        include = self._call.query.get("includeObject", "Metadata")
        made = table.rows(self._kind, [thing], self._server.now(), include)
        whole = table.table(self._kind, made, {"resourceVersion": thing["metadata"]["resourceVersion"]})
        if self._columns_told:
            whole["columnDefinitions"] = None
        self._columns_told = True
        return whole

    def _bookmark(self, version: int, *, initial: bool = False) -> bytes:
        thing = bookmark(self._kind, version)
        if initial:
            thing["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self._call.form == "Table":
            thing = table.table(self._kind, [{"cells": [], "object": table.partial(thing)}], thing["metadata"])
        return self._line("BOOKMARK", thing)

    def _line(self, kind: str, thing: Object) -> bytes:
        return orjson.dumps({"type": kind, "object": thing}) + b"\n"
