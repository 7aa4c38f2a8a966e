"""Many actors that crash, stop, spawn, talk and write at random: the guarantees hold at every seed.

The seed is the bug report: `pytest -k "[17]"` walks the same way again.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any

import anyio
import pytest

from runtime.actor import Room, Watch
from runtime.api import AlreadyExists, Conflict, Throttled, Unavailable
from runtime.messages import (
    Address,
    Ask,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Message,
    Observed,
    Patch,
    Read,
    Spawn,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import CONFIGMAPS, SECRETS, Reference
from runtime.restarts import Budget
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]

NAMES = [f"c{number}" for number in range(8)]
PARTS = ["p", "q", "r"]


class Life:
    """What one life remembers of itself; everything it asks carries its number."""

    def __init__(self, number: int, address: Address) -> None:
        self.number = number
        self.address = address
        self.numbers = count()
        self.heard: dict[tuple[int, bool], int] = {}
        self.seen: dict[str, int] = {}


class Walker:
    """A mind that does anything, and notes every broken promise."""

    def __init__(self, dice: Random, known: dict[str, Address]) -> None:
        self.dice = dice
        self.known = known
        self.lives = count()
        self.broken: list[str] = []
        self.reading = False
        self.tally: dict[str, int] = {}

    def birth(self, address: Address, argument: Any) -> Life:
        if self.dice.random() < 0.03:
            raise RuntimeError("born to crash")
        if address.part == "":
            self.known[address.name] = address
        return Life(next(self.lives), address)

    def receive(self, life: Life, message: Message, now: float) -> Iterable[Command]:
        if self.reading:
            self.broken.append(f"{life.address} reads while another reads")
        self.reading = True
        try:
            self.tally[type(message).__name__] = self.tally.get(type(message).__name__, 0) + 1
            self.check(life, message)
            if self.dice.random() < 0.04:
                raise RuntimeError("crashed at random")
            return [self.command(life, message, now) for _ in range(self.dice.choice([0, 0, 1, 1, 2, 3]))]
        finally:
            self.reading = False

    def waiting(self, life: Life) -> str:
        return f"life {life.number}"

    def check(self, life: Life, message: Message) -> None:
        match message:
            case Done(command) | Failed(command):
                owner = getattr(command, "tag", "").split(":")[0]
                if owner != str(life.number):
                    self.broken.append(f"life {life.number} hears the result of life {owner}")
            case Woke(tag):
                if tag.split(":")[0] != str(life.number):
                    self.broken.append(f"life {life.number} is woken for {tag}")
            case Told(_, (sender, urgent, number)):
                if number <= life.heard.get((sender, urgent), -1):
                    self.broken.append(f"{number} of {sender} came after {life.heard[sender, urgent]}")
                life.heard[sender, urgent] = number
            case Observed(ref, thing):
                version = int(thing["metadata"]["resourceVersion"])
                if version < life.seen.get(ref.uid, 0):
                    self.broken.append(f"{ref} went back to {version}")
                life.seen[ref.uid] = version

    def command(self, life: Life, message: Message, now: float) -> Command:
        dice = self.dice
        name = dice.choice(NAMES)
        tag = f"{life.number}:{next(life.numbers)}"
        target = Reference(CONFIGMAPS, "default", name)
        urgent = dice.random() < 0.2
        word = (life.number, urgent, next(life.numbers))
        somebody = self.known.get(name, life.address)._replace(part=dice.choice(["", *PARTS]))
        choices: list[Command] = [
            Tell(somebody, word, urgent),
            Tell(somebody, word, urgent),
            Spawn(life.address._replace(part=(life.address.part + dice.choice(PARTS))[:3])),
            Patch(target, {"data": {"by": tag}}, tag=tag),
            WriteStatus(target, {"data": {"status": tag}}, "1", tag=tag),
            Read(target, tag),
            Create(SECRETS, {"metadata": {"generateName": "s-", "namespace": "default"}}, tag),
            Ask("echo", tag, tag),
            WakeAt(now + dice.randrange(30), tag),
        ]
        if dice.random() < 0.05:
            return Stop()
        if dice.random() < 0.03:
            return Delete(target, tag=tag)
        return dice.choice(choices)


def bad_day(dice: Random) -> Any:
    def fault(verb: str, subject: Any) -> BaseException | None:
        if dice.random() > 0.15:
            return None
        return dice.choice([Conflict("again"), Unavailable("cut"), Throttled("slow", after_s=2.0), KeyError("bug")])

    return fault


def families_are_whole(system: System) -> list[str]:
    """Every living child has a living parent that knows it; every timer an owner that lives."""
    parts, broken = system._parts, []
    for address, actor in parts.registry.actors.items():
        parent = actor.parent
        if parent is not None and (
            parts.registry.actors.get(parent.address) is not parent or (parent.children or {}).get(address) is not actor
        ):
            broken.append(f"{address} outlived its parent")
    for owner in parts.timers._by_owner:
        alive = parts.registry.actors.get(owner.address) is owner or parts.lives.quarantined.get(owner.address) is owner
        if not alive:
            broken.append(f"a timer outlived {owner}")
    return broken


async def echo(query: Any) -> Any:
    await anyio.sleep(1)
    return query


async def walk(seed: int) -> Walker:
    dice = Random(seed)
    server = ApiServer(now=VirtualClock().wall, random=Random(seed))
    server.start()
    api = InProcessApi(server)
    mind = Walker(dice, {})
    watches = (
        Watch(CONFIGMAPS, lambda t: Address("a", "default", t["metadata"]["name"], t["metadata"]["uid"]), wakes=True),
        Watch(SECRETS, lambda t: mind.known.get(dice.choice(NAMES))),
    )
    room = Room("a", mind, watches, {"echo": echo})
    system = System(
        Coat(api, delay_s=0.3, fault=bad_day(dice)),
        [room],
        settings=Settings("default", concurrency=4, budget=Budget(20, 60.0)),
        clock=VirtualClock(),
        dice=dice,
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        for step in range(150):
            for poke in range(6):
                somebody = mind.known.get(dice.choice(NAMES))
                if somebody is not None:
                    system.tell(somebody._replace(part=dice.choice(["", *PARTS])), (-1, False, step * 6 + poke))
            name = dice.choice(NAMES)
            thing = {"metadata": {"name": name, "namespace": "default"}}
            if dice.random() < 0.5:
                with suppress(AlreadyExists):
                    await api.create(CONFIGMAPS, thing)
            await anyio.sleep(dice.random() * 4)
            mind.broken += families_are_whole(system)
        tasks.cancel_scope.cancel()
    statistics = system.statistics()
    mind.tally["crashes"] = statistics.lives.crashes
    return mind


@pytest.mark.parametrize("seed", range(12))
async def test_no_walk_breaks_a_promise(seed: int):
    mind = await walk(seed)

    assert mind.broken == []
    assert mind.tally["crashes"] > 20, "the walk was too tame to show anything"
    for kind in ("Observed", "Done", "Failed", "Told", "Woke", "Down"):
        assert mind.tally[kind] > 5, f"hardly any {kind}"
