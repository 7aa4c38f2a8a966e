"""What a controller asks of a pod: is it active, ready, available, and which of several would be missed least."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.controllers.times import seconds

TERMINAL = ("Succeeded", "Failed")
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_OLDEST = 1 << 20


def phase(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed or Unknown."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_terminating(pod: Object) -> bool:
    """Being deleted, and not at its end yet."""
    return "deletionTimestamp" in pod["metadata"] and phase(pod) not in TERMINAL


def is_active(pod: Object) -> bool:
    """Neither at its end nor being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and phase(pod) not in TERMINAL


def _ready(pod: Object) -> Object | None:
    for entry in (pod.get("status") or {}).get("conditions") or ():
        if entry.get("type") == "Ready":
            found: Object | None = entry if entry.get("status") == "True" else None
            return found
    return None


def ready_since(pod: Object) -> float | None:
    """Since when the pod is ready (seconds since the epoch); None while it is not."""
    found = _ready(pod)
    return None if found is None else seconds(found.get("lastTransitionTime"))


def is_ready(pod: Object) -> bool:
    """Whether its Ready condition is true."""
    return _ready(pod) is not None


def available_at(pod: Object, min_ready_s: int) -> float | None:
    """From when on the pod counts as available if it stays ready; None while it is not ready."""
    if not min_ready_s:
        return 0.0 if is_ready(pod) else None
    since = ready_since(pod)
    return None if since is None else since + min_ready_s


def created_at(thing: Object) -> float:
    """The creation time in seconds since the epoch."""
    return seconds(thing["metadata"].get("creationTimestamp"))


def restarts(pod: Object) -> int:
    """The most restarts of any of its containers."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(entry.get("restartCount") or 0) for entry in statuses), default=0)


def least_missed_first(pods: Iterable[Object], now: float) -> list[Object]:
    """Pods in the order in which scaling down deletes them.

    As upstream: unassigned before assigned, pending before unknown before running, not ready before ready, a lower
    deletion cost, more pods of the set on the same node, ready for a shorter time, more restarts, created later. Ages
    are compared by their power of two, so that not always the youngest falls; the uid breaks ties."""
    all_pods = list(pods)
    nodes: Counter[str] = Counter(str(pod["spec"].get("nodeName") or "") for pod in all_pods)

    def key(pod: Object) -> tuple[Any, ...]:
        node = str(pod["spec"].get("nodeName") or "")
        since = ready_since(pod)
        return (
            bool(node),
            _PHASES.get(phase(pod), 1),
            since is not None,
            _deletion_cost(pod),
            -nodes[node],
            _magnitude(now, since) if since is not None else 0,
            -restarts(pod),
            _magnitude(now, created_at(pod)),
            pod["metadata"].get("uid", ""),
        )

    return sorted(all_pods, key=key)


def _deletion_cost(pod: Object) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _magnitude(now: float, since: float) -> int:
    if since == 0:
        return _OLDEST
    age_s = now - since
    return int(math.log2(age_s * 1e9)) if age_s > 0 else -1
