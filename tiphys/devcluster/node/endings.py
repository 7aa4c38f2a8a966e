"""When a pod must end: its object is gone or being deleted, or it was active longer than its deadline."""

from __future__ import annotations

from dataclasses import replace

from runtime.objects import Object
from tiphys.devcluster.node.facts import Ending
from tiphys.devcluster.node.podspec import PodSpec

DEADLINE_REASON = "DeadlineExceeded"
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def next_ending(pod: PodSpec, meta: Object, start_time: float, now: float, before: Ending | None) -> Ending | None:
    """The ending in force at `now`, `meta` being the object's metadata. Once there it stays; a deletion can only
    shorten its grace."""
    ending = before
    if ending is None and (due := deadline_at(pod, start_time)) is not None and due <= now:
        ending = Ending(now, pod.grace_s, DEADLINE_REASON, DEADLINE_MESSAGE)
    if meta.get("deletionTimestamp"):
        grace = meta.get("deletionGracePeriodSeconds")
        return _shorten(ending, now, pod.grace_s if grace is None else float(grace))
    return ending


def deadline_at(pod: PodSpec, start_time: float) -> float | None:
    """When activeDeadlineSeconds is over."""
    return None if pod.deadline_s is None else start_time + pod.deadline_s


def _shorten(ending: Ending | None, now: float, grace_s: float) -> Ending:
    """The ending with at most `grace_s` from its beginning."""
    if ending is None:
        return Ending(now, grace_s)
    return ending if ending.grace_s <= grace_s else replace(ending, grace_s=grace_s)
