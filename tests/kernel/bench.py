"""The performers alone: what an actor asks for goes to an in-process API, and comes back to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio

from runtime.actor import Room
from runtime.messages import (
    Address,
    Done,
)
from runtime.objects import CONFIGMAPS, Reference
from runtime.perform import Performers
from runtime.registry import Actor, Registry
from tests.kernel.coat import Coat
from tests.kernel.kernel import Scripted
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer


def at(name: str) -> Reference:
    return Reference(CONFIGMAPS, "default", name)


class Bench:
    """Performers over a coated in-process API, and one actor that asks."""

    def __init__(self, performers: Performers, api: Coat, registry: Registry, actor: Actor) -> None:
        self.performers, self.api, self.registry, self.actor = performers, api, registry, actor

    def submit(self, *commands: Any) -> None:
        for command in commands:
            self.performers.submit(self.actor, command)

    def heard(self) -> list[Any]:
        """What came back to the actor since the last time."""
        found = []
        while self.actor.mailbox is not None and (message := self.actor.mailbox.take()) is not None:
            found.append(message)
        return found

    def results(self) -> list[tuple[str, Any]]:
        return [
            ("done" if isinstance(m, Done) else type(m.error).__name__, getattr(m.command, "tag", ""))
            for m in self.heard()
        ]


async def answer(query: Any) -> Any:
    if isinstance(query, BaseException):
        raise query
    if isinstance(query, float):
        await anyio.sleep(query)
    return query


@asynccontextmanager
async def bench(**options: Any) -> AsyncIterator[Bench]:
    server = ApiServer(now=VirtualClock().wall)
    server.start()
    api = Coat(InProcessApi(server), delay_s=1.0)
    registry = Registry()
    room = Room("a", Scripted(), services={"echo": answer})
    performers = Performers(api, {"a": room}, registry, manager="tests", dice=Random(1), **options)
    actor = Actor(Address("a", "default", "x", ""), room.mind, None)
    registry.add(actor)
    async with anyio.create_task_group() as tasks:
        await tasks.start(performers.run)
        yield Bench(performers, api, registry, actor)
        tasks.cancel_scope.cancel()
