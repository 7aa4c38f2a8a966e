"""The kernel beside pykka and plain asyncio queues, in one run: messages, memory, births, restarts, events.

    python bench/kernel.py [--actors 1000] [--messages 300000] [--json FILE]

"One at a time": a message is sent only when the one before it was read, through one actor or round a ring of a
thousand; that is the worst case of a mailbox, which is good at bursts. Of every measurement the best of three runs
counts: whatever else the machine does only makes it slower. Needs the `bench` dependency group for pykka.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.events import events_per_s, parse_us
from runtime.actor import Room
from runtime.clock import SystemClock
from runtime.lives import OBJECT_BUDGET, Alarm, Lives
from runtime.log import configure
from runtime.messages import Address, Command, Message, Observed, Tell, Told
from runtime.objects import CONFIGMAPS, Reference
from runtime.registry import Actor, Registry
from runtime.restarts import Budget
from runtime.scheduler import Scheduler
from runtime.timers import Timers

OUTSIDE = Address("bench", "", "outside", "")
PARKED = 100_000
RESTARTS = 20_000
TARGETS = {"one at a time": 300_000, "parked bytes": 1024, "socket to mind": 50_000}


class Quiet:
    """Reads and says nothing."""

    def birth(self, address: Address, argument: Any) -> Any:
        return None

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        return ()

    def waiting(self, state: Any) -> str:
        return "nothing"


class Ring(Quiet):
    """Tells the next actor, as often as there is something left."""

    def __init__(self, actors: int) -> None:
        self.tells = [(Tell(address(number), None),) for number in range(actors)]
        self.left = 0

    def birth(self, address: Address, argument: Any) -> Any:
        return self.tells[(int(address.name) + 1) % len(self.tells)]

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        if message.__class__ is Told and self.left > 0:
            self.left -= 1
            return state  # type: ignore[no-any-return]  # made in __init__
        return ()


class Fragile(Quiet):
    """Crashes on every word."""

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        if message.__class__ is Told:
            raise ValueError("bug")
        return ()


class Always:
    """A cache in which every object is."""

    def cached(self, address: Address) -> tuple[Observed, ...]:
        return ()

    def has_own(self, address: Address) -> bool:
        return True


class Nobody:
    """No performer is needed."""

    def submit(self, actor: Actor, command: Command) -> None:
        raise AssertionError(command)


def address(number: int) -> Address:
    """The address of the n-th actor."""
    return Address("bench", "default", str(number), "")


def kernel(mind: Any, budget: Budget = OBJECT_BUDGET) -> tuple[Registry, Lives, Scheduler]:
    """Registry, lives and scheduler without a system around them."""
    registry = Registry()
    timers: Timers[Alarm] = Timers()
    lives = Lives({"bench": Room("bench", mind)}, registry, timers, SystemClock(), Always(), budget)
    return registry, lives, Scheduler(lives, timers, Nobody(), SystemClock())


def drain(scheduler: Scheduler) -> None:
    """Turn until nobody is ready."""
    while scheduler.turn():
        pass


def populate(lives: Lives, scheduler: Scheduler, actors: int) -> list[Actor]:
    """So many actors, parked."""
    made = [actor for actor in map(lives.wake, map(address, range(actors))) if actor is not None]
    drain(scheduler)
    return made


# ------------------------------------------------------------------------------------------------ messages


def tiphys_ring(actors: int, messages: int) -> float:
    """Seconds for one token to make so many hops."""
    mind = Ring(actors)
    registry, lives, scheduler = kernel(mind)
    first = populate(lives, scheduler, actors)[0]
    mind.left = messages
    registry.post(first, Told(OUTSIDE, None))
    begun = time.process_time()
    drain(scheduler)
    return time.process_time() - begun


def tiphys_burst(actors: int, messages: int) -> float:
    """Seconds to post to all in turn and have everything read."""
    registry, lives, scheduler = kernel(Quiet())
    all_ = populate(lives, scheduler, actors)
    word = Told(OUTSIDE, None)
    begun = time.process_time()
    for _ in range(messages // actors):
        for actor in all_:
            registry.post(actor, word)
    drain(scheduler)
    return time.process_time() - begun


def queue_ring(actors: int, messages: int) -> float:
    """The same token through tasks that wait for an asyncio.Queue each."""

    async def run() -> float:
        queues: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(actors)]
        done = asyncio.Event()

        async def serve(mine: asyncio.Queue[int], next_: asyncio.Queue[int]) -> None:
            while True:
                left = await mine.get()
                if left == 0:
                    done.set()
                    return
                next_.put_nowait(left - 1)

        tasks = [asyncio.create_task(serve(queues[n], queues[(n + 1) % actors])) for n in range(actors)]
        await asyncio.sleep(0)
        begun = time.process_time()
        queues[0].put_nowait(messages)
        await done.wait()
        took = time.process_time() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return took

    return asyncio.run(run())


def queue_burst(actors: int, messages: int) -> float:
    """Everything is put into the queues, then read."""

    async def run() -> float:
        queues: list[asyncio.Queue[object]] = [asyncio.Queue() for _ in range(actors)]

        async def serve(mine: asyncio.Queue[object], number: int) -> None:
            for _ in range(number):
                await mine.get()

        tasks = [asyncio.create_task(serve(queue, messages // actors)) for queue in queues]
        await asyncio.sleep(0)
        begun = time.process_time()
        for _ in range(messages // actors):
            for queue in queues:
                queue.put_nowait(None)
        await asyncio.gather(*tasks)
        return time.process_time() - begun

    return asyncio.run(run())


def pykka_ring(actors: int, messages: int) -> float:
    """The same token through pykka's actors, a thread each."""
    import pykka  # noqa: PLC0415  # of the bench group

    done = threading.Event()
    refs: list[Any] = []

    class Hop(pykka.ThreadingActor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def on_receive(self, message: int) -> None:
            if message == 0:
                done.set()
            else:
                refs[(self.number + 1) % actors].tell(message - 1)

    refs.extend(Hop.start(number) for number in range(actors))
    begun = time.process_time()
    refs[0].tell(messages)
    done.wait()
    took = time.process_time() - begun
    pykka.ActorRegistry.stop_all()
    return took


# --------------------------------------------------------------------------------------- memory and lives


def bytes_per_actor() -> dict[str, float]:
    """What one parked actor takes: all that is allocated for it, its address and registration too."""

    def measured(make: Callable[[int], Any], number: int) -> float:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        kept = make(number)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del kept
        return (after - before) / number

    def ours(number: int) -> Any:
        registry, lives, scheduler = kernel(Quiet())
        populate(lives, scheduler, number)
        return registry, lives, scheduler

    async def queues(number: int) -> Any:
        async def serve(mine: asyncio.Queue[object]) -> None:
            await mine.get()

        made: list[asyncio.Queue[object]] = [asyncio.Queue() for _ in range(number)]
        tasks = [asyncio.create_task(serve(queue)) for queue in made]
        await asyncio.sleep(0)
        return made, tasks

    async def queue_bytes() -> float:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        made, tasks = await queues(20_000)
        gc.collect()
        taken = (tracemalloc.get_traced_memory()[0] - before) / 20_000
        tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        del made
        return taken

    return {"tiphys": measured(ours, 20_000), "asyncio queues": asyncio.run(queue_bytes())}


def create(number: int) -> float:
    """Seconds to give life to so many actors and have each read that it has Started."""
    _, lives, scheduler = kernel(Quiet())
    begun = time.process_time()
    populate(lives, scheduler, number)
    return time.process_time() - begun


def create_tasks(number: int) -> float:
    """Seconds to start so many tasks that wait for a queue."""

    async def run() -> float:
        async def serve(mine: asyncio.Queue[object]) -> None:
            await mine.get()

        begun = time.process_time()
        tasks = [asyncio.create_task(serve(asyncio.Queue())) for _ in range(number)]
        await asyncio.sleep(0)
        took = time.process_time() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return took

    return asyncio.run(run())


def restart(number: int) -> float:
    """Seconds for so many crashes, each with its rebirth and Started."""
    registry, lives, scheduler = kernel(Fragile(), Budget(number + 1, 0.001))
    populate(lives, scheduler, 1)
    begun = time.process_time()
    for _ in range(number):
        registry.post(registry.actors[address(0)], Told(OUTSIDE, None))
        drain(scheduler)
    return time.process_time() - begun


def observed(actors: int, messages: int) -> float:
    """Seconds to post states of ten objects an actor, and read what is left of them."""
    registry, lives, scheduler = kernel(Quiet())
    all_ = populate(lives, scheduler, actors)
    states = [Observed(Reference(CONFIGMAPS, "default", str(number), "u"), {}) for number in range(10)]
    begun = time.process_time()
    for number in range(messages // actors):
        for actor in all_:
            registry.post(actor, states[number % 10])
    drain(scheduler)
    return time.process_time() - begun


# ------------------------------------------------------------------------------------------------- report


def best(run: Callable[..., float], *options: int, times: int = 3) -> float:
    """The shortest of some runs, in seconds."""
    found = []
    for _ in range(times):
        gc.collect()
        found.append(run(*options))
    return min(found)


def measure(actors: int, messages: int, with_pykka: bool) -> dict[str, dict[str, float]]:
    """All numbers: measurement -> contender -> value."""
    few = max(messages // 20, 1000)
    rows: dict[str, dict[str, float]] = {}
    for count in (1, actors):
        name = f"messages/s, one at a time, {count} actor{'s' if count > 1 else ''}"
        rows[name] = {
            "tiphys": messages / best(tiphys_ring, count, messages),
            "asyncio queues": messages / best(queue_ring, count, messages),
        }
        if with_pykka:
            rows[name]["pykka"] = few / best(pykka_ring, count, few, times=1)
        rows[f"messages/s, bursts, {count} actor{'s' if count > 1 else ''}"] = {
            "tiphys": messages / best(tiphys_burst, count, messages),
            "asyncio queues": messages / best(queue_burst, count, messages),
        }
    rows[f"states/s of ten objects each, {actors} actors"] = {"tiphys": messages / best(observed, actors, messages)}
    rows["bytes per parked actor"] = bytes_per_actor()
    rows[f"seconds to create {PARKED:,}"] = {
        "tiphys": best(create, PARKED),
        "asyncio queues": best(create_tasks, PARKED),
    }
    rows["microseconds per crash and restart"] = {"tiphys": best(restart, RESTARTS) / RESTARTS * 1e6}
    rows["microseconds to parse one such pod (orjson)"] = {"tiphys": parse_us()}
    rows["events/s, socket to mind, 10,000 cached pods"] = {"tiphys": max(events_per_s() for _ in range(2))}
    return rows


def table(rows: dict[str, dict[str, float]]) -> str:
    """The numbers for people."""
    who = ["tiphys", "asyncio queues", "pykka"]
    lines = [f"{'':46}" + "".join(f"{name:>16}" for name in who)]
    for name, values in rows.items():
        cells = (
            f"{values[key]:16,.2f}" if 0 < values.get(key, 0) < 100 else f"{values.get(key, 0):16,.0f}" for key in who
        )
        shown = "".join(cell if key in values else f"{'-':>16}" for key, cell in zip(who, cells, strict=True))
        lines.append(f"{name:46}{shown}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--actors", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--json", type=Path, default=None, help="also write the numbers here")
    parser.add_argument("--no-pykka", action="store_true")
    options = parser.parse_args()
    if not options.no_pykka and find_spec("pykka") is None:
        parser.error("pykka is not installed: pip install pykka, or leave it out (--no-pykka)")
    configure(level="error", stream=open("/dev/null", "w"))  # noqa: PTH123, SIM115  # crashes are the measurement
    rows = measure(options.actors, options.messages, not options.no_pykka)
    sys.stdout.write(table(rows) + "\n")
    if options.json:
        options.json.write_text(json.dumps({"python": sys.version.split()[0], "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
