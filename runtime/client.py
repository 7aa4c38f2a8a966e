"""`HttpApi` is `runtime.api.Api` over HTTP: every failure says what to do next.

Objects stay what they are on the wire, plain JSON: no typed models, which cost a hundred times more per event.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import msgspec
import orjson

from runtime.api import (
    ApiError,
    Gone,
    Known,
    LogOptions,
    ObjectList,
    PatchType,
    Propagation,
    Refused,
    Selection,
    Unavailable,
    WatchEvent,
)
from runtime.client_errors import error_of
from runtime.credentials import POD_FOLDER, Access, from_kubeconfig, in_pod
from runtime.objects import Object, Reference, Resource
from runtime.shapes import WHOLE, Shape
from runtime.transport import REQUEST_S, transport_for
from runtime.wire import Answer

LATE_S = 15.0  # how much longer than asked a watch may be silent before the connection counts as dead
AGENT = "tiphys"
UNAUTHORIZED = 401
LOST = (TimeoutError, OSError, aiohttp.ClientError)
"""What a transport raises when nobody knows what became of a request."""
MEDIA_TYPES: dict[PatchType, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class HttpApi:
    """The verbs against any cluster. An async context manager; connections open with the first request."""

    def __init__(self, access: Access, *, agent: str = AGENT) -> None:
        self.shapes: Mapping[Resource, Shape] = {}  # what is kept of listed and watched objects; others stay whole
        self._access = access
        self._agent = agent
        self._transport = transport_for(access)

    @classmethod
    def from_kubeconfig(cls, path: str | None = None, context: str | None = None) -> HttpApi:
        """The API of a kubeconfig. Raises runtime.credentials.BadKubeconfig."""
        return cls(from_kubeconfig(path, context))

    @classmethod
    def in_cluster(cls, folder: Path = POD_FOLDER) -> HttpApi:
        """The API of the cluster this pod runs in. Raises runtime.credentials.BadKubeconfig outside of one."""
        return cls(in_pod(folder))

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._access.url

    @property
    def namespace(self) -> str:
        """The namespace that the credentials name as their own."""
        return self._access.namespace

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> HttpApi:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # -------------------------------------------------------------------------------------------- verbs

    async def get(self, ref: Reference) -> Object:
        """GET one object."""
        thing = await self._send("GET", _path(ref))
        if ref.uid and thing["metadata"]["uid"] != ref.uid:
            status = {"details": {"name": ref.name, "uid": ref.uid}}
            raise Gone(f"{ref} has another uid now", code=404, reason="NotFound", status=status)
        return thing

    async def list(
        self,
        resource: Resource,
        selection: Selection = Selection(),
        *,
        limit: int = 0,
        continue_: str = "",
        known: Known | None = None,
    ) -> ObjectList:
        """GET a collection."""
        query = _selection(selection)
        if limit:
            query["limit"] = str(limit)
        if continue_:
            query["continue"] = continue_
        shape = self.shapes.get(resource, WHOLE)
        decode = orjson.loads if shape is WHOLE and known is None else partial(shape.list, known=known)
        found = await self._send("GET", resource.path(selection.namespace), query, decode=decode)
        items: list[Object] = found.get("items") or []
        for item in items:  # built-in kinds leave these out of lists
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        meta = found["metadata"]
        return ObjectList(items, str(meta.get("resourceVersion") or ""), meta.get("continue") or "")

    def watch(
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """GET with watch=true."""
        query = _selection(selection)
        query |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(timeout_s)}
        query["resourceVersion"] = resource_version
        shape = self.shapes.get(resource)
        return self._watch(
            resource.path(selection.namespace), query, timeout_s, _whole if shape is None else shape.event
        )

    @asynccontextmanager
    async def _watch(
        self, path: str, query: dict[str, str], timeout_s: int, decode: Callable[[bytes], tuple[str, Object]]
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        async with self._stream(path, query, timeout_s + LATE_S) as chunks:
            events = _events(chunks, decode)
            try:
                yield events
            finally:
                await events.aclose()

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        """POST."""
        namespace = (thing.get("metadata") or {}).get("namespace") or "default"
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **thing}
        return await self._send("POST", resource.path(namespace), {"dryRun": "All"} if dry_run else {}, body)

    async def replace(self, resource: Resource, thing: Object, *, subresource: str = "") -> Object:
        """PUT."""
        meta = thing["metadata"]
        body = thing if subresource == "scale" else {"apiVersion": resource.api_version, "kind": resource.kind, **thing}
        return await self._send("PUT", resource.path(meta.get("namespace"), meta["name"], subresource), {}, body)

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        """PATCH; ref.uid, when set, is a precondition."""
        query = {"fieldManager": manager} if manager else {}
        if kind == "apply":
            query["force"] = "true"
        if ref.uid and subresource != "scale":
            body = _with_uid(body, ref.uid, kind)
        try:
            return await self._send("PATCH", _path(ref, subresource), query, body, MEDIA_TYPES[kind])
        except Refused:
            if kind == "json" and ref.uid:
                await self.get(ref)  # was it the test of the uid? then it is Gone
            raise

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        """DELETE; ref.uid, when set, is a precondition."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if propagation is not None:
            options["propagationPolicy"] = propagation
        if ref.uid:
            options["preconditions"] = {"uid": ref.uid}
        await self._send("DELETE", _path(ref), {}, options)

    def log(
        self, ref: Reference, options: LogOptions = LogOptions()
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """GET a pod's log."""
        asked: dict[str, object] = {
            "container": options.container or None,
            "follow": "true" if options.follow else None,
            "previous": "true" if options.previous else None,
            "timestamps": "true" if options.timestamps else None,
            "tailLines": options.tail_lines,
            "limitBytes": options.limit_bytes,
            "sinceSeconds": math.ceil(options.since_s) if options.since_s is not None else None,
        }
        query = {name: str(value) for name, value in asked.items() if value is not None}
        return self._stream(_path(ref, "log"), query, None if options.follow else REQUEST_S)

    async def text(self, path: str) -> str:
        """GET what is no object, such as /metrics, as `kubectl get --raw` does."""
        async with self._stream(path, {}, REQUEST_S) as chunks:
            return b"".join([chunk async for chunk in chunks]).decode()

    # -------------------------------------------------------------------------------------------- the door

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = {},
        body: Any = None,
        media: str = "application/json",
        decode: Callable[[bytes], Any] = orjson.loads,
    ) -> Object:
        headers = await self._headers()
        if body is not None:
            headers["Content-Type"] = media
        raw = None if body is None else orjson.dumps(body)
        try:
            answer = await self._transport.request(method, path, query, headers, raw)
            if answer.status == UNAUTHORIZED:  # nothing was done: once more, with credentials asked for anew
                answer = await self._transport.request(method, path, query, {**headers, **await self._renewed()}, raw)
            if answer.status < 400:
                decoded: Object = decode(answer.body)
                return decoded
        except (*LOST, orjson.JSONDecodeError, msgspec.DecodeError) as e:
            raise _unreachable(method, path, e) from e
        raise _error(answer)

    async def _renewed(self) -> dict[str, str]:
        self._access.renew()
        return await self._headers()

    @asynccontextmanager
    async def _stream(
        self, path: str, query: Mapping[str, str], silence_s: float | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with AsyncExitStack() as stack:
            opening = self._transport.stream(path, query, await self._headers(), silence_s)
            try:
                opened = await stack.enter_async_context(opening)
            except LOST as e:
                raise _unreachable("GET", path, e) from e
            pieces = await stack.enter_async_context(aclosing(_pieces(opened.pieces, path)))
            if opened.status >= 400:
                if opened.status == UNAUTHORIZED:
                    self._access.renew()  # whoever asks for a stream asks again by himself
                raise _error(Answer(opened.status, opened.headers, b"".join([piece async for piece in pieces])))
            yield pieces

    async def _headers(self) -> dict[str, str]:
        try:
            return {"User-Agent": self._agent, "Accept": "application/json", **await self._access.headers()}
        except OSError as e:
            raise Unavailable(f"the token cannot be read: {e}") from e


def _path(ref: Reference, subresource: str = "") -> str:
    return ref.resource.path(ref.namespace, ref.name, subresource)


def _selection(selection: Selection) -> dict[str, str]:
    query: dict[str, str] = {}
    if selection.labels:
        query["labelSelector"] = selection.labels
    if selection.fields:
        query["fieldSelector"] = selection.fields
    return query


def _with_uid(body: Any, uid: str, kind: PatchType) -> Any:
    if kind == "json":
        return [{"op": "test", "path": "/metadata/uid", "value": uid}, *body]
    return {**body, "metadata": {**(body.get("metadata") or {}), "uid": uid}}


async def _pieces(found: AsyncIterator[bytes], path: str) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in found:
            yield piece
    except LOST as e:
        raise _unreachable("GET", path, e) from e


async def _events(
    chunks: AsyncIterator[bytes], decode: Callable[[bytes], tuple[str, Object]]
) -> AsyncGenerator[WatchEvent, None]:
    rest: list[bytes] = []  # of a line that has not ended yet
    async for chunk in chunks:
        *lines, tail = chunk.split(b"\n")
        for line in lines:
            whole = b"".join((*rest, line)) if rest else line
            rest.clear()
            if whole:
                kind, thing = decode(whole)
                if kind == "ERROR":
                    raise error_of(thing)
                yield WatchEvent(kind, thing)  # type: ignore[arg-type]  # one of WatchType's
        if tail:
            rest.append(tail)


def _whole(line: bytes) -> tuple[str, Object]:
    event = orjson.loads(line)
    return event["type"], event["object"]


def _error(answer: Answer) -> ApiError:
    try:
        status = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = answer.body.decode(errors="replace").strip()[:500]
        status = {"kind": "Status", "status": "Failure", "message": text or f"HTTP {answer.status}"}
    status["code"] = answer.status
    after = answer.headers.get("retry-after", "")
    if answer.status == UNAUTHORIZED:
        # Ours, not the user's: a token that has expired is renewed, and what was asked for is still to be done.
        said = str(status.get("message") or "Unauthorized")
        return Unavailable(
            f"the credentials are refused: {said}", code=UNAUTHORIZED, reason="Unauthorized", status=status
        )
    return error_of(status, retry_after_s=float(after) if after.isdigit() else None)


def _unreachable(method: str, path: str, cause: BaseException) -> Unavailable:
    return Unavailable(f"{method} {path}: {type(cause).__name__}: {cause}")
