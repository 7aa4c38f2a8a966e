"""What a system says of itself: one record, which metrics, `/debug/actors` and tests read."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from runtime.election import ElectionStatistics
from runtime.informer import InformerStatistics
from runtime.lives import LivesStatistics
from runtime.messages import Address
from runtime.perform import PerformStatistics
from runtime.registry import RegistryStatistics
from runtime.scheduler import SchedulerStatistics
from runtime.supervisor import ChildStatistics


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
    elections: tuple[ElectionStatistics, ...]  # empty: nobody else is there


class Resident(NamedTuple):
    """An actor as people see it: who started it, what it waits for, how many messages wait for it."""

    address: Address
    parent: Address | None
    waits: str
    mailbox: int
    attempt: int
    quarantined: bool = False


class Put(Protocol):
    """Where values go: `Metrics.put`."""

    def __call__(self, name: str, value: float, **labels: str) -> None:
        """Set a value."""
        ...


def gauge(put: Put, now: SystemStatistics) -> None:
    """Put the statistics of this moment into the metrics."""
    for room, number in now.registry.actors.items():
        put("actors", number, room=room)
    put("actors_ready", now.registry.ready)
    put("messages_waiting", now.registry.waiting)
    put("mailbox_deepest", now.registry.deepest)
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
        put("cache_silent_seconds", informer.silent_s if informer.served else 0.0, **source)
        put("cache_events_total", informer.events, **source)
        put("cache_lists_total", informer.lists, **source)
    put("route_errors_total", now.route_errors)
    for child in now.children:
        put("supervised_restarts_total", max(child.starts - 1, 0), task=child.name)
    for election in now.elections:
        put("leader", float(election.held), lease=election.lease)
        put("leader_reigns_total", election.reign, lease=election.lease)
