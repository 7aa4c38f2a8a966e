"""One list and watch kept up for ever: what changed is told, whatever happens to the connection.

After a break or an expired version the collection is listed again and what vanished in between is told as deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

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
Outcome: TypeAlias = Literal["ended", "expired"]


async def follow(api: Api, resource: Resource, tell: Tell, selection: Selection) -> None:
    """Tell every object of the selection and every change to it, until cancelled. Raises Refused when forbidden."""
    known: dict[str, Object] = {}
    first = True
    delay = RETRY_FIRST_S
    while True:
        try:
            listed = await api.list(resource, selection)
            _reconcile(known, listed.items, tell, first=first)
            first, delay = False, RETRY_FIRST_S
            version = listed.resource_version
            while True:
                version = await _watch_once(api, resource, selection, version, known, tell)
        except Expired:
            continue
        except Refused:
            raise
        except ApiError as error:
            await anyio.sleep(error.after_s if isinstance(error, Throttled) else delay)
            delay = min(delay * 2, RETRY_MAX_S)


async def _watch_once(
    api: Api, resource: Resource, selection: Selection, version: str, known: dict[str, Object], tell: Tell
) -> str:
    """One watch until the server closes it; the version to go on from."""
    async with api.watch(resource, selection, resource_version=version) as events:
        async for event in events:
            version = event.object["metadata"].get("resourceVersion", version)
            if event.type != "BOOKMARK":
                _tell_event(event, known, tell)
    await anyio.lowlevel.checkpoint()  # a server that closes at once must not starve the others
    return version


def _tell_event(event: WatchEvent, known: dict[str, Object], tell: Tell) -> None:
    uid = event.object["metadata"]["uid"]
    if event.type == "DELETED":
        known.pop(uid, None)
        tell(Change(event.object, deleted=True))
        return
    known[uid] = event.object
    tell(Change(event.object))


def _reconcile(known: dict[str, Object], items: list[Object], tell: Tell, *, first: bool) -> None:
    """Tell a fresh list: what is gone first (a name may have a new owner), then what is new or newer."""
    fresh = {thing["metadata"]["uid"]: thing for thing in items}
    for uid in [uid for uid in known if uid not in fresh]:
        tell(Change(known.pop(uid), deleted=True))
    for uid, thing in fresh.items():
        old = known.get(uid)
        known[uid] = thing
        if old is None or old["metadata"].get("resourceVersion") != thing["metadata"].get("resourceVersion"):
            tell(Change(thing, first=first))
