"""A bad day: an Api coat whose calls are late, refused or done without an answer; its watches repeat and break."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio

from runtime.api import Api, ApiError, Conflict, Throttled, Unavailable, WatchEvent
from tests.kernel.coat import Coat


class Weather(Coat):
    """Passes on to `api`; one call in `1/chance` meets an error, half of these after it was carried out."""

    def __init__(self, api: Api, dice: Random, chance: float = 0.08) -> None:
        super().__init__(api)
        self.dice = dice
        self.chance = chance

    async def _pass(self, verb: str, subject: Any, call: Callable[[], Any]) -> Any:
        del subject
        await anyio.sleep(self.dice.random() * 0.2)
        throw = self.dice.random()
        if throw < self.chance / 2:
            raise self._refusal(verb)
        result = await call()
        if throw < self.chance:
            raise Unavailable("the answer was lost")
        return result

    def _refusal(self, verb: str) -> ApiError:
        if verb == "patch" and self.dice.random() < 0.3:
            return Conflict("somebody was faster")
        return self.dice.choice([Throttled("too many", after_s=0.5), Unavailable("503"), Unavailable("timed out")])

    def watch(self, resource: Any, *args: Any, **options: Any) -> Any:
        return self._watch(resource, *args, **options)

    @asynccontextmanager
    async def _watch(self, resource: Any, *args: Any, **options: Any) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        async with self.api.watch(resource, *args, **options) as events:
            yield self._bent(events)

    async def _bent(self, events: AsyncIterator[WatchEvent]) -> AsyncIterator[WatchEvent]:
        async for event in events:
            await anyio.sleep(self.dice.random() * 0.3)
            yield event
            if self.dice.random() < 0.1:
                yield event
            if self.dice.random() < 0.03:
                raise Unavailable("the stream broke")
