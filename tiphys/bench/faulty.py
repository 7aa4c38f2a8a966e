"""An API that fails now and then, as real ones do: what a soak puts between a controller and its server.

A call is refused before it is carried out (409, 429, 500), or carried out and its answer lost, or late; a stream breaks
or is told that it is too old. The dice are the caller's: the same seed and the same calls fail alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import anyio

from runtime.api import Api, Conflict, Expired, Selection, Throttled, Unavailable, WatchEvent
from runtime.objects import Object, Reference, Resource

LATE_S: Final = 1.0  # how late an answer is at most
AFTER_S: Final = 0.5  # what a 429 asks for
STREAM_S: Final = 120.0  # how long a stream holds on average, where calls fail at all
ROUGH_STREAM_S: Final = 10.0  # likewise, while the weather is rough
EXPIRED: Final = 0.2  # of the streams that break: how many are told 410

REFUSALS: Final[tuple[tuple[str, Callable[[], Exception]], ...]] = (
    ("throttled", lambda: Throttled("too many requests", after_s=AFTER_S, code=429, reason="TooManyRequests")),
    ("server error", lambda: Unavailable("internal error", code=500, reason="InternalError")),
    ("conflict", lambda: Conflict("somebody was faster", code=409, reason="Conflict")),
)


class Faulty:
    """`runtime.api.Api` over another one, of whose calls a share (0 to 1) goes wrong. `counts` says what did.

    While the weather is `rough`, streams hold a twelfth as long."""

    def __init__(self, api: Api, share: float, dice: Random) -> None:
        self.counts: Counter[str] = Counter()
        self.rough = False
        self._api = api
        self._share = share
        self._dice = dice

    async def get(self, ref: Reference) -> Object:
        """Read one object."""
        found: Object = await self._pass(lambda: self._api.get(ref))
        return found

    async def list(self, resource: Resource, selection: Selection = Selection(), **options: Any) -> Any:
        """Read a collection."""
        return await self._pass(lambda: self._api.list(resource, selection, **options))

    async def create(self, resource: Resource, thing: Object, **options: Any) -> Object:
        """Create an object."""
        made: Object = await self._pass(lambda: self._api.create(resource, thing, **options))
        return made

    async def replace(self, resource: Resource, thing: Object, **options: Any) -> Object:
        """PUT."""
        made: Object = await self._pass(lambda: self._api.replace(resource, thing, **options), conditional=True)
        return made

    async def patch(self, ref: Reference, body: Any, **options: Any) -> Object:
        """Patch an object."""
        made: Object = await self._pass(lambda: self._api.patch(ref, body, **options), conditional=True)
        return made

    async def delete(self, ref: Reference, **options: Any) -> None:
        """Delete an object."""
        await self._pass(lambda: self._api.delete(ref, **options))

    def log(self, ref: Reference, *args: Any, **options: Any) -> Any:
        """Stream a log; it never fails by our doing."""
        return self._api.log(ref, *args, **options)

    @asynccontextmanager
    async def watch(
        self, resource: Resource, selection: Selection = Selection(), **options: Any
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        """Stream what changes, until the stream breaks."""
        async with self._api.watch(resource, selection, **options) as events:
            yield self._breaking(events)

    async def _breaking(self, events: AsyncIterator[WatchEvent]) -> AsyncIterator[WatchEvent]:
        mean_s = ROUGH_STREAM_S if self.rough else STREAM_S
        holds_s = self._dice.expovariate(1 / mean_s) if self._share else float("inf")
        end = anyio.current_time() + holds_s
        async for event in events:
            yield event
            if anyio.current_time() > end:
                if self._dice.random() < EXPIRED:
                    self.counts["expired"] += 1
                    raise Expired("too old resource version", code=410, reason="Expired")
                self.counts["broken stream"] += 1
                raise Unavailable("the stream broke")

    async def _pass(self, call: Callable[[], Awaitable[Any]], *, conditional: bool = False) -> Any:
        if self._dice.random() >= self._share:
            return await call()
        fault = self._dice.choice(("refused", "lost answer", "late answer"))
        if fault == "refused":
            name, refusal = self._dice.choice(REFUSALS if conditional else REFUSALS[:2])
            self.counts[name] += 1
            raise refusal()
        self.counts[fault] += 1
        answer = await call()
        if fault == "lost answer":
            raise Unavailable("timed out: nobody knows what became of it")
        await anyio.sleep(self._dice.random() * LATE_S)
        return answer
