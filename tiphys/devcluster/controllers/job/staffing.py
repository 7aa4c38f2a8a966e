"""How many pods does a job need now, and for which indexes? Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.controllers.job import perindex
from tiphys.devcluster.controllers.job.indexes import first_pending
from tiphys.devcluster.controllers.job.tally import Tally
from tiphys.devcluster.controllers.job.workers import index_of, is_indexed, next_attempt_at, replaces_only_failed
from tiphys.devcluster.controllers.podstate import is_active, is_terminating, least_missed_first

BURST_MAX = 500
"""Pods created in one go; the next go follows the answers."""


class Staffing(NamedTuple):
    """Pods to withdraw, indexes to create pods for (None: a pod without one), and when to look again."""

    surplus: list[Object]
    hires: list[int | None]
    again_at: float | None = None


def wanted(job: Object, active: int, counts: Tally) -> int:
    """How many pods shall be active."""
    spec = job["spec"]
    if spec.get("suspend"):
        return 0
    parallelism, completions = int(spec.get("parallelism", 1)), spec.get("completions")
    if completions is None:  # a work queue: after the first success nobody new begins
        return min(active, parallelism) if counts.all_succeeded else parallelism
    return max(0, min(int(completions) - counts.all_succeeded - len(counts.failed_indexes), parallelism))


def staffing(job: Object, pods: Sequence[Object], counts: Tally, deleting: Collection[str], now: float) -> Staffing:
    """What has to change; nothing is created before the back-off after a failure is over."""
    active = [pod for pod in pods if is_active(pod) and pod["metadata"]["uid"] not in deleting]
    idle = _useless(job, active, counts)
    useful = [pod for pod in active if pod not in idle]
    number = wanted(job, len(useful), counts)
    too_many = len(useful) - number
    surplus = [*idle, *least_missed_first(useful, now)[:too_many]] if too_many > 0 else idle
    leaving = [pod for pod in pods if is_terminating(pod) or pod["metadata"]["uid"] in deleting]
    held = len(leaving) if replaces_only_failed(job) else 0
    missing = min(number - len(useful) - held, BURST_MAX)
    if missing <= 0:
        return Staffing(surplus, [])
    at = next_attempt_at(job, pods) if perindex.limit_of(job) is None else 0.0
    if now < at:
        return Staffing(surplus, [], at)
    if not is_indexed(job):
        return Staffing(surplus, [None] * missing)
    taken = {index_of(pod) for pod in useful} | counts.completed | counts.failed_indexes
    if replaces_only_failed(job):
        taken |= {index_of(pod) for pod in leaving}
    resting = _resting(job, pods, now)
    hires = first_pending(int(job["spec"]["completions"]), taken | set(resting), missing)
    waited_for = [at for index, at in resting.items() if index not in taken] if len(hires) < missing else []
    return Staffing(surplus, list(hires), min(waited_for, default=None))


def _resting(job: Object, pods: Sequence[Object], now: float) -> dict[int, float]:
    """Indexes whose back-off is not over, and when it will be."""
    if perindex.limit_of(job) is None:
        return {}
    times = perindex.next_attempts(job, perindex.last_failures(job, pods))
    return {index: at for index, at in times.items() if at > now}


def _useless(job: Object, active: Sequence[Object], counts: Tally) -> list[Object]:
    """Pods of an Indexed job whose index is over, is somebody else's too, or does not exist."""
    if not is_indexed(job):
        return []
    seen: set[int] = set()
    over = counts.completed | counts.failed_indexes
    idle = []
    for pod in active:
        index = index_of(pod)
        if index is None or index >= int(job["spec"]["completions"]) or index in over | seen:
            idle.append(pod)
        else:
            seen.add(index)
    return idle
