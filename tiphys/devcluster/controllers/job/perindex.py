"""backoffLimitPerIndex: each index of an Indexed job has attempts, a back-off and an end of its own. Pure.

How often an index has failed is written on its pods: on each, how often it had failed before. So the last failed pod of
an index is the memory of it, and is held back until the pod that takes its place exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.controllers.job.policy import judge
from tiphys.devcluster.controllers.job.workers import (
    FAILURES,
    IGNORED_FAILURES,
    finished_at,
    index_of,
    is_failed,
    is_indexed,
    pause_s,
)


class Before(NamedTuple):
    """How often an index has failed: what counts, and what a policy says not to count."""

    counted: int = 0
    ignored: int = 0

    @property
    def annotations(self) -> dict[str, str]:
        """What the next pod of the index carries."""
        said = {FAILURES: str(self.counted)}
        return {**said, IGNORED_FAILURES: str(self.ignored)} if self.ignored else said


def limit_of(job: Object) -> int | None:
    """The failures that one index may have; None when they are counted for the whole job."""
    limit = job["spec"].get("backoffLimitPerIndex")
    return int(limit) if limit is not None and is_indexed(job) else None


def before(pod: Object) -> Before:
    """How often the index of the pod had failed before it."""
    said = pod["metadata"].get("annotations") or {}
    return Before(
        *(int(text) if text.isdecimal() else 0 for text in (said.get(FAILURES, ""), said.get(IGNORED_FAILURES, "")))
    )


def after(job: Object, pod: Object) -> Before:
    """How often its index has failed with this pod's failure."""
    counted, ignored = before(pod)
    return Before(counted, ignored + 1) if judge(job, pod).action == "Ignore" else Before(counted + 1, ignored)


def has_failed(job: Object, pod: Object) -> bool:
    """Whether the end of this pod is the end of its index."""
    limit = limit_of(job)
    if limit is None or not is_failed(job, pod):
        return False
    action = judge(job, pod).action
    return action == "FailIndex" or (action != "Ignore" and before(pod).counted >= limit)


def last_failures(job: Object, pods: Iterable[Object]) -> dict[int, Object]:
    """The failed pod of each index after which nobody has begun yet."""
    last: dict[int, Object] = {}
    newest: dict[int, int] = {}
    for pod in pods:
        index = index_of(pod)
        if index is None:
            continue
        attempt = sum(before(pod))
        newest[index] = max(newest.get(index, -1), attempt)
        if is_failed(job, pod) and (index not in last or sum(before(last[index])) < attempt):
            last[index] = pod
    return {index: pod for index, pod in last.items() if sum(before(pod)) == newest[index]}


def next_attempts(job: Object, last: Mapping[int, Object]) -> dict[int, float]:
    """From when on each failed index may be tried again (seconds since the epoch)."""
    return {index: finished_at(pod) + pause_s(sum(after(job, pod))) for index, pod in last.items()}
