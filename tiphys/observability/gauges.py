"""What is read off a running system when somebody scrapes: locks, schedules, what is stuck, who leads.

It costs a walk over the cache, so it is done at a scrape and never for an event.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import process_time
from typing import Final

from actors.cron.metrics import CAUSES, ERRORS, PANIC, errors
from actors.lock.state import LockState
from actors.names import labels, resources
from actors.names.timestamps import seconds
from actors.upstream_metrics import lock_labels
from runtime.log import LEVELS, WRITTEN
from runtime.messages import Measure
from runtime.metric import Labels, Metric
from runtime.objects import PODS, Object, Resource
from runtime.system import System
from tiphys.observability import objects, own

STATM: Final = Path("/proc/self/statm")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
STUCK_S: Final = 600.0
OURS: Final = (labels.FINALIZER_POD_STATUS, labels.FINALIZER_ARTIFACT_GC)
WORKFLOWS: Final = Resource(*resources.WORKFLOW)
SHOWN: Final = tuple(
    Resource(*kind)
    for kind in (resources.ROLLOUT, resources.ANALYSIS_RUN, resources.ANALYSIS_TEMPLATE, resources.EXPERIMENT)
)


def exposition(system: System, now: float) -> bytes:
    """What a Prometheus server scrapes, with all that is read off at this moment (`now`: UTC seconds).

    A system that does not declare these metrics shows its own alone."""
    if own.CPU.name not in system.metrics.metrics:
        return system.exposition()
    _locks(system)
    _schedules(system, now)
    _leading(system)
    _stuck(system, now)
    _logged(system)
    _errors(system)
    _process(system)
    things = {resource.kind: system.cached(resource) for resource in SHOWN}
    for metric, values in objects.rows(things, system.series.settings.series_max).items():
        system.metrics.replace(metric.name, values)
    return system.exposition()


def stuck(things: Iterable[Object], now: float) -> int:
    """How many were deleted a while ago and are still kept by a finalizer of ours."""
    return sum(1 for thing in things if is_stuck(thing, now))


def is_stuck(thing: Object, now: float) -> bool:
    """Whether one was deleted a while ago and is still kept by a finalizer of ours."""
    meta = thing["metadata"]
    deleted = meta.get("deletionTimestamp")
    kept = any(name in OURS for name in meta.get("finalizers") or ())
    return bool(deleted) and kept and now - seconds(deleted) > STUCK_S


def _stuck(system: System, now: float) -> None:
    kinds = {"Pod": system.cached(PODS), "Workflow": system.cached(WORKFLOWS)}
    found: dict[Labels, float] = {(("kind", kind),): float(stuck(things, now)) for kind, things in kinds.items()}
    system.metrics.replace(own.STUCK.name, found)
    aside = Counter(entry.address.room for entry in system.statistics().lives.quarantined)
    system.metrics.replace(own.QUARANTINED.name, {(("room", room),): float(n) for room, n in aside.items()})


def _locks(system: System) -> None:
    """What was shown of a lock that nobody uses any more is none by now."""
    for metric in (own.LOCKS_HELD, own.LOCKS_PENDING):
        for known in system.series.labels(metric.name):
            if system.series.value(metric.name, known):
                system.series.measure(Measure(metric.name, 0.0, known, metric))
    for actor in system.living("lock"):
        for measure in locks(actor.state):
            system.series.measure(measure)


def locks(state: LockState) -> Iterator[Measure]:
    """Who holds and who waits, by lock."""
    for key, lock in state.table.locks.items():
        for metric, number in ((own.LOCKS_HELD, len(lock.holders)), (own.LOCKS_PENDING, len(lock.queue))):
            yield measured(metric, number, *lock_labels(key))


def _schedules(system: System, now: float) -> None:
    due = [at for actor in system.living("cron") if actor.state is not None for at in actor.state.due]
    system.metrics.measure(own.CRON_DUE.name, len(due))
    system.metrics.measure(own.CRON_LATE.name, max(0.0, now - min(due, default=now)))


def _leading(system: System) -> None:
    leads = 1.0 if not system.elections or any(election.held for election in system.elections) else 0.0
    system.series.measure(measured(own.IS_LEADER, leads))
    system.series.measure(measured(own.VERSION, 1.0, *_version()))


def _logged(system: System) -> None:
    for level in LEVELS:
        known = system.series.value(own.LOG_MESSAGES.name, (("level", level),))
        system.series.measure(measured(own.LOG_MESSAGES, WRITTEN.get(level, 0) - known, level))


def _errors(system: System) -> None:
    """Every cause is shown, also before the first; crashes of minds are counted elsewhere."""
    crashes = system.statistics().lives.crashes
    for cause in CAUSES:
        known = system.series.value(ERRORS, (("cause", cause),))
        system.series.measure(errors(cause, crashes - known if cause == PANIC else 0.0))


def _process(system: System) -> None:
    """What exporters of other languages tell of their processes too; where there is no /proc, only the CPU."""
    system.metrics.replace(own.CPU.name, {(): process_time()})
    try:
        pages = int(STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return
    system.metrics.replace(own.MEMORY.name, {(): float(pages * PAGE_BYTES)})


@cache
def _version() -> tuple[str, str, str]:
    try:
        number = version("tiphys")
    except PackageNotFoundError:
        number = "unknown"
    return number, f"{platform.system().lower()}/{platform.machine()}", f"Python {platform.python_version()}"


def measured(metric: Metric, value: float, *named: str) -> Measure:
    """A value of a metric that comes to be by being measured."""
    return Measure(metric.name, float(value), tuple(zip(metric.labels, named, strict=True)), declared=metric)
