"""One list and watch kept up for ever: what changed is told, whatever happens to the connection.

After a break or an expired version the collection is listed again and what vanished in between is told as deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import anyio
import anyio.lowlevel

from runtime.api import Api, ApiError, Expired, Refused, Selection, Throttled, WatchEvent
from runtime.objects import Object, Resource

RETRY_FIRST_S = 0.05
RETRY_MAX_S = 10.0


class Change(NamedTuple):
    """An object as it is now, or (`deleted`) as it was last. `first`: it was there before the watch began."""

    object: Object
    deleted: bool = False
    first: bool = False


Tell: TypeAlias = Callable[[Change], None]


class _Known:
    """What was told so far, by uid."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._things: dict[str, Object] | None = None

    def listed(self, items: list[Object]) -> None:
        """Tell a fresh list: what is gone first (a name may have a new owner), then what is new or newer."""
        known, first = self._things or {}, self._things is None
        fresh = {thing["metadata"]["uid"]: thing for thing in items}
        for uid in [uid for uid in known if uid not in fresh]:
            self._tell(Change(known[uid], deleted=True))
        self._things = fresh
        for uid, thing in fresh.items():
            if uid not in known or _version(known[uid]) != _version(thing):
                self._tell(Change(thing, first=first))

    def happened(self, event: WatchEvent) -> None:
        """Tell an event of the watch."""
        things, uid = self._things, event.object["metadata"]["uid"]
        assert things is not None
        if event.type == "DELETED":
            things.pop(uid, None)
        else:
            things[uid] = event.object
        self._tell(Change(event.object, deleted=event.type == "DELETED"))


async def follow(api: Api, resource: Resource, tell: Tell, selection: Selection) -> None:
    """Tell every object of the selection and every change to it, until cancelled. Raises Refused when forbidden."""
    known = _Known(tell)
    delay = RETRY_FIRST_S
    while True:
        try:
            listed = await api.list(resource, selection)
            known.listed(listed.items)
            version, delay = listed.resource_version, RETRY_FIRST_S
            while True:
                version = await _watch_once(api, resource, selection, version, known)
        except Expired:
            continue
        except Refused:
            raise
        except ApiError as error:
            await anyio.sleep(error.after_s if isinstance(error, Throttled) else delay)
            delay = min(delay * 2, RETRY_MAX_S)


async def _watch_once(api: Api, resource: Resource, selection: Selection, version: str, known: _Known) -> str:
    """One watch until the server closes it; the version to go on from."""
    async with api.watch(resource, selection, resource_version=version) as events:
        async for event in events:
            version = event.object["metadata"].get("resourceVersion", version)
            if event.type != "BOOKMARK":
                known.happened(event)
    await anyio.lowlevel.checkpoint()  # a server that closes at once must not starve the others
    return version


def _version(thing: Object) -> object:
    return thing["metadata"].get("resourceVersion")
