"""A command becomes a call to the API server: with the preconditions under which it was decided, page by page where it
is long."""

from __future__ import annotations

from collections import deque
from typing import Any

from runtime.api import Api, Conflict, Gone, LogOptions, Selection
from runtime.messages import Command, Create, Delete, List, Patch, Read, ReadLog, WriteStatus
from runtime.objects import Object, Reference, Resource

READ_LOG_BYTES_MAX = 16 * 1024 * 1024
"""Of a longer log, its end is kept."""

LIST_PAGE = 500
LIST_MAX = 10_000
"""Objects of one live list; an actor that needs more should watch."""


class Calls:
    """The calls of one program, which signs what it writes as `manager`."""

    def __init__(self, api: Api, manager: str) -> None:
        self._api = api
        self._manager = manager

    async def make(self, command: Command) -> Any:
        """Perform a command that is no Ask; its result. Raises ApiError, and TypeError for what is none to the API."""
        match command:
            case WriteStatus(ref, patch, version, subresource):
                body = _conditional(patch, ref, version)
                return await self._api.patch(ref, body, subresource=subresource, manager=self._manager)
            case Create(resource, thing):
                return await self._api.create(resource, thing)
            case Patch(ref, body, kind, subresource):
                guarded: Any = _with_uid(body, ref) if isinstance(body, list) else _conditional(body, ref)
                return await self._api.patch(ref, guarded, kind=kind, subresource=subresource, manager=self._manager)
            case Delete():
                return await self._delete(command)
            case Read(ref):
                return await self._api.get(ref)
            case List(resource, selection):
                return await self._list(resource, selection)
            case ReadLog(ref, options):
                return await self._read_log(ref, options)
            case _:
                raise TypeError(f"{type(command).__name__} is not a command to the API")

    async def _delete(self, command: Delete) -> None:
        try:
            await self._api.delete(command.ref, grace_s=command.grace_s, propagation=command.propagation)
        except Gone:
            return
        except Conflict:
            # A server answers a wrong uid with Conflict: then that very object is gone, which was the wish.
            if not command.ref.uid:
                raise
            try:
                await self._api.get(command.ref)
            except Gone:
                return
            raise

    async def _list(self, resource: Resource, selection: Selection) -> list[Object]:
        found: list[Object] = []
        page = await self._api.list(resource, selection, limit=LIST_PAGE)
        found += page.items
        while page.continue_ and len(found) < LIST_MAX:
            page = await self._api.list(resource, selection, limit=LIST_PAGE, continue_=page.continue_)
            found += page.items
        return found[:LIST_MAX]

    async def _read_log(self, ref: Reference, options: LogOptions) -> bytes:
        chunks: deque[bytes] = deque()
        size = 0
        async with self._api.log(ref, options._replace(follow=False)) as stream:
            async for chunk in stream:
                chunks.append(chunk)
                size += len(chunk)
                while size - len(chunks[0]) >= READ_LOG_BYTES_MAX:
                    size -= len(chunks.popleft())
        return b"".join(chunks)


def _conditional(patch: Object, ref: Reference, version: str = "") -> Object:
    """The patch with its preconditions: the uid and the version it was computed from."""
    meta = dict(patch.get("metadata") or {})
    if ref.uid:
        meta["uid"] = ref.uid
    if version:
        meta["resourceVersion"] = version
    return {**patch, "metadata": meta} if meta else patch


def _with_uid(operations: list[Any], ref: Reference) -> list[Any]:
    """A JSON patch that tests the uid first; servers answer another uid with Refused (422) or with Conflict."""
    return [{"op": "test", "path": "/metadata/uid", "value": ref.uid}, *operations] if ref.uid else operations
