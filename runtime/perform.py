"""Commands become calls, and their outcome a message: the one door to the API server.

A fixed number of performers takes orders from the queue. What an actor asked is answered with `Done` or `Failed`, never
with an exception, and only to the very life that asked; what became of an Event is told to nobody. How many calls are
in flight follows what the server grants: a 429 halves it and is tried again after the time it names, each success
widens it a little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple, TypeAlias

import anyio
from anyio.abc import TaskGroup, TaskStatus

from runtime.actor import Room
from runtime.api import Api, ApiError, Refused, Throttled, Unavailable, Withdrawn
from runtime.calls import Calls
from runtime.log import Log
from runtime.messages import (
    Ask,
    Command,
    Create,
    Done,
    Failed,
    Message,
    Withdraw,
)
from runtime.objects import EVICTION_PATH
from runtime.orders import Order, Orders, always
from runtime.outage import Outage
from runtime.registry import DEAD, LIVING, Actor, Registry
from runtime.turns import Fence, Fenced

PERFORM_CONCURRENCY = 64
"""API calls in flight at most. Measured: one API server's cores are busy with fewer."""

ASK_CONCURRENCY = 1024
"""Services are asked apart from the API, so many at once at most: a slow one must hold up neither a status write nor
another service. Askers are started as they are needed."""

PERFORM_TIMEOUT_S = 60.0
"""A call without an answer by then is Unavailable: longer than any request the server itself lets live."""

PERFORM_LATE_S = 5.0
"""So much later that is noticed at most: a performer moves its limit only when less than the time-out is left of it, so
seldom instead of twice for each call (3 % of the time of a small workflow)."""

ASK_TIMEOUT_S = 300.0
"""A service without an answer by then is Unavailable."""

THROTTLED_TRIES_MAX = 50
"""After so many 429 for one command its actor is told; it may know something better to do."""

Idle: TypeAlias = "list[asyncio.Future[None]]"
"""Who waits for something to do; a future costs half of an event."""

log = Log()


class PerformStatistics(NamedTuple):
    """Commands waiting and in flight (`busy`), services being asked, and the calls in flight granted now (`window`)."""

    waiting: int
    busy: int
    asking: int
    window: int
    performed: int
    failed: int
    throttled: int


class Performers:
    """The pool. `submit` never waits; `run` works until cancelled, `drain` finishes what was begun."""

    def __init__(
        self,
        api: Api,
        rooms: Mapping[str, Room],
        registry: Registry,
        *,
        manager: str = "",
        dice: Random | None = None,
        concurrency: int = PERFORM_CONCURRENCY,
    ) -> None:
        self.fence_of: Callable[[str], Fence] = lambda room: always  # of a room: while it is shut, nothing is begun
        self._calls = Calls(api, manager)
        self._services: dict[str, Mapping[str, Any]] = {name: room.services for name, room in rooms.items()}
        self._registry = registry
        self._dice = dice or Random()  # noqa: S311  # jitter, no secret
        self._orders = Orders()
        self._asks: Fenced[Order] = Fenced()
        self._askers = 0
        self._tasks: TaskGroup | None = None  # while it runs
        self._concurrency = concurrency
        self._window = float(concurrency)
        self._busy = self._aside = self._asking = 0  # in flight, waiting as the server told them to, being asked
        self._begun = self._narrowed = 0  # tries so far, and how many there were when the window was last narrowed
        self._outage = Outage()
        self._draining = False
        self._idle: Idle = []
        self._idle_asks: Idle = []
        self._now: Callable[[], float] = anyio.current_time  # the loop's own while it runs: a tenth of the price
        self._counts = {"performed": 0, "failed": 0, "throttled": 0}

    # ------------------------------------------------------------------------------------------------ queue

    def submit(self, actor: Actor, command: Command) -> None:
        """Queue a command; its result comes back to `actor`, if it still lives by then."""
        if isinstance(command, Withdraw):
            self._orders.withdraw(actor, command.ref[:3])
            return
        order = Order(actor, command, self.fence_of(actor.address.room))
        if isinstance(command, Ask):
            self._asks.append(order.fence, actor.address.namespace, order)
            self._call_asker()
        else:
            self._orders.add(order)
            _rouse(self._idle)

    def _call_asker(self) -> None:
        """One more question waits: it is for an idle asker, else for a new one while there may be more."""
        if self._idle_asks:
            _rouse(self._idle_asks)
        elif self._tasks is not None and self._askers < ASK_CONCURRENCY:
            self._askers += 1
            self._tasks.start_soon(self._ask_all, name=f"asker {self._askers}")

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Perform until cancelled."""
        self._now = asyncio.get_running_loop().time
        try:
            async with anyio.create_task_group() as tasks:
                for number in range(self._concurrency):
                    tasks.start_soon(self._perform_all, tasks, name=f"performer {number}")
                self._tasks, self._askers = tasks, 0
                self._idle_asks.clear()  # of an earlier run
                for _ in range(len(self._asks)):
                    self._call_asker()
                task_status.started()
        finally:
            self._tasks = None

    async def drain(self) -> None:
        """Begin nothing more but status writes, and wait for what is in flight. The caller sets the limit of time."""
        self._draining = True
        while self._unfinished():  # noqa: ASYNC110  # once, at the very end
            await anyio.sleep(0.01)

    def _unfinished(self) -> bool:
        return bool(self._busy or self._asking or self._orders.statuses())

    def rouse(self) -> None:
        """Look again: a fence has opened."""
        for idle in (self._idle, self._idle_asks):
            while idle:
                _rouse(idle)

    async def _perform_all(self, tasks: TaskGroup) -> None:
        while True:
            with anyio.CancelScope() as limit:  # left when its time is up: to open one for each call would cost more
                await self._perform_in_time(tasks, limit)

    async def _perform_in_time(self, tasks: TaskGroup, limit: anyio.CancelScope) -> None:
        while not _is_up(limit):
            now, order = self._now(), None
            if self._orders and self._busy + self._aside < int(self._window) and self._outage.permits(self._busy, now):
                order = self._orders.take(statuses_only=self._draining)
            if order is None:
                await _wait(self._idle)
                continue
            self._busy += 1
            if not now + PERFORM_TIMEOUT_S <= limit.deadline <= now + PERFORM_TIMEOUT_S + PERFORM_LATE_S:
                limit.deadline = now + PERFORM_TIMEOUT_S + PERFORM_LATE_S
            try:
                message = await self._try(order)
            except BaseException:
                self._busy -= 1
                if _is_up(limit):
                    late = Unavailable(f"no answer within {PERFORM_TIMEOUT_S:.0f} s")
                    self._finish(order, Failed(order.command, late))
                raise
            self._busy -= 1
            if message is None:
                self._aside += 1  # counted in the window, which is what the server grants
                tasks.start_soon(self._again, order)
            else:
                self._finish(order, message)

    def _finish(self, order: Order, message: Message) -> None:
        self._learn(message)
        self._orders.done(order)
        if order.is_event:
            self._count(message)  # it was for people: no actor waits to hear what became of it
        else:
            for _ in range(order.times):
                self._answer(order.actor, message)
        if len(self._orders) > 1:  # one of its line, or what the window held back: the first is for who has finished
            _rouse(self._idle)

    def _learn(self, message: Message) -> None:
        """What became of a call says whether the server is there."""
        if not isinstance(message, Failed) or not isinstance(message.error, Unavailable):
            if self._outage.answered():
                log.info("server.back")
                self.rouse()
            return
        was_on, wait_s = self._outage.is_on, self._outage.failed(self._now())
        if wait_s and not was_on:
            log.warning("server.away", error=str(message.error), waiting=len(self._orders))
        if wait_s and self._tasks is not None:
            self._tasks.start_soon(self._look_again, wait_s)

    async def _look_again(self, after_s: float) -> None:
        await anyio.sleep(after_s)
        _rouse(self._idle)

    def _count(self, message: Message) -> None:
        self._counts["performed" if isinstance(message, Done) else "failed"] += 1

    def _answer(self, actor: Actor, message: Message) -> None:
        self._count(message)
        if actor.life == LIVING:
            self._registry.post(actor, message)

    async def _again(self, order: Order) -> None:
        """Wait as long as the server said, without a performer, then stand first in the queue."""
        await anyio.sleep(order.after_s * (1 + self._dice.random() / 4))
        self._aside -= 1
        self._orders.again(order)
        _rouse(self._idle)

    # ------------------------------------------------------------------------------------------------- tries

    async def _try(self, order: Order) -> Message | None:
        """One attempt: its result as a message, or None when the server said to come back later."""
        if order.withdrawn:
            return Failed(order.command, Withdrawn("withdrawn by who had asked for it"))
        order.tries += 1
        self._begun += 1
        order.begun = self._begun
        command = order.command
        try:
            result = await self._calls.make(command)
        except Throttled as error:
            if _is_verdict(command):
                return Failed(command, error)
            self._throttled(order, error)
            return Failed(command, error) if order.tries >= THROTTLED_TRIES_MAX else None
        except ApiError as error:
            return Failed(command, error)
        except Exception as error:  # whatever broke, the actor has to hear that it does not know
            log.exception(
                "command.broke", command=type(command).__name__, actor=str(order.actor.address), exc_info=error
            )
            return Failed(command, Unavailable(f"{type(error).__name__}: {error}"))
        self._window = min(float(self._concurrency), self._window + 1 / self._window)
        return Done(command, result)

    def _throttled(self, order: Order, error: Throttled) -> None:
        self._counts["throttled"] += 1
        order.after_s = error.after_s
        if order.begun > self._narrowed:  # of all that were in flight together, the first 429 speaks for the rest
            self._window = max(1.0, self._window / 2)
            self._narrowed = self._begun

    # --------------------------------------------------------------------------------------------- services

    async def _ask_all(self) -> None:
        while True:
            order = None if self._draining else self._asks.take()
            if order is None:
                await _wait(self._idle_asks)
                continue
            command = order.command
            if order.actor.life == DEAD or not isinstance(command, Ask):
                continue
            self._asking += 1
            try:
                message = await self._ask(order.actor, command)
            finally:
                self._asking -= 1
            self._answer(order.actor, message)

    async def _ask(self, actor: Actor, command: Ask) -> Message:
        services = self._services.get(actor.address.room, {})
        service = services.get(command.service)
        if service is None:
            known = ", ".join(services) or "none"
            return Failed(
                command, Refused(f"room {actor.address.room} has no service {command.service!r}, only {known}")
            )
        try:
            with anyio.move_on_after(ASK_TIMEOUT_S) as limit:
                answer = await service(command.query)
        except ApiError as error:
            return Failed(command, error)
        except Exception as error:  # a service may fail in any way; trying again will not mend a bug
            log.exception("service.broke", service=command.service, actor=str(actor.address), exc_info=error)
            return Failed(command, Refused(f"{type(error).__name__}: {error}"))
        if limit.cancelled_caught:
            return Failed(command, Unavailable(f"{command.service} gave no answer within {ASK_TIMEOUT_S:.0f} s"))
        return Done(command, answer)

    def statistics(self) -> PerformStatistics:
        """The counts of this moment."""
        waiting = len(self._orders) + len(self._asks)
        return PerformStatistics(waiting, self._busy, self._asking, int(self._window), **self._counts)


def _is_verdict(command: Command) -> bool:
    """Whether a 429 is the answer, and not a request to come back: a disruption budget forbids the eviction."""
    return isinstance(command, Create) and command.resource.plural.endswith(EVICTION_PATH)


def _is_up(limit: anyio.CancelScope) -> bool:
    """Whether its time is up; what is begun afterwards would be cancelled at once."""
    return limit.cancel_called


def _rouse(idle: Idle) -> None:
    while idle:
        roused = idle.pop()
        if not roused.done():  # a cancelled one will not look
            roused.set_result(None)
            return


async def _wait(idle: Idle) -> None:
    roused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    idle.append(roused)
    try:
        await roused
    except BaseException:
        if roused in idle:
            idle.remove(roused)
        raise
