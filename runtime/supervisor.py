"""A supervisor starts its children in order, restarts what falls by its strategy, and takes all down in reverse.

OTP's semantics for tasks: `one_for_one` restarts the one that fell, `one_for_all` all, `rest_for_one` it and those
started after it. More than `intensity` restarts in `period_s` is too many: the supervisor takes its children down and
fails itself, so that its own supervisor may try one floor up. Restarts are immediate, as in OTP; whoever talks to a
server backs off by itself.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import anyio
from anyio.abc import TaskGroup, TaskStatus

from runtime.log import Log
from runtime.restarts import Budget, within

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
"""permanent: always restarted; transient: after a failure only; temporary: never, also not with its siblings."""

TREE_BUDGET = Budget(intensity=3, period_s=30.0)
"""Restarts among one supervisor's children before it gives up."""

SHUTDOWN_S = 5.0
"""What a child is given to finish what it has begun."""

log = Log()


class Run(Protocol):
    """A child's work: calls `task_status.started()` when it serves, and returns only when it is done."""

    def __call__(self, *, task_status: TaskStatus[None]) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Child:
    """A static child. `drain`, if given, is called before the cancellation and has `shutdown_s` seconds."""

    name: str
    run: Run
    restart: Restart = "permanent"
    shutdown_s: float = SHUTDOWN_S
    drain: Callable[[], Awaitable[None]] | None = None


class Escalated(Exception):  # it says what happened
    """A supervisor gave up: its children fell too often, or one could not be started. The cause is the last error."""


class Reaction(NamedTuple):
    """What a supervisor does about an end: the children (by position) to stop, in this order, and to start."""

    stop: tuple[int, ...] = ()
    start: tuple[int, ...] = ()


def react(strategy: Strategy, restarts: Sequence[Restart], fallen: int, *, failed: bool) -> Reaction:
    """OTP's table: who is stopped and who is started after child `fallen` has ended, with a failure or normally."""
    kind = restarts[fallen]
    if kind == "temporary" or (kind == "transient" and not failed):
        return Reaction()
    if strategy == "one_for_one":
        return Reaction((), (fallen,))
    first = 0 if strategy == "one_for_all" else fallen
    touched = range(first, len(restarts))
    stop = tuple(index for index in reversed(touched) if index != fallen)
    start = tuple(index for index in touched if index == fallen or restarts[index] != "temporary")
    return Reaction(stop, start)


class _Life:
    """One run of a child, and the task status it reports to."""

    __slots__ = ("done", "error", "index", "scope", "served", "told", "wanted")

    def __init__(self, index: int) -> None:
        self.index = index
        self.scope = anyio.CancelScope(shield=True)  # our own cancellation must not reach all children at once
        self.told = anyio.Event()  # it serves, or has ended before
        self.done = anyio.Event()
        self.served = False
        self.wanted = True  # False: we are stopping it
        self.error: Exception | None = None

    def started(self, value: Any = None) -> None:
        """The child serves."""
        self.served = True
        self.told.set()


class ChildStatistics(NamedTuple):
    """A child by name: does it run, how often was it started, and should it always run."""

    name: str
    running: bool
    starts: int
    wanted: bool


class Supervisor:
    """Runs static children. Itself a child's work: `run` is a `Run`."""

    def __init__(
        self,
        name: str,
        children: Sequence[Child],
        *,
        strategy: Strategy = "one_for_one",
        budget: Budget = TREE_BUDGET,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._children = tuple(children)
        self._strategy: Strategy = strategy
        self._budget = budget
        self._monotonic = monotonic
        self._lives: dict[int, _Life] = {}
        self._starts = [0] * len(self._children)
        self._ended: deque[_Life] = deque()
        self._news = anyio.Event()
        self._times: tuple[float, ...] = ()
        self.stopped_cleanly = True  # no child had to be cancelled before it was done, none was late

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Supervise until cancelled, or until all children have ended for good. Raises Escalated."""
        failure: Escalated | None = None
        async with anyio.create_task_group() as tasks:
            try:
                await self._start_all(tasks)
                task_status.started()
                while self._lives or self._ended:
                    await self._supervise(tasks)
            except Escalated as error:
                failure = error  # raised outside: a task group would wrap it
            finally:
                with anyio.CancelScope(shield=True):
                    for index in reversed(range(len(self._children))):
                        await self._stop(index)
        if failure is not None:
            raise failure

    async def _start_all(self, tasks: TaskGroup) -> None:
        for index, child in enumerate(self._children):
            error = await self._start(tasks, index)
            if error is not None:
                raise Escalated(f"{self.name}: {child.name} did not start: {error}") from error

    async def _supervise(self, tasks: TaskGroup) -> None:
        """Wait for the next end and react to it."""
        while not self._ended:
            self._news = anyio.Event()
            await self._news.wait()
        life = self._ended.popleft()
        child = self._children[life.index]
        if life.error is not None:
            log.exception("child.failed", supervisor=self.name, child=child.name, exc_info=life.error)
        restarts = [child.restart for child in self._children]
        reaction = react(self._strategy, restarts, life.index, failed=life.error is not None)
        if not reaction.start:
            return
        times = within(self._times, self._monotonic(), self._budget)
        if times is None:
            raise Escalated(
                f"{self.name}: more than {self._budget.intensity} restarts in {self._budget.period_s:.0f} s,"
                f" the last of {child.name}"
            ) from life.error
        self._times = times
        for index in reaction.stop:
            await self._stop(index)
        for index in reaction.start:
            if await self._start(tasks, index) is not None:
                return  # its end is in the queue like any other: the next try counts as a restart

    # ----------------------------------------------------------------------------------- one child's life

    async def _start(self, tasks: TaskGroup, index: int) -> Exception | None:
        """Start a child and wait until it serves; its error when it fell before."""
        life = self._lives[index] = _Life(index)
        self._starts[index] += 1
        tasks.start_soon(self._live, life, name=f"{self.name}/{self._children[index].name}")
        await life.told.wait()
        return None if life.served else life.error

    async def _live(self, life: _Life) -> None:
        with life.scope:
            try:
                await self._children[life.index].run(task_status=life)
            except Exception as error:  # noqa: BLE001  # this is what a supervisor is for
                life.error = error
        if self._lives.get(life.index) is life:
            del self._lives[life.index]
        if life.wanted:
            self._ended.append(life)
            self._news.set()
        life.done.set()
        life.told.set()

    async def _stop(self, index: int) -> None:
        """Stop a child that runs: let it finish in its time, then cancel it."""
        life = self._lives.get(index)
        if life is None:
            return
        child = self._children[index]
        life.wanted = False
        if child.drain is not None:
            with anyio.move_on_after(child.shutdown_s) as limit:
                try:
                    await child.drain()
                except Exception as error:  # it is cancelled anyway
                    log.exception("child.undrained", supervisor=self.name, child=child.name, exc_info=error)
            if limit.cancelled_caught:
                self.stopped_cleanly = False
                log.warning("child.undrained", supervisor=self.name, child=child.name, after_s=child.shutdown_s)
        life.scope.cancel()
        with anyio.move_on_after(child.shutdown_s) as limit:
            await life.done.wait()
        if limit.cancelled_caught:
            self.stopped_cleanly = False
            log.error("child.stuck", supervisor=self.name, child=child.name, after_s=child.shutdown_s)
            await life.done.wait()  # a task cannot be killed; leaving it behind would be worse than waiting

    def statistics(self) -> tuple[ChildStatistics, ...]:
        """The children in their order."""
        return tuple(
            ChildStatistics(child.name, index in self._lives, self._starts[index], child.restart == "permanent")
            for index, child in enumerate(self._children)
        )
