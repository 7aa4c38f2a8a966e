"""How many messages a second go through registry, mailbox and scheduler, with minds that do next to nothing.

    python bench/mailbox.py [--actors 1000] [--messages 1000000]

`burst`: messages posted from outside, then read. `ring`: every message makes its reader tell the next actor, the whole
way of a Tell. `observed`: states of few objects, most of which replace one that still waits. `births`: wake and stop.
CPU seconds are counted, not wall time: a shared machine would lie.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runtime.actor import Room
from runtime.clock import SystemClock
from runtime.lives import Lives, Quarantine
from runtime.messages import Address, Command, Message, Observed, Stop, Tell, Told
from runtime.objects import CONFIGMAPS, Reference
from runtime.registry import Actor, Registry
from runtime.router import Router
from runtime.scheduler import Scheduler
from runtime.timers import Timers

SENDER = Address("bench", "", "outside", "")


class Quiet:
    """Reads and says nothing."""

    def birth(self, address: Address, argument: Any) -> Any:
        return None

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        return ()

    def waiting(self, state: Any) -> str:
        return "nothing"


class Ring(Quiet):
    """Tells the next actor, as often as the word says."""

    def __init__(self, actors: int) -> None:
        self.tells = [Tell(address(number), None) for number in range(actors)]
        self.left = 0

    def birth(self, address: Address, argument: Any) -> Any:
        return self.tells[(int(address.name) + 1) % len(self.tells)]

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        if isinstance(message, Told) and self.left > 0:
            self.left -= 1
            return (state,)
        return ()


class Brief(Quiet):
    """Stops at once."""

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        return (Stop(),)


class Nobody:
    """No performer is needed."""

    def submit(self, actor: Actor, command: Command) -> None:
        raise AssertionError(command)


def address(number: int) -> Address:
    """The address of the n-th actor."""
    return Address("bench", "default", str(number), "")


def kernel(mind: Any) -> tuple[Registry, Lives, Scheduler]:
    """Registry, lives and scheduler without a system around them."""
    registry = Registry()
    timers: Timers[Actor | Quarantine] = Timers()
    rooms = {"bench": Room("bench", mind)}
    lives = Lives(rooms, registry, timers, SystemClock(), Router(tuple(rooms.values()), registry))
    return registry, lives, Scheduler(lives, timers, Nobody(), SystemClock())


def drain(scheduler: Scheduler) -> None:
    """Turn until nobody is ready."""
    while scheduler.turn():
        pass


def burst(actors: int, messages: int) -> float:
    """CPU seconds to post and read."""
    registry, lives, scheduler = kernel(Quiet())
    all_ = [lives.wake(address(number)) for number in range(actors)]
    drain(scheduler)
    word = Told(SENDER, None)
    start = time.process_time()
    for _ in range(messages // actors):
        for actor in all_:
            if actor is not None:
                registry.post(actor, word)
    drain(scheduler)
    return time.process_time() - start


def ring(actors: int, messages: int) -> float:
    """CPU seconds for messages that each cause the next; an eighth of the actors hold one at any time."""
    mind = Ring(actors)
    registry, lives, scheduler = kernel(mind)
    all_ = [lives.wake(address(number)) for number in range(actors)]
    drain(scheduler)
    mind.left = messages
    for actor in all_[::8]:
        if actor is not None:
            registry.post(actor, Told(SENDER, None))
    start = time.process_time()
    drain(scheduler)
    return time.process_time() - start


def observed(actors: int, messages: int) -> float:
    """CPU seconds to post states of ten objects an actor, and read what is left of them."""
    registry, lives, scheduler = kernel(Quiet())
    all_ = [lives.wake(address(number)) for number in range(actors)]
    drain(scheduler)
    states = [Observed(Reference(CONFIGMAPS, "default", str(number), "u"), {}) for number in range(10)]
    start = time.process_time()
    for number in range(messages // actors):
        for actor in all_:
            if actor is not None:
                registry.post(actor, states[number % 10])
    drain(scheduler)
    return time.process_time() - start


def births(actors: int, messages: int) -> float:
    """CPU seconds to be born, read one message, and end."""
    _, lives, scheduler = kernel(Brief())
    start = time.process_time()
    for number in range(messages // 10):
        lives.wake(address(number))
    drain(scheduler)
    return (time.process_time() - start) * 10


SCENARIOS: tuple[Callable[[int, int], float], ...] = (burst, ring, observed, births)


def main() -> None:
    """Print a line a scenario."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--actors", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=1_000_000)
    options = parser.parse_args()
    for scenario in SCENARIOS:
        seconds = min(scenario(options.actors, options.messages) for _ in range(3))
        rate = options.messages / seconds
        sys.stdout.write(f"{scenario.__name__:10} {rate / 1000:8.0f} k/s   {1e6 / rate:6.2f} us each\n")


if __name__ == "__main__":
    main()
