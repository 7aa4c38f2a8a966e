"""Restarting: pods made before `spec.restartAt` are evicted, as many at a time as may be missing.

An eviction asks the disruption budgets; one that they refuse is asked for again half a minute later.
"""

from __future__ import annotations

from typing import Final

from actors.names.timestamps import seconds
from actors.rollout import sets
from actors.rollout.model import Ro
from actors.rollout.scene import Scene, Waits
from runtime.messages import Create
from runtime.objects import Object, evictions

EVICTION: Final = "eviction"
AGAIN_S: Final = 30.0


def is_due(ro: Ro, now: float) -> bool:
    """Whether there may be pods to restart."""
    at = ro.spec.get("restartAt")
    if not at or _same(at, ro.status.get("restartedAt")):
        return False
    return now > seconds(at)


def _same(one: str, other: str | None) -> bool:
    return other is not None and seconds(one) == seconds(other)


def restart(scene: Scene) -> int:
    """Evict what may be evicted now; how many that is. Notes when none is left. Raises Waits for the pods."""
    ro, now = scene.ro, scene.now
    at = ro.spec.get("restartAt")
    if at and now <= seconds(at):
        scene.wake_at(seconds(at) + 0.05)
    if not is_due(ro, now):
        return 0
    if scene.world.pods is None:
        raise Waits
    pods = sorted(scene.world.pods, key=lambda pod: str(pod["metadata"]["name"]))
    sizes = sum(sets.wished(one) for one in scene.every)
    available = sum(1 for pod in pods if is_pod_available(pod, ro.min_ready_s, now) and not _is_ending(pod))
    allowance = available - (max(ro.replicas, sizes) - max(ro.unavailable, 1))
    due = [pod for pod in pods if seconds(pod["metadata"]["creationTimestamp"]) < seconds(str(at))]
    evicted = 0
    for pod in due:
        if evicted >= allowance or _is_ending(pod) or pod["metadata"]["uid"] in scene.world.spared:
            continue
        scene.changes.append(eviction(pod))
        evicted += 1
    if len(due) > evicted:
        scene.wake_at(now + AGAIN_S)
    else:
        scene.status["restartedAt"] = at
    return evicted


def _is_ending(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def eviction(pod: Object) -> Create:
    """The command that evicts a pod."""
    meta = pod["metadata"]
    thing: Object = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "deleteOptions": {"preconditions": {"uid": meta["uid"]}},
    }
    return Create(evictions(meta["name"]), thing, EVICTION)


def is_pod_available(pod: Object, min_ready_s: int, now: float) -> bool:
    """Whether a pod has been ready for long enough."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            if condition["status"] != "True":
                return False
            since = condition.get("lastTransitionTime")
            return min_ready_s == 0 or (since is not None and seconds(since) + min_ready_s <= now)
    return False
