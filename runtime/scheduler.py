"""One loop reads for all actors: take a message, ask the mind, do or hand on what it commands.

No actor has a task. Those with something to read stand in a queue; a turn lets each read at most a handful of messages
and lasts at most some milliseconds, then the event loop may do its I/O. What concerns actors (tell, spawn, wake, stop)
is done here and now; what concerns the API goes to the performers and comes back as a message.

`turn` is a plain function: a whole system of actors can be run in a test without an event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, assert_never

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from runtime.clock import Clock
from runtime.lives import Alarm, Lives, Quarantine
from runtime.log import Log
from runtime.messages import (
    Address,
    Answer,
    Ask,
    Command,
    Create,
    Delete,
    List,
    Measure,
    Message,
    Monitor,
    Patch,
    Question,
    Read,
    ReadLog,
    Spawn,
    Stop,
    Tell,
    Told,
    WakeAt,
    Withdraw,
    Woke,
    WriteStatus,
)
from runtime.questions import Pending
from runtime.registry import Actor
from runtime.timers import Timers

TURN_S = 0.005
TURN_MESSAGES_MAX = 10_000
"""A turn ends at whichever comes first, so that I/O waits at most about five milliseconds; the count also ends the turn
of a test whose clock stands still."""

ACTOR_MESSAGES_MAX = 64
"""What one actor may read before the next one's turn: enough to pay for the switch, too little to starve anybody."""

ACTOR_MESSAGES_KEPT = 8
"""Whom the end of a turn interrupts before it has read so many goes on first in the next: actors born in a row say what
they say after their birth in the order of their births, whatever the time."""

SLOW_S = 0.25
"""An actor that reads for so long at once holds up everybody: it is named in the log."""

IDLE_MAX_S = 600.0
"""The longest sleep: then the wall clock is read again, which a suspended machine may have moved."""


log = Log()


class Perform(Protocol):
    """Where commands to the API and to services go."""

    def submit(self, actor: Actor, command: Command) -> None:
        """Queue a command; its result comes back to `actor` as a message, if it still lives."""
        ...


class MailboxOverflow(Exception):  # it says what happened, as the log does
    """More messages waited for one actor than a mailbox takes."""


class SchedulerStatistics(NamedTuple):
    """Messages read so far, timers set, and seconds since the last turn."""

    messages: int
    timers: int
    idle_s: float


class Scheduler:
    """The loop over the ready queue."""

    def __init__(
        self,
        lives: Lives,
        timers: Timers[Alarm],
        perform: Perform,
        clock: Clock,
        *,
        measure: Callable[[Measure], None] = lambda command: None,
        absent: Callable[[Address], Actor | None] = lambda address: None,
    ) -> None:
        self._registry = lives.registry
        self._lives = lives
        self._timers = timers
        self._perform = perform
        self._clock = clock
        self._measure = measure
        self._absent = absent  # told to somebody who does not live: may wake an object's own actor
        self._worked: Callable[[], float] = getattr(clock, "worked", clock.monotonic)
        self._interrupted: dict[Actor, int] = {}  # who goes on first, and how many messages it has read
        self._messages = 0
        self._turned_at = clock.monotonic()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Read until cancelled."""
        task_status.started()
        while True:
            self.turn()
            if self._registry.ready:
                await anyio.lowlevel.checkpoint()
            else:
                await self._sleep()

    async def _sleep(self) -> None:
        """Wait for a message or the next timer."""
        event = anyio.Event()
        self._registry.on_ready = event.set
        at = self._timers.next_at()
        delay = IDLE_MAX_S if at is None else max(0.0, min(IDLE_MAX_S, at - self._clock.wall()))
        try:
            with anyio.move_on_after(delay):
                await event.wait()
        finally:
            self._registry.on_ready = None

    def turn(self) -> int:
        """Wake whom it is time for, and let the ready actors read; how many messages were read."""
        self._ring()
        clock = self._clock
        ready = self._registry.ready
        end = clock.monotonic() + TURN_S
        read = 0
        before = end - TURN_S
        worked = self._worked()
        while ready:
            actor = ready.popleft()
            read += self._read(actor, end)
            after = clock.monotonic()
            if after - before > SLOW_S and self._worked() - worked > SLOW_S:  # not only kept waiting by the machine
                log.warning("actor.slow", actor=str(actor.address), seconds=round(after - before, 3))
            before = after
            if read >= TURN_MESSAGES_MAX or after >= end:
                break
        self._messages += read
        self._turned_at = before
        return read

    def _ring(self) -> None:
        if not self._timers:
            return
        for owner, tag in self._timers.due(self._clock.wall()):
            if isinstance(owner, Quarantine):
                self._lives.wake(owner.address)
            elif isinstance(owner, Pending):
                self._lives.questions.late(owner)
            else:
                self._registry.post(owner, Woke(tag))

    def _read(self, actor: Actor, end: float) -> int:
        """Let one actor read, as long as the turn lasts; the number of messages it took."""
        now = self._clock.wall()
        receive, monotonic = actor.mind.receive, self._clock.monotonic
        message: Message | None = None
        before = self._interrupted.pop(actor, 0) if self._interrupted else 0
        for number in range(ACTOR_MESSAGES_MAX):
            box = actor.mailbox
            if box is None:  # its life has ended
                return number
            if actor.full:
                self._lives.crash(actor, None, MailboxOverflow(f"{len(box)} messages waited for {actor.address}"))
                return number
            message = box.take()
            if message is None:
                self._registry.park(actor)
                return number
            try:
                commands = receive(actor.state, message, now)
                if commands.__class__ is not tuple and commands.__class__ is not list:
                    commands = tuple(commands)  # a generator that raises half-way has commanded nothing
                if self._lives.recorder is not None:
                    self._lives.recorder.read(actor.address, message, now, commands)
                for command in commands:
                    self._obey(actor, command)
                    if actor.life:
                        return number + 1
            except Exception as error:  # noqa: BLE001  # a mind may fail in any way; it falls alone
                self._lives.crash(actor, message, error)
                return number + 1
            if monotonic() >= end and len(box):
                if before + number + 1 < ACTOR_MESSAGES_KEPT:
                    self._interrupted[actor] = before + number + 1
                    self._registry.ready.appendleft(actor.address.namespace, actor)
                    return number + 1
                break
        self._registry.ready.append(actor.address.namespace, actor)
        return number + 1

    def _obey(self, actor: Actor, command: Command) -> None:
        match command:  # the frequent ones first: each case is another comparison
            case Tell():
                to = self._registry.actors.get(command.to) or self._absent(command.to)
                if to is None:
                    self._registry.bury(command.to, Told(actor.address, command.word))
                else:
                    self._registry.post(to, Told(actor.address, command.word), urgent=command.urgent)
            case Measure():
                self._measure(command)
            case Create() | Patch() | WriteStatus() | Delete() | Read() | List() | ReadLog() | Withdraw() | Ask():
                self._perform.submit(actor, command)
            case Spawn():
                self._lives.spawn(actor, command.address, command.argument)
            case Stop():
                self._lives.stop(actor, command.reason)
            case WakeAt():
                if command.at is None:
                    self._timers.cancel(actor, command.tag)
                else:
                    self._timers.set(actor, command.tag, command.at)
            case Question() | Answer() | Monitor():
                self._converse(actor, command)
            case _:
                assert_never(command)

    def _converse(self, actor: Actor, command: Question | Answer | Monitor) -> None:
        match command:
            case Question(to, _, limit_s):
                target = self._registry.actors.get(to) or self._absent(to)
                pending = self._lives.questions.ask(actor, command, target)
                if pending is not None:
                    self._timers.set(pending, "limit", self._clock.wall() + limit_s)
            case Answer(number, word):
                pending = self._lives.questions.answer(actor, number, word)
                if pending is None:
                    self._registry.bury(actor.address._replace(part=f"question {number}"), Told(actor.address, word))
                else:
                    self._timers.cancel_all(pending)
            case Monitor(address, on):
                (self._lives.monitors.begin if on else self._lives.monitors.end)(actor, address)

    def statistics(self) -> SchedulerStatistics:
        """The counts of this moment."""
        idle_s = max(0.0, self._clock.monotonic() - self._turned_at)
        return SchedulerStatistics(self._messages, len(self._timers), idle_s)
