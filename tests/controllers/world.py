"""A world for built-in controllers in virtual time: late news, lost answers, pods that do what the dice say.

The controllers see the API through `Weather`: calls take time and may fail before or after they were done, watch events
come late. The player binds pods and makes them ready, or not; all that is asserted is looked up in the store itself,
after every single commit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import anyio.abc

from runtime.api import ApiError, PatchType, Propagation, Selection, Unavailable, WatchEvent
from runtime.objects import PODS, Object, Reference, Resource, owner_uid, reference
from runtime.system import System
from tests.virtual_time import VirtualClock
from tiphys.devcluster.controllers import rooms
from tiphys.devcluster.controllers.podstate import is_active, is_ready
from tiphys.devcluster.gc import GarbageCollector
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change

BINDINGS = Resource("v1", "Binding", "bindings")


class Weather(InProcessApi):
    """The API as a network shows it; `bad` is the share of calls whose answer is lost."""

    def __init__(self, server: ApiServer, dice: Random, bad: float) -> None:
        super().__init__(server)
        self._dice, self._bad = dice, bad

    async def _wait(self) -> None:
        await anyio.sleep(self._dice.random() * 0.1)
        if self._dice.random() < self._bad / 2:
            raise Unavailable("lost before it was done")

    def _lose(self) -> None:
        if self._dice.random() < self._bad / 2:
            raise Unavailable("lost after it was done")

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        await self._wait()
        result = await super().create(resource, thing, dry_run=dry_run)
        self._lose()
        return result

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        await self._wait()
        result = await super().patch(ref, body, kind=kind, subresource=subresource, manager=manager)
        self._lose()
        return result

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        await self._wait()
        await super().delete(ref, grace_s=grace_s, propagation=propagation)
        self._lose()

    @asynccontextmanager
    async def watch(  # type: ignore[override]  # the same, as a generator
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        async with super().watch(resource, selection, resource_version=resource_version, timeout_s=timeout_s) as events:
            yield self._late(events)

    async def _late(self, events: AsyncIterator[WatchEvent]) -> AsyncIterator[WatchEvent]:
        async for event in events:
            if self._bad:
                await anyio.sleep(self._dice.random() * 0.05)
            yield event


@dataclass(frozen=True)
class Fate:
    """What becomes of a pod: seconds until it is ready, until it is unready for a while, until it ends with a code."""

    ready_s: float = 1.0
    wavers_s: float | None = None
    ends_s: float | None = None
    code: int = 0
    vanishes_s: float | None = None
    ending_s: float = 1.0  # from its deletion to its end


@dataclass
class World:
    """What a test works with."""

    server: ApiServer
    api: InProcessApi
    dice: Random
    fate: Callable[[Object], Fate]
    deaths: int = 0
    created: list[str] = field(default_factory=list)  # uids of all pods that ever were

    def pods(self) -> list[Object]:
        """All pods, straight from the store."""
        return [record.object for record in self.server.storage.bucket("", "pods").records.values()]

    def stored(self, group: str, plural: str) -> list[Object]:
        """All objects of a kind, straight from the store."""
        return [record.object for record in self.server.storage.bucket(group, plural).records.values()]

    def active(self) -> list[Object]:
        """Pods that run or will."""
        return [pod for pod in self.pods() if is_active(pod)]

    def ready(self) -> list[Object]:
        """Active pods that are ready."""
        return [pod for pod in self.active() if is_ready(pod)]

    def after_commit(self, look: Callable[[], None]) -> None:
        """Look after every commit."""
        self.server.storage.observers.append(lambda bucket, change: look())

    async def create(self, resource: Resource, thing: Object) -> Reference:
        """Create an object in the default namespace, in good weather."""
        thing["metadata"].setdefault("namespace", "default")
        return reference(resource, await self.api.create(resource, thing))

    async def until(self, good: Callable[[], bool], limit_s: float = 3000.0) -> None:
        """Wait until it is so."""
        with anyio.fail_after(limit_s):
            while not good():  # noqa: ASYNC110  # virtual time costs nothing
                await anyio.sleep(0.25)

    # -------------------------------------------------------------------------------------- the player

    async def play(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run every pod."""
        async with anyio.create_task_group() as tasks:

            def observe(bucket: Bucket, change: Change) -> None:
                if bucket.plural != "pods":
                    return
                pod = change.record.object
                if change.type == "ADDED":
                    self.created.append(pod["metadata"]["uid"])
                    tasks.start_soon(self._run, pod)

            self.server.storage.observers.append(observe)
            task_status.started()
            await anyio.sleep_forever()

    async def _run(self, pod: Object) -> None:
        fate = self.fate(pod)
        ref = reference(PODS, pod)
        try:
            await anyio.sleep(0.02)
            binding = {"metadata": {"name": ref.name, "namespace": "default", "uid": ref.uid}, "target": {"name": "n"}}
            await self.api.create(BINDINGS, binding)
            began = anyio.current_time()
            said = None
            while True:
                await anyio.sleep(0.2)
                now = anyio.current_time() - began
                pod = await self.api.get(ref)
                if "deletionTimestamp" in pod["metadata"]:
                    await anyio.sleep(fate.ending_s)
                    await self.api.delete(ref, grace_s=0)
                    return
                if fate.vanishes_s is not None and now >= fate.vanishes_s:
                    await self.api.delete(ref, grace_s=0)
                    return
                if fate.ends_s is not None and now >= fate.ends_s:
                    await self._say(ref, "Succeeded" if fate.code == 0 else "Failed", ready=False)
                    await self._until_deleted(ref)
                    return
                wavers = fate.wavers_s is not None and fate.wavers_s <= now < fate.wavers_s + 3
                word = now >= fate.ready_s and not wavers
                if word is not said:
                    said = word
                    await self._say(ref, "Running", ready=word)
        except ApiError:
            return  # it went meanwhile

    async def _until_deleted(self, ref: Reference) -> None:
        while "deletionTimestamp" not in (await self.api.get(ref))["metadata"]:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.5)

    async def _say(self, ref: Reference, phase: str, *, ready: bool) -> None:
        at = stamp(self.server.now())
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at}
        status = {"phase": phase, "podIP": "10.0.0.1", "conditions": [condition]}
        await self.api.patch(ref, {"status": status}, subresource="status")


def owned_by(things: list[Object], uid: str) -> list[Object]:
    """Those whose controller has that uid."""
    return [thing for thing in things if owner_uid(thing) == uid]


def steady(pod: Object) -> Fate:
    """Every pod gets ready and stays so."""
    return Fate()


@asynccontextmanager
async def world(
    fate: Callable[[Object], Fate] = steady, *, seed: int = 0, bad: float = 0.0, deaths_every_s: float | None = None
) -> AsyncIterator[World]:
    """A world whose controllers die at random moments when `deaths_every_s` is given, and start again at once."""
    clock = VirtualClock()
    server = ApiServer(now=clock.wall, random=Random(seed))
    server.start()
    here = World(server, InProcessApi(server), Random(seed), fate)
    weather = Weather(server, Random(seed + 1), bad)
    async with anyio.create_task_group() as tasks:
        await tasks.start(here.play)
        await tasks.start(GarbageCollector(server).run)
        await tasks.start(_controllers, here, weather, clock, deaths_every_s)
        yield here
        tasks.cancel_scope.cancel()


async def _controllers(
    here: World,
    api: InProcessApi,
    clock: VirtualClock,
    deaths_every_s: float | None,
    *,
    task_status: anyio.abc.TaskStatus[None],
) -> None:
    first = True
    while True:
        system = System(api, rooms(), clock=clock, dice=Random(here.dice.random()))
        life_s = here.dice.expovariate(1 / deaths_every_s) if deaths_every_s else float("inf")
        with anyio.move_on_after(life_s):
            async with anyio.create_task_group() as tasks:
                await tasks.start(system.run)
                if first:
                    task_status.started()
                    first = False
                await anyio.sleep_forever()
        here.deaths += 1
