"""The whole: rooms of actors over one API, built as a tree, run until cancelled, taken down in reverse.

    system (rest_for_one) > performers, scheduler, informers (one_for_one, one each resource and selector), opening

What stands to the right rests on what stands to the left. Actors are born when every informer has synced once, so what
they ask the cache for is there. An exception in a room's route or mind never reaches another room.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from runtime.actor import Room
from runtime.api import Api, Selection
from runtime.clock import Clock, SystemClock
from runtime.informer import Informer, InformerStatistics, Scope
from runtime.lives import OBJECT_BUDGET, Lives, LivesStatistics, Quarantine
from runtime.log import Log
from runtime.mailbox import MailboxStatistics
from runtime.messages import Address, Measure, Told
from runtime.metrics import Metric, Metrics
from runtime.perform import PERFORM_CONCURRENCY, Performers, PerformStatistics
from runtime.registry import Actor, Registry, RegistryStatistics
from runtime.restarts import Budget
from runtime.router import Router
from runtime.scheduler import Scheduler, SchedulerStatistics
from runtime.supervisor import Child, ChildStatistics, Escalated, Supervisor
from runtime.timers import Timers

WAKE_CHUNK = 64
"""Actors born at once when the system opens, before the event loop may do something else."""

OUTSIDE = Address("system", "", "", "")
"""The sender of what is told from outside any actor."""

log = Log()


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be set about a system. `namespace` None: all of them."""

    namespace: str | None = None
    manager: str = "runtime"  # field manager of our patches
    concurrency: int = PERFORM_CONCURRENCY
    budget: Budget = OBJECT_BUDGET  # restarts of one object's actor
    freeze: bool = False  # gc.freeze() once warm: later full collections skip what lives as long as the process
    metrics: tuple[Metric, ...] = ()  # the rooms' own
    metrics_prefix: str = "runtime_"


class SystemStatistics(NamedTuple):
    """Everything alive, asked how it is."""

    ready: bool
    registry: RegistryStatistics
    scheduler: SchedulerStatistics
    lives: LivesStatistics
    performers: PerformStatistics
    informers: tuple[InformerStatistics, ...]
    children: tuple[ChildStatistics, ...]
    route_errors: int


@dataclass(slots=True)
class _Parts:
    """The pieces in the order they rest on each other."""

    registry: Registry
    timers: Timers[Actor | Quarantine]
    router: Router
    lives: Lives
    performers: Performers
    scheduler: Scheduler
    informers: list[Informer] = field(default_factory=list)


class System:
    """Rooms of actors over an API. Run it once: `await tasks.start(system.run)`."""

    def __init__(
        self,
        api: Api,
        rooms: Sequence[Room],
        *,
        settings: Settings = Settings(),
        clock: Clock | None = None,
        dice: Random | None = None,
        on_quarantine: Callable[[Quarantine], None] | None = None,
    ) -> None:
        names = [room.name for room in rooms]
        if len(set(names)) != len(names):
            raise ValueError(f"two rooms have the same name: {', '.join(sorted(names))}")
        self.metrics = Metrics(settings.metrics, prefix=settings.metrics_prefix)
        self.stopped_cleanly = False  # after run: everything was finished and taken down in time
        self._settings = settings
        self._clock: Clock = clock or SystemClock()
        self._dice = dice or Random()  # noqa: S311  # jitter, no secret
        self._parts = self._build(api, rooms, on_quarantine)
        self._ready = False
        self._settled = anyio.Event()  # ready, or over
        self._failure: Escalated | None = None
        self._informers = Supervisor(
            "informers",
            [Child(informer.resource.plural, informer.run) for informer in self._parts.informers],
            monotonic=self._clock.monotonic,
        )
        self._tree = self._plant()

    def _build(self, api: Api, rooms: Sequence[Room], on_quarantine: Callable[[Quarantine], None] | None) -> _Parts:
        by_name = {room.name: room for room in rooms}
        clock, settings, dice = self._clock, self._settings, self._dice
        registry = Registry()
        timers: Timers[Actor | Quarantine] = Timers()
        router = Router(rooms, registry)
        lives = Lives(
            by_name,
            registry,
            timers,
            clock,
            router,
            settings.budget,
        )
        lives.on_quarantine = on_quarantine
        router.attach(lives)
        performers = Performers(
            api, by_name, registry, manager=settings.manager, dice=dice, concurrency=settings.concurrency
        )
        scheduler = Scheduler(lives, timers, performers, clock, measure=self._measure, absent=router.absent)
        parts = _Parts(registry, timers, router, lives, performers, scheduler)
        for source, store in router.stores.items():
            resource, labels = source
            namespace = settings.namespace if resource.namespaced else None
            selection = Selection(namespace, labels)
            parts.informers.append(Informer(api, Scope(resource, selection), store, router.tell(source), clock, dice))
        return parts

    def _plant(self) -> Supervisor:
        return Supervisor(
            "system",
            [
                Child("performers", self._parts.performers.run, drain=self._parts.performers.drain),
                Child("scheduler", self._parts.scheduler.run),
                Child("informers", self._informers.run),
                Child("opening", self._open, restart="transient"),
            ],
            strategy="rest_for_one",
            monotonic=self._clock.monotonic,
        )

    # -------------------------------------------------------------------------------------------------- run

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled; started when all informers have synced once. Raises supervisor.Escalated."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._grow)
            await self._settled.wait()
            if self._failure is None:
                task_status.started()
        if self._failure is not None:
            raise self._failure

    async def _grow(self) -> None:
        try:
            await self._tree.run()
        except Escalated as error:
            self._failure = error
        finally:
            self.stopped_cleanly = self._tree.stopped_cleanly and self._informers.stopped_cleanly
            self._settled.set()

    async def _open(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """When all caches are filled, give life to the actors of all objects."""
        task_status.started()
        for informer in self._parts.informers:
            await informer.synced.wait()
        for number, _ in enumerate(self._parts.router.open()):
            if number % WAKE_CHUNK == WAKE_CHUNK - 1:
                await anyio.lowlevel.checkpoint()
        if self._settings.freeze:
            gc.collect()
            gc.freeze()
        self._ready = True
        self._settled.set()
        log.info("system.ready", **self._parts.registry.statistics().actors)

    # -------------------------------------------------------------------------------------------------- ask

    @property
    def ready(self) -> bool:
        """Whether all informers have synced and the objects' actors are born."""
        return self._ready

    def tell(self, address: Address, word: Any, *, urgent: bool = False) -> bool:
        """Say `word` to an actor, from outside; False when nobody lives there and no object can be woken."""
        actor = self._parts.registry.actors.get(address) or self._parts.router.absent(address)
        if actor is None:
            return False
        self._parts.registry.post(actor, Told(OUTSIDE, word), urgent=urgent)
        return True

    def addresses(self, room: str) -> list[Address]:
        """Who lives in a room."""
        return [address for address in self._parts.registry.actors if address.room == room]

    def explain(self, address: Address) -> str:
        """One sentence: what the actor waits for, or why it does not live."""
        entry = self._parts.lives.quarantined.get(address)
        if entry is not None:
            again = max(0.0, entry.until - self._clock.wall())
            why = f"put aside after {entry.attempts} crashes ({entry.error})"
            return f"{why}; tried again in {again:.0f} s or when its object changes"
        actor = self._parts.registry.actors.get(address)
        if actor is None:
            return f"nobody lives at {address}"
        try:
            return actor.mind.waiting(actor.state)
        except Exception as error:  # noqa: BLE001  # asking must never hurt
            return f"its mind cannot say: {type(error).__name__}: {error}"

    def mailbox(self, address: Address) -> MailboxStatistics:
        """What waits for an actor."""
        actor = self._parts.registry.actors.get(address)
        return actor.mailbox.statistics() if actor is not None and actor.mailbox is not None else MailboxStatistics()

    def statistics(self) -> SystemStatistics:
        """The state of this moment."""
        parts = self._parts
        return SystemStatistics(
            self.ready,
            parts.registry.statistics(),
            parts.scheduler.statistics(),
            parts.lives.statistics(),
            parts.performers.statistics(),
            tuple(informer.statistics() for informer in parts.informers),
            (*self._tree.statistics(), *self._informers.statistics()),
            parts.router.route_errors,
        )

    def exposition(self) -> bytes:
        """What a Prometheus server scrapes."""
        return self.metrics.exposition(self._gauge)

    def _gauge(self) -> None:
        """Put the statistics of this moment into the metrics."""
        put, now = self.metrics.put, self.statistics()
        for room, number in now.registry.actors.items():
            put("actors", number, room=room)
        put("actors_ready", now.registry.ready)
        put("actors_quarantined", len(now.lives.quarantined))
        put("actor_births_total", now.lives.births)
        put("actor_crashes_total", now.lives.crashes)
        put("messages_total", now.scheduler.messages)
        put("dead_letters_total", now.registry.dead_letters)
        put("timers", now.scheduler.timers)
        put("commands_waiting", now.performers.waiting)
        put("commands_in_flight", now.performers.busy)
        put("commands_window", now.performers.window)
        for outcome in ("performed", "failed", "throttled"):
            put("commands_total", getattr(now.performers, outcome), outcome=outcome)
        for informer in now.informers:
            source = {"resource": informer.resource.plural, "selector": informer.labels}
            put("cache_objects", informer.objects, **source)
            put("cache_silent_seconds", informer.silent_s, **source)
            put("cache_events_total", informer.events, **source)
            put("cache_lists_total", informer.lists, **source)
        put("route_errors_total", now.route_errors)

    def _measure(self, command: Measure) -> None:
        self.metrics.measure(command.name, command.value, command.labels)
