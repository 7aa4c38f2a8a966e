"""A kernel without an event loop: registry, lives and scheduler on a clock that the test sets.

Verified by being the real classes: only the cache (a dictionary) and the performer (a list) are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runtime.actor import Room
from runtime.lives import Lives, Quarantine
from runtime.messages import Address, Command, Message, Observed
from runtime.registry import Actor, Registry
from runtime.restarts import Budget
from runtime.scheduler import Scheduler
from runtime.timers import Timers
from tests.virtual_time import HandClock

BUDGET = Budget(3, 60.0)

Receive = Callable[[Any, Message, float], Iterable[Command]]


class Scripted:
    """A mind whose behaviour is a function; the state is the list of messages read."""

    def __init__(self, receive: Receive = lambda state, message, now: ()) -> None:
        self.react = receive
        self.born: list[Address] = []

    def birth(self, address: Address, argument: Any) -> Any:
        self.born.append(address)
        if isinstance(argument, Exception):
            raise argument
        return []

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        state.append(message)
        return self.react(state, message, now)

    def waiting(self, state: Any) -> str:
        return f"read {len(state)} messages"


class Kernel:
    """The kernel's synchronous parts, wired."""

    def __init__(self, *rooms: Room, budget: Budget = BUDGET) -> None:
        self.clock = HandClock()
        self.cache: dict[Address, list[Observed]] = {}
        self.asked: list[tuple[Actor, Command]] = []
        self.registry = Registry()
        self.timers: Timers[Actor | Quarantine] = Timers()
        by_name = {room.name: room for room in rooms}
        self.lives = Lives(by_name, self.registry, self.timers, self.clock, self, budget)
        self.scheduler = Scheduler(self.lives, self.timers, self, self.clock)

    def cached(self, address: Address) -> list[Observed]:
        return self.cache.get(address, [])

    def has_own(self, address: Address) -> bool:
        return address in self.cache

    def submit(self, actor: Actor, command: Command) -> None:
        self.asked.append((actor, command))

    def wake(self, address: Address) -> Actor:
        self.cache.setdefault(address, [])
        actor = self.lives.wake(address)
        assert actor is not None
        return actor

    def run(self) -> None:
        """Turn until nobody has anything to read."""
        while self.scheduler.turn() or self.registry.ready:
            pass

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.run()
