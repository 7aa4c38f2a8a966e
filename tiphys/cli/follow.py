"""A collection as it is, then as it changes: list and watch, through every ordinary interruption.

The first event of every object is its present state; after a gap the collection is listed again, so a listener never
misses how something ended.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import anyio

from runtime.api import Api, Expired, Selection, Throttled, Unavailable, WatchEvent
from runtime.objects import Object, Resource

PAUSE_S: Final = 0.2
PAUSE_MAX_S: Final = 5.0
GIVE_UP_AFTER: Final = 10
"""Failures in a row, with pauses that grow to PAUSE_MAX_S: after about half a minute the API server is gone."""


async def changes(api: Api, resource: Resource, selection: Selection) -> AsyncGenerator[WatchEvent]:
    """Yield the state of every selected object and then every change, until the listener stops listening.

    An object that vanished during a gap is reported as DELETED with its last known state. Raises Unavailable when the
    API server does not answer for about half a minute, and whatever it refuses.
    """
    known: dict[str, Object] = {}
    failures = 0
    while True:
        try:
            listed = await api.list(resource, selection)
            present = {thing["metadata"]["uid"] for thing in listed.items}
            for uid in [uid for uid in known if uid not in present]:
                yield WatchEvent("DELETED", known.pop(uid))
            for thing in listed.items:
                known[thing["metadata"]["uid"]] = thing
                yield WatchEvent("ADDED", thing)
            version = listed.resource_version
            while True:
                async with api.watch(resource, selection, resource_version=version) as events:
                    async for event in events:
                        failures = 0
                        version = event.object["metadata"].get("resourceVersion") or version
                        if event.type == "BOOKMARK":
                            continue
                        uid = event.object["metadata"]["uid"]
                        known[uid] = event.object
                        if event.type == "DELETED":
                            del known[uid]
                        yield event
        except Expired:
            continue
        except (Unavailable, Throttled):
            failures += 1
            if failures > GIVE_UP_AFTER:
                raise
            await anyio.sleep(min(PAUSE_MAX_S, PAUSE_S * 2**failures))
