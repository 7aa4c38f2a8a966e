"""Nothing is released before it is recorded: how ended pods become counts, in three steps that may each be repeated.

1. A pod has ended and carries the tracking finalizer: its uid is written into `uncountedTerminatedPods`.
2. That is on record: the finalizer is taken off.
3. The pod is there without it, or gone: its uid becomes a count.

Between any two the controller may die; it goes on from what is written. A completion of an Indexed job needs no step 3:
its index is on record or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runtime.objects import Object
from tiphys.devcluster.controllers.job import indexes, perindex
from tiphys.devcluster.controllers.job.policy import judge
from tiphys.devcluster.controllers.job.workers import index_of, is_failed, is_indexed, is_tracked
from tiphys.devcluster.controllers.podstate import phase


@dataclass(slots=True)
class Tally:
    """The counts after this look, and which pods may be released now."""

    succeeded: int = 0  # counted
    failed: int = 0
    uncounted_succeeded: list[str] = field(default_factory=list)  # uids
    uncounted_failed: list[str] = field(default_factory=list)
    completed: set[int] = field(default_factory=set)  # indexes
    failed_indexes: set[int] = field(default_factory=set)  # given up, by backoffLimitPerIndex
    held: int = 0  # failed pods that are kept as the memory of their index, and count later
    releasable: list[Object] = field(default_factory=list)  # pods whose end is on record

    @property
    def all_succeeded(self) -> int:
        """Successes, counted or not yet."""
        return self.succeeded + len(self.uncounted_succeeded)

    @property
    def all_failed(self) -> int:
        """Failures, counted or not yet."""
        return self.failed + len(self.uncounted_failed) + self.held

    @property
    def uncounted(self) -> Object:
        """The field `uncountedTerminatedPods`."""
        lists = {"succeeded": self.uncounted_succeeded, "failed": self.uncounted_failed}
        return {name: uids for name, uids in lists.items() if uids}


def tally(job: Object, pods: Iterable[Object], *, is_failing: bool, is_ending: bool = False) -> Tally:
    """Look at the pods of a job. `is_failing`: its end is decided, so pods that are being deleted are failures;
    `is_ending`: no pod will follow another."""
    status = job.get("status") or {}
    known = {pod["metadata"]["uid"]: pod for pod in pods}
    before = status.get("uncountedTerminatedPods") or {}
    result = Tally(int(status.get("succeeded") or 0), int(status.get("failed") or 0))
    if is_indexed(job):
        result.completed = indexes.parsed(status.get("completedIndexes") or "")
    kept = _give_up(job, known, status, result) if perindex.limit_of(job) is not None else set()
    recorded = frozenset(result.completed)
    held = {uid for uid, pod in known.items() if is_tracked(pod)}
    result.uncounted_succeeded = [uid for uid in before.get("succeeded") or () if uid in held]
    result.uncounted_failed = [uid for uid in before.get("failed") or () if uid in held]
    result.succeeded += len(before.get("succeeded") or ()) - len(result.uncounted_succeeded)
    result.failed += len(before.get("failed") or ()) - len(result.uncounted_failed)
    on_record = set(result.uncounted_succeeded) | set(result.uncounted_failed)
    for uid, pod in known.items():
        if uid not in held:
            continue
        if uid in on_record:
            result.releasable.append(pod)
        elif uid in kept and not (is_failing or is_ending):
            result.held += 1
        elif phase(pod) == "Succeeded":
            _succeeded(job, pod, recorded, result)
        elif is_failed(job, pod) or (is_failing and "deletionTimestamp" in pod["metadata"]):
            _failed(job, pod, result)
    if is_indexed(job):
        result.succeeded = len(result.completed)
    return result


def _give_up(job: Object, known: Mapping[str, Object], status: Object, result: Tally) -> set[str]:
    """Note the indexes that have failed for good; the uids of failed pods that nobody has followed yet."""
    total = int(job["spec"]["completions"])
    result.failed_indexes = indexes.parsed(status.get("failedIndexes") or "")
    over = (index_of(pod) for pod in known.values() if perindex.has_failed(job, pod))
    result.failed_indexes |= {index for index in over if index is not None and index < total}
    done = result.failed_indexes | result.completed
    last = perindex.last_failures(job, known.values())
    return {pod["metadata"]["uid"] for index, pod in last.items() if index < total and index not in done}


def _succeeded(job: Object, pod: Object, recorded: frozenset[int], result: Tally) -> None:
    if not is_indexed(job):
        result.uncounted_succeeded.append(pod["metadata"]["uid"])
        return
    index = index_of(pod)
    if index is None or index >= int(job["spec"]["completions"]) or index in recorded:
        result.releasable.append(pod)  # it counts no more, or is on record
    else:
        result.completed.add(index)


def _failed(job: Object, pod: Object, result: Tally) -> None:
    if judge(job, pod).action == "Ignore":
        result.releasable.append(pod)
    else:
        result.uncounted_failed.append(pod["metadata"]["uid"])
