"""`InProcessApi` is `runtime.api.Api` without a socket: for tests, `tiphys run`, and loops with virtual time.

Objects cross the border as JSON (one decode, a few microseconds each), so nobody can change what is stored. Every verb
yields to the loop once before it acts, as a request would: whoever is cancelled there has changed nothing.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import orjson

from runtime.api import Known, LogOptions, ObjectList, PatchType, Propagation, Selection, WatchEvent
from runtime.objects import (
    DISRUPTION_BUDGETS,
    EVICTION_PATH,
    PODS,
    SERVICE_ACCOUNTS,
    TOKEN_PATH,
    Object,
    Reference,
    Resource,
    identity,
)
from tiphys.devcluster import errors, eviction, query, reviews, subresources
from tiphys.devcluster.apply import apply
from tiphys.devcluster.deletion import DeleteOptions
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.logs import container_of
from tiphys.devcluster.rest import WriteOptions, Written, in_version
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Record, Watcher

BOOKMARK_S = 60.0  # how often an idle watch is told the current version


@contextmanager
def uncollected() -> Iterator[None]:
    """Around the decoding of much JSON: it has no cycles, and the collector would look at all of it in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def own(thing: Any) -> Any:
    """A deep copy of JSON."""
    return orjson.loads(orjson.dumps(thing))


class InProcessApi:
    """The verbs of `runtime.api.Api` on an `ApiServer` in the same process."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._rest = server.rest

    async def get(self, ref: Reference) -> Object:
        """Read one object."""
        await anyio.lowlevel.checkpoint()
        record = self._rest.read(self._kind(ref.resource), ref.namespace, ref.name)
        if ref.uid and record.object["metadata"]["uid"] != ref.uid:
            raise errors.not_found(ref.resource, ref.name)
        await self._settled()
        return record.copy()

    async def list(
        self,
        resource: Resource,
        selection: Selection = Selection(),
        *,
        limit: int = 0,
        continue_: str = "",
        known: Known | None = None,
    ) -> ObjectList:
        """Read a collection."""
        await anyio.lowlevel.checkpoint()
        page = self._rest.list(self._kind(resource), selection, limit=limit, continue_=continue_)
        await self._settled()
        with uncollected():
            copies = [_held(record, known) or record.copy() for record in page.records]
        return ObjectList(copies, str(page.version), page.continue_)

    def watch(
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """Stream what changed after `resource_version`; empty or "0": what is there comes first."""
        return self._watch(resource, selection, resource_version, timeout_s)

    @asynccontextmanager
    async def _watch(
        self, resource: Resource, selection: Selection, resource_version: str, timeout_s: int
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        await anyio.lowlevel.checkpoint()
        kind = self._kind(resource)
        since = int(resource_version) if resource_version not in ("", "0") else None
        watcher = self._rest.watch(kind, selection, since)
        events = self._events(kind, watcher, timeout_s)
        try:
            yield events
        finally:
            watcher.close()
            await events.aclose()

    async def _events(self, kind: Kind, watcher: Watcher, timeout_s: int) -> AsyncGenerator[WatchEvent, None]:
        end = anyio.current_time() + timeout_s
        while True:
            event = watcher.take_ready()
            if event is None:
                event = await watcher.take_within(min(BOOKMARK_S, end - anyio.current_time()))
            if event is not None:
                yield WatchEvent(event.type, in_version(kind, event.record).copy())
                continue
            yield WatchEvent("BOOKMARK", bookmark(kind, self._server.storage.settled))
            if anyio.current_time() >= end:
                return

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        """Create in metadata.namespace."""
        await anyio.lowlevel.checkpoint()
        body: Object = own(thing)
        namespace = (body.get("metadata") or {}).get("namespace") or ("default" if resource.namespaced else "")
        if (resource.api_version, resource.plural) == ("v1", "bindings"):  # stored nowhere: it is the pod that changes
            key = subresources.bound(namespace, body)
            answer = subresources.bind(self._rest, self._kind(PODS), key, body)
            await self._settled()
            return answer
        if resource.plural.endswith(TOKEN_PATH):
            account = self._rest.read(self._kind(SERVICE_ACCOUNTS), namespace, body["metadata"]["name"]).object
            return reviews.token(self._server, account, body)
        if resource.plural.endswith(EVICTION_PATH):
            key = namespace, body["metadata"]["name"]
            options = query.delete_options({}, body.get("deleteOptions"))
            answer = eviction.evict(self._rest, key, options, self._kind(PODS), self._kind(DISRUPTION_BUDGETS))
            await self._settled()
            return answer
        record = self._rest.create(self._kind(resource), namespace, body, WriteOptions(dry_run=dry_run)).record
        await self._settled()
        return record.copy()

    async def replace(self, resource: Resource, thing: Object, *, subresource: str = "") -> Object:
        """PUT."""
        await anyio.lowlevel.checkpoint()
        kind = self._kind(resource)
        meta = thing["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        if subresource == "scale":
            scale = subresources.write_scale(self._rest, kind, key, own(thing))
            await self._settled()
            return scale
        options = WriteOptions(subresource=_served(kind, subresource))
        record = self._rest.update(kind, key, own(thing), options).record
        await self._settled()
        return record.copy()

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        """Patch; ref.uid, when set, is a precondition."""
        await anyio.lowlevel.checkpoint()
        options = WriteOptions(manager=manager, force=True, subresource=subresource)
        answer = self._patch(ref, own(body), kind, options)
        await self._settled()
        return answer

    def _patch(self, ref: Reference, body: Any, patch: PatchType, options: WriteOptions) -> Object:
        kind = self._kind(ref.resource)
        key = (ref.namespace, ref.name)
        if ref.uid:
            self._check_uid(kind, ref)
        if options.subresource == "scale":
            return subresources.patch_scale(self._rest, kind, key, body, patch)
        options = options._replace(subresource=_served(kind, options.subresource))
        written: Written
        if patch == "apply":
            written = apply(self._rest, kind, key, body, options)
        else:
            written = self._rest.patch(kind, key, body, patch, options)
        return written.record.copy()

    def _check_uid(self, kind: Kind, ref: Reference) -> None:
        stored = self._rest.read(kind, ref.namespace, ref.name).object["metadata"]["uid"]
        if stored != ref.uid:
            why = f"Precondition failed: UID in precondition: {ref.uid}, UID in object meta: {stored}"
            raise errors.conflict(kind.resource, ref.name, why)

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        """Delete; ref.uid, when set, is a precondition."""
        await anyio.lowlevel.checkpoint()
        options = DeleteOptions(grace_s, propagation, ref.uid)
        self._rest.delete(self._kind(ref.resource), (ref.namespace, ref.name), options)
        await self._settled()

    def log(
        self, ref: Reference, options: LogOptions = LogOptions()
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream a pod's log."""
        return self._log(ref, options)

    @asynccontextmanager
    async def _log(self, ref: Reference, options: LogOptions) -> AsyncIterator[AsyncIterator[bytes]]:
        await anyio.lowlevel.checkpoint()
        pod = self._rest.read(self._kind(ref.resource), ref.namespace, ref.name).object
        chosen = options._replace(container=container_of(pod, options.container))
        chunks = pod_log(self._server, pod, chosen)
        try:
            yield chunks
        finally:
            await close(chunks)

    async def _settled(self) -> None:
        """Wait until what was seen or done is on the disk, if there is one."""
        if self._server.settled is not None:
            await self._server.settled()

    def _kind(self, resource: Resource) -> Kind:
        return self._server.catalog.of(resource)


def _held(record: Record, known: Known | None) -> Object | None:
    thing = None if known is None else known(*record.key)
    return thing if thing is not None and identity(thing) == identity(record.object) else None


def bookmark(kind: Kind, version: int) -> Object:
    """The object of a BOOKMARK event."""
    resource = kind.resource
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(version)},
    }


def pod_log(server: ApiServer, pod: Object, options: LogOptions) -> AsyncIterator[bytes]:
    """The log from the node; raises Refused when the pod has no node yet, Unavailable when none serves logs."""
    meta = pod["metadata"]
    if not (pod.get("spec") or {}).get("nodeName"):
        raise errors.bad_request(f"pod {meta['name']} does not have a host assigned")
    if server.logs is None:
        raise errors.internal(f"no node serves the logs of pod {meta['name']}: start a node")
    return server.logs.stream(meta["namespace"], meta["name"], options)


async def close(chunks: AsyncIterator[bytes]) -> None:
    """End a stream that is not read to its end, if it can be told."""
    if isinstance(chunks, AsyncGenerator):
        await chunks.aclose()


def _served(kind: Kind, subresource: str) -> str:
    """The subresource, if the kind has it; raises Gone (404) otherwise."""
    if subresource in ("", "finalize") or (subresource == "status" and kind.has_status):
        return subresource
    raise errors.no_such_path()
