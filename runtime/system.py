"""The whole: rooms of actors over one API, built as a tree, run until cancelled, taken down in reverse.

    system (rest_for_one) > election, performers, scheduler, informers (one_for_one, one each resource and selector),
                            managers (one_for_one, one each room that objects wake), opening

What stands to the right rests on what stands to the left. Actors are born when every informer has synced once, so what
they ask the cache for is there; with an election, when the lease is held (offices: each for rooms of its own). An
exception in a room's route or mind never reaches another room. Leases are given back last, when all writes are done.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any

import anyio
from anyio.abc import TaskStatus

from runtime.actor import Room
from runtime.api import Api, ApiError, Gone, Selection, Unavailable
from runtime.clock import Clock, SystemClock
from runtime.collection import Collection
from runtime.election import Election
from runtime.informer import Informer, Scope
from runtime.lives import OBJECT_BUDGET, Alarm, Lives, Quarantine
from runtime.log import Log
from runtime.mailbox import MailboxStatistics
from runtime.manager import Manager
from runtime.messages import OUTSIDE, Address, Measure, Message, Told
from runtime.metric import Metric
from runtime.metrics import Metrics
from runtime.objects import Object, Reference, Resource
from runtime.office import Office, offices_of
from runtime.opening import Opening
from runtime.orders import always
from runtime.perform import PERFORM_CONCURRENCY, Performers
from runtime.quarantine import event_of
from runtime.recorder import Recorder
from runtime.registry import STOPPED, Actor, Registry
from runtime.restarts import Budget
from runtime.router import Router
from runtime.scheduler import Scheduler
from runtime.series import Series, SeriesSettings
from runtime.shares import Division, Doubts, sources
from runtime.statistics import Resident, SystemStatistics, gauge
from runtime.supervisor import Child, Escalated, Supervisor
from runtime.timers import Timers
from runtime.turns import Fence

log = Log()


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be set about a system. `namespace` None: all of them."""

    namespace: str | None = None
    manager: str = "runtime"  # field manager of our patches
    concurrency: int = PERFORM_CONCURRENCY
    budget: Budget = OBJECT_BUDGET  # restarts of one object's actor
    election: Election | None = None  # None: nobody else is there, we always lead
    offices: tuple[Office, ...] = ()  # rooms that have an election of their own; `election` is for all others
    recorder: Recorder | None = None  # writes down what every actor reads and commands
    collect: bool = False  # garbage as `Collection` says; what lives as long as the process is left out once warm
    metrics: tuple[Metric, ...] = ()  # the rooms' own
    metrics_prefix: str = "runtime_"
    series: SeriesSettings = field(default_factory=SeriesSettings)  # of metrics that come to be while it runs
    division: Division | None = None  # of all objects only these are ours; the rest is another system's


class _Nobody:
    """The mind of what only speaks."""

    def birth(self, address: Address, argument: Any) -> None:
        del address, argument

    def receive(self, state: Any, message: Message, now: float) -> tuple[()]:
        del state, message, now
        return ()

    def waiting(self, state: Any) -> str:
        del state
        return "for nothing"


_NOBODY = _Nobody()


class _Sounding(_Nobody):
    """The mind of a message whose way is measured."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def receive(self, state: Any, message: Message, now: float) -> tuple[()]:
        del state, message, now
        self._heard()
        return ()


def _of(name: str, which: str, all_of_them: Sequence[Any]) -> str:
    return name if len(all_of_them) == 1 else f"{name} {which}"


def _is_own(ref: Reference, entry: Quarantine) -> bool:
    return bool(entry.address.uid) and ref.uid == entry.address.uid


@dataclass(slots=True)
class _Parts:
    """The pieces in the order they rest on each other."""

    registry: Registry
    timers: Timers[Alarm]
    router: Router
    lives: Lives
    performers: Performers
    scheduler: Scheduler
    informers: list[Informer] = field(default_factory=list)
    managers: list[Manager] = field(default_factory=list)
    doubts: list[Doubts] = field(default_factory=list)


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
        self.stopped_cleanly = False  # after run: everything was finished and taken down in time
        self._settings = settings
        self._clock: Clock = clock or SystemClock()
        self.series = Series(settings.series, wall=self._clock.wall)
        self.metrics = Metrics(settings.metrics, prefix=settings.metrics_prefix, series=self.series)
        self._dice = dice or Random()  # noqa: S311  # jitter, no secret
        self.offices = offices_of(names, settings.offices, settings.election)
        self.elections = tuple({office.election: None for office in self.offices if office.election is not None})
        self._on_quarantine = on_quarantine
        self._parts = self._build(api, rooms)
        parts = self._parts
        self._openings = [
            Opening(parts.informers, parts.router, parts.lives, office, self._settle) for office in self.offices
        ]
        self._settled = anyio.Event()  # ready, or over
        self._failure: Escalated | None = None
        self._informers = Supervisor(
            "informers",
            [Child(informer.resource.plural, informer.run) for informer in self._parts.informers],
            monotonic=self._clock.monotonic,
        )
        self._managers = Supervisor(
            "managers",
            [Child(manager.room, manager.run) for manager in self._parts.managers],
            monotonic=self._clock.monotonic,
        )
        self._tree = self._plant()

    def _build(self, api: Api, rooms: Sequence[Room]) -> _Parts:
        by_name = {room.name: room for room in rooms}
        clock, settings, dice = self._clock, self._settings, self._dice
        registry = Registry()
        timers: Timers[Alarm] = Timers()
        router = Router(rooms, registry)
        lives = Lives(
            by_name,
            registry,
            timers,
            clock,
            router,
            settings.budget,
        )
        lives.on_quarantine = self._put_aside
        lives.on_crash = self._crashed
        lives.recorder = settings.recorder
        router.attach(lives)
        performers = Performers(
            api,
            by_name,
            registry,
            manager=settings.manager,
            dice=dice,
            concurrency=settings.concurrency,
        )
        fences: dict[str, Fence] = {room: office.leads for office in self.offices for room in office.rooms}
        performers.fence_of = lambda room: fences.get(room, always)
        for election in self.elections:
            election.on_held = performers.rouse
        scheduler = Scheduler(lives, timers, performers, clock, measure=self._measure, absent=router.absent)
        parts = _Parts(registry, timers, router, lives, performers, scheduler)
        self._look(api, parts)
        parts.managers = [Manager(room, lives, router, clock) for room in router.rooms]
        return parts

    def _look(self, api: Api, parts: _Parts) -> None:
        """An informer for each source; for two selections that fill one store, what settles doubts between them."""
        for source, store in parts.router.stores.items():
            resource, tell = source[0], parts.router.tell(source)
            namespace = self._settings.namespace if resource.namespaced else None
            selected, doubts = sources(api, source, store, self._settings.division, tell)
            for selector, part in selected:
                scope = Scope(resource, Selection(namespace, selector), parts.router.optional(source))
                parts.informers.append(Informer(api, scope, part, tell, self._clock, self._dice))
            parts.doubts += [doubts] if doubts is not None else []

    def _plant(self) -> Supervisor:
        return Supervisor(
            "system",
            [
                *(Child(_of("election", each.name, self.elections), each.run) for each in self.elections),
                *([Child("collection", Collection(self.is_quiet).run)] if self._settings.collect else []),
                Child("performers", self._parts.performers.run, drain=self._parts.performers.drain),
                Child("scheduler", self._parts.scheduler.run),
                *(Child(f"doubts {at}", each.run) for at, each in enumerate(self._parts.doubts)),
                Child("informers", self._informers.run),
                Child("managers", self._managers.run),
                *(
                    Child(_of("opening", each.office.lease, self._openings), each.run, restart="transient")
                    for each in self._openings
                ),
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
            branches = (self._tree, self._informers, self._managers)
            self.stopped_cleanly = all(branch.stopped_cleanly for branch in branches)
            self._settled.set()

    def _settle(self) -> None:
        """The caches are filled, and in every office the actors born, or somebody else leads."""
        if not all(opening.is_settled for opening in self._openings):
            return
        if self._settings.collect and not self._settled.is_set():
            gc.collect()
            gc.freeze()
        self._settled.set()

    def _put_aside(self, entry: Quarantine) -> None:
        """Say it where the object is looked at, and to whoever asked to be told."""
        own = next((seen.ref for seen in self._parts.router.cached(entry.address) if _is_own(seen.ref, entry)), None)
        if own is not None:
            herald = Actor(entry.address, _NOBODY, None)
            herald.life = STOPPED  # what it asks for is done, and nobody hears of it
            self._parts.performers.submit(herald, event_of(entry, own, self._settings.manager))
        if self._on_quarantine is not None:
            self._on_quarantine(entry)

    def is_quiet(self) -> bool:
        """Whether nobody has anything to read, and nothing is being done."""
        return not self._parts.registry.ready and not self._parts.performers.statistics().busy

    def _crashed(self, address: Address) -> None:
        for manager in self._parts.managers:
            if manager.room == address.room:
                manager.crashed(address)

    # -------------------------------------------------------------------------------------------------- ask

    @property
    def ready(self) -> bool:
        """Whether all informers have synced and the objects' actors are born: in every office that we hold, and we
        hold one."""
        held = [opening.is_open for opening in self._openings if opening.office.leads()]
        return bool(held) and all(held)

    def tell(self, address: Address, word: Any, *, urgent: bool = False) -> bool:
        """Say `word` to an actor, from outside; False when nobody lives there and no object can be woken."""
        actor = self._parts.registry.actors.get(address) or self._parts.router.absent(address)
        if actor is None:
            return False
        self._parts.registry.post(actor, Told(OUTSIDE, word), urgent=urgent)
        return True

    def sound(self, heard: Callable[[], None]) -> None:
        """Put a message behind all that wait now, and call `heard` when it is its turn: how long do messages wait?

        While decisions are recorded it is heard at once: the recording is of the rooms alone."""
        if self.recorder is not None:
            heard()
            return
        self._parts.registry.post(Actor(OUTSIDE, _Sounding(heard), None), Told(OUTSIDE, None))

    async def ask(self, address: Address, word: Any, limit_s: float = 5.0) -> Any:
        """Ask an actor from outside, as Question does; its answer. Raises Gone or Unavailable."""
        actor = self._parts.registry.actors.get(address) or self._parts.router.absent(address)
        if actor is None:
            raise Gone(f"nobody lives at {address}", code=404, reason="NotFound")
        settled = anyio.Event()
        found: list[tuple[Any, ApiError | None]] = []

        def settle(answer: Any, error: ApiError | None) -> None:
            found.append((answer, error))
            settled.set()

        questions = self._parts.lives.questions
        pending = questions.ask_from_outside(OUTSIDE, actor, word, settle)
        try:
            with anyio.move_on_after(limit_s):
                await settled.wait()
        finally:
            questions.forget(pending)
        answer, error = found[0] if found else (None, Unavailable(f"{address} gave no answer within {limit_s:g} s"))
        if error is not None:
            raise error
        return answer

    def addresses(self, room: str) -> list[Address]:
        """Who lives in a room."""
        return [address for address in self._parts.registry.actors if address.room == room]

    def living(self, room: str) -> list[Actor]:
        """The actors of a room; their states are to be looked at, and never changed."""
        return [actor for actor in self._parts.registry.actors.values() if actor.address.room == room]

    def cached(self, resource: Resource) -> list[Object]:
        """The objects of a resource in the cache, each once; they are to be looked at, and never changed."""
        found: dict[str, Object] = {}
        for (held, _), store in self._parts.router.stores.items():
            if held == resource:
                found |= {thing["metadata"]["uid"]: thing for thing in store.objects()}
        return list(found.values())

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

    def census(self, room: str = "", limit: int = 10_000) -> list[Resident]:
        """Who is there, parents before their children: at most `limit`, of one room or of all."""
        lives = self._parts.lives
        living = (actor for actor in self._parts.registry.actors.values() if room in ("", actor.address.room))
        found = [
            Resident(
                actor.address,
                actor.parent.address if actor.parent is not None else None,
                self.explain(actor.address),
                len(actor.mailbox) if actor.mailbox is not None else 0,
                actor.attempt,
            )
            for actor in islice(living, limit)
        ]
        aside = (entry for entry in lives.quarantined.values() if room in ("", entry.address.room))
        found += [
            Resident(entry.address, None, self.explain(entry.address), 0, entry.attempts, True) for entry in aside
        ]
        return found

    def changed(self, about: Mapping[str, Any]) -> None:
        """The rooms decide by other settings from now on: `about` is what a replay has to know of them."""
        if self.recorder is not None:
            self.recorder.changed(about, self._clock.wall())

    @property
    def recorder(self) -> Recorder | None:
        """The flight recorder, when one was asked for."""
        return self._settings.recorder

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
            (*self._tree.statistics(), *self._informers.statistics(), *self._managers.statistics()),
            parts.router.route_errors,
            tuple(election.statistics() for election in self.elections),
        )

    def exposition(self) -> bytes:
        """What a Prometheus server scrapes."""
        return self.metrics.exposition(lambda: gauge(self.metrics.put, self.statistics()))

    def _measure(self, command: Measure) -> None:
        if command.declared is not None:
            self.series.measure(command)
        else:
            self.metrics.measure(command.name, command.value, command.labels)
