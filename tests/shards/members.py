"""Several processes' worth of controllers in one event loop: each member sees the API through a coat of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import anyio.abc

from actors.names import buckets
from runtime.api import Api, Unavailable
from runtime.election import Election
from runtime.objects import LEASES, Object, Resource
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tests.world.world import World, world
from tiphys.controller.misplaced import Misplaced
from tiphys.controller.sharding import Sharding, division
from tiphys.controller.shards import Shards
from tiphys.controllers import ControllerSettings, rooms

SETTINGS = ControllerSettings(sharded=True)


class Observed(Coat):
    """What one member may do: once it is dead nothing arrives, and what it writes is its own."""

    def __init__(self, api: Api, member: Member) -> None:
        super().__init__(api, delay_s=0.002)
        self.member = member
        self.writes = 0

    async def _pass(self, verb: str, subject: Any, call: Callable[[], Any]) -> Any:
        if self.member.is_dead or self.member.is_cut_off:
            raise Unavailable("nobody is there to hear the answer")
        return await super()._pass(verb, subject, call)

    async def create(self, resource: Any, thing: Any, **options: Any) -> Any:
        self._wrote(resource, thing["metadata"].get("namespace", ""))
        return await super().create(resource, thing, **options)

    async def patch(self, ref: Any, body: Any, **options: Any) -> Any:
        self._wrote(ref.resource, ref.namespace)
        return await super().patch(ref, body, **options)

    async def delete(self, ref: Any, **options: Any) -> Any:
        self._wrote(ref.resource, ref.namespace)
        return await super().delete(ref, **options)

    def _wrote(self, resource: Resource, namespace: str) -> None:
        if resource == LEASES or self.member.is_dead:
            return
        self.writes += 1
        self.member.wrote(namespace)
        if self.writes == self.member.dies_at:
            self.member.kill()


class Member:
    """One process: a name, its coat, its shards."""

    def __init__(self, all_of_them: Division, name: str, dies_at: int = 0) -> None:
        self.name, self.dies_at = name, dies_at
        self.is_dead = False
        self.is_cut_off = False  # from the server, which others reach
        self.coat = Observed(all_of_them.here.api, self)
        sharding = Sharding(all_of_them.groups, "default", identity=name)
        self.shards = Shards(self.coat, sharding, self._make, VirtualClock())
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.births: list[int] = []
        self._all = all_of_them
        self._misplaced = Misplaced(self.coat)

    def _make(self, number: int, election: Election) -> System:
        self.births.append(number)
        settings = Settings(
            election=election, division=division(number, self._all.groups, "default", self._misplaced.add)
        )
        return System(
            self.coat, rooms(SETTINGS), settings=settings, clock=VirtualClock(), dice=Random(len(self.births))
        )

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        with self.scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._misplaced.run)
                await self.shards.run(task_status=task_status)
        self.ended.set()

    def kill(self) -> None:
        """As SIGKILL does: nothing more is sent, and nobody is told."""
        self.is_dead = True
        self.scope.cancel()

    def wrote(self, namespace: str) -> None:
        number = buckets.group(namespace, self._all.groups)
        system = self.shards.systems.get(number)
        if system is None or not system.elections[0].held:
            self._all.wrong.append(f"{self.name} wrote in {namespace} and does not hold shard {number}")

    def held(self) -> set[int]:
        return set() if self.is_dead else set(self.shards.statistics().ours)


class Division:
    """All members, and what was seen to be wrong."""

    def __init__(self, here: World, groups: int, tasks: anyio.abc.TaskGroup) -> None:
        self.here, self.groups, self.tasks = here, groups, tasks
        self.members: dict[str, Member] = {}
        self.wrong: list[str] = []
        self.most_unheld_s = 0.0

    async def join(self, name: str, dies_at: int = 0) -> Member:
        member = self.members[name] = Member(self, name, dies_at)
        await self.tasks.start(member.run)
        return member

    def begin(self, name: str) -> Member:
        """Without waiting until it has what is its own."""
        member = self.members[name] = Member(self, name)
        self.tasks.start_soon(self.tasks.start, member.run)
        return member

    async def leave(self, name: str) -> None:
        member = self.members.pop(name)
        member.scope.cancel()
        await member.ended.wait()

    async def watch(self) -> None:
        """Never two holders; how long a group is nobody's."""
        unheld = dict.fromkeys(range(self.groups), 0.0)
        while True:
            held = [number for member in self.members.values() for number in member.held()]
            if len(held) != len(set(held)):
                self.wrong.append(f"two hold one shard: {held}")
            for number in unheld:
                unheld[number] = 0.0 if number in held else unheld[number] + 0.1
            self.most_unheld_s = max(self.most_unheld_s, *unheld.values())
            await anyio.sleep(0.1)

    def held(self) -> dict[str, set[int]]:
        return {name: member.held() for name, member in self.members.items() if not member.is_dead}

    async def even(self, limit_s: float = 60.0) -> None:
        """Wait until all groups are held, by shares that differ by one at most."""
        with anyio.fail_after(limit_s):
            while True:
                sizes = [len(groups) for groups in self.held().values()]
                if sizes and sum(sizes) == self.groups and max(sizes) - min(sizes) <= 1:
                    return
                await anyio.sleep(0.1)


@asynccontextmanager
async def divided(script: Any, groups: int, *, seed: int = 0) -> AsyncIterator[Division]:
    """A world whose controllers are members of a division."""
    async with world(script, seed=seed) as here:
        here.replaced = True
        here.die()
        async with anyio.create_task_group() as tasks:
            found = Division(here, groups, tasks)
            tasks.start_soon(found.watch)
            yield found
            tasks.cancel_scope.cancel()
        assert not found.wrong, found.wrong[:5]


def namespaces(groups: int, each: int = 1) -> list[str]:
    """Names of namespaces, so many in each group, group by group."""
    found: dict[int, list[str]] = {number: [] for number in range(groups)}
    at = 0
    while any(len(names) < each for names in found.values()):
        name = f"team-{at}"
        names = found[buckets.group(name, groups)]
        if len(names) < each:
            names.append(name)
        at += 1
    return [name for names in found.values() for name in names]


def workflow(namespace: str, name: str, *, steps: int = 3) -> Object:
    """A few pods one after the other."""
    lines = [[{"name": f"s{at}", "template": "pod"}] for at in range(steps)]
    pod = {"name": "pod", "container": {"image": "alpine", "command": ["true"]}}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "steps": lines}, pod]}
    meta = {"namespace": namespace, "name": name}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": meta, "spec": spec}
