"""The status of a Deployment: its counts, and whether it is available and makes progress, in upstream's words.

`kubectl rollout status` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.objects import Object
from tiphys.devcluster.controllers.conditions import Condition, condition, with_condition, without_condition
from tiphys.devcluster.controllers.deployment.bounds import deployment_bounds
from tiphys.devcluster.controllers.statuses import counted
from tiphys.devcluster.controllers.times import seconds
from tiphys.devcluster.metadata import stamp

NO_DEADLINE = 2147483647
"""The value of progressDeadlineSeconds that means: none."""

NEW_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"


def status(deployment: Object, new: Object | None, old: Sequence[Object], now: float) -> Object:
    """The whole status, but for what a creation or a pause has to say about progress."""
    every = [*old, *([new] if new is not None else [])]
    before = deployment.get("status") or {}
    available = _sum(every, "availableReplicas")
    wished = sum(int(each["spec"]["replicas"]) for each in every)
    result: Object = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **counted(
            replicas=_sum(every, "replicas"),
            updatedReplicas=_sum(every[-1:] if new is not None else [], "replicas"),
            readyReplicas=_sum(every, "readyReplicas"),
            availableReplicas=available,
            unavailableReplicas=max(0, wished - available),
            collisionCount=int(before.get("collisionCount") or 0),
        ),
        "terminatingReplicas": _sum(every, "terminatingReplicas"),
        "conditions": list(before.get("conditions") or ()),
    }
    say(result, _availability(deployment, available), now)
    failure = next((found for each in every if (found := condition(each.get("status") or {}, "ReplicaFailure"))), None)
    if failure is not None:
        say(result, Condition("ReplicaFailure", failure["status"], failure["reason"], failure["message"]), now)
    else:
        result["conditions"] = without_condition(result, "ReplicaFailure")
    return result


def say(status: Object, what: Condition, now: float) -> None:
    """Write a condition into a status."""
    status["conditions"] = with_condition(status, what, now, "lastUpdateTime")


def _sum(sets: Sequence[Object], field: str) -> int:
    return sum(int((each.get("status") or {}).get(field) or 0) for each in sets)


def _availability(deployment: Object, available: int) -> Condition:
    must = int(deployment["spec"]["replicas"]) - deployment_bounds(deployment).unavailable
    if available >= must:
        message = "Deployment has minimum availability."
        return Condition("Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return Condition("Available", "False", "MinimumReplicasUnavailable", message)


def has_deadline(deployment: Object) -> bool:
    """Whether the Deployment wants to be told when it makes no progress."""
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    return deadline is not None and deadline != NO_DEADLINE


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether all pods wished for are of the new template and available, and no others are there."""
    wished = int(deployment["spec"]["replicas"])
    counts = [int(status.get(field) or 0) for field in ("updatedReplicas", "replicas", "availableReplicas")]
    return counts == [wished] * 3 and int(status["observedGeneration"]) >= deployment["metadata"].get("generation", 1)


def progress(deployment: Object, new: Object | None, status: Object, now: float) -> None:
    """Say in `status` how the roll-out goes."""
    if not has_deadline(deployment):
        status["conditions"] = without_condition(status, "Progressing")
        return
    known = condition(status, "Progressing")
    settled = int(status.get("replicas") or 0) == int(status.get("updatedReplicas") or 0)
    if settled and known is not None and known.get("reason") == NEW_AVAILABLE:
        return
    who = f'ReplicaSet "{new["metadata"]["name"]}"' if new is not None else f"Deployment {_quoted(deployment)}"
    if is_complete(deployment, status):
        say(status, Condition("Progressing", "True", NEW_AVAILABLE, f"{who} has successfully progressed."), now)
    elif _moved(deployment.get("status") or {}, status):
        _say_anew(status, Condition("Progressing", "True", "ReplicaSetUpdated", f"{who} is progressing."), now)
    elif _is_late(deployment, known, now):
        say(status, Condition("Progressing", "False", TIMED_OUT, f"{who} has timed out progressing."), now)
    elif known is None and new is not None:
        message = f"Found new replica set {_quoted(new)}"
        say(status, Condition("Progressing", "True", "FoundNewReplicaSet", message), now)


def _quoted(thing: Object) -> str:
    return f'"{thing["metadata"]["name"]}"'


def _say_anew(status: Object, what: Condition, now: float) -> None:
    """Say it even if it was said before: its time of update is what the deadline counts from."""
    say(status, what, now)
    status["conditions"] = [
        {**entry, "lastUpdateTime": stamp(now)} if entry["type"] == what.type else entry
        for entry in status["conditions"]
    ]


def _moved(before: Object, after: Object) -> bool:
    def count(status: Object, field: str) -> int:
        return int(status.get(field) or 0)

    if any(count(after, f) > count(before, f) for f in ("updatedReplicas", "readyReplicas", "availableReplicas")):
        return True
    old_before = count(before, "replicas") - count(before, "updatedReplicas")
    return count(after, "replicas") - count(after, "updatedReplicas") < old_before


def _is_late(deployment: Object, known: Object | None, now: float) -> bool:
    if known is None or known.get("reason") == NEW_AVAILABLE:
        return False
    if known.get("reason") == TIMED_OUT:
        return True
    at = deadline_at(deployment, known)
    return at is not None and now > at


def deadline_at(deployment: Object, known: Object | None) -> float | None:
    """When it is too late for progress (seconds since the epoch); None when nothing is waited for."""
    if known is None or not has_deadline(deployment) or known.get("reason") in (NEW_AVAILABLE, TIMED_OUT):
        return None
    if known.get("reason") == PAUSED:
        return None
    since = seconds(known.get("lastUpdateTime"))
    return since + float(deployment["spec"]["progressDeadlineSeconds"])


def pausing(deployment: Object) -> Condition | None:
    """What is to be said because the Deployment was paused or resumed and nobody said so yet."""
    known = condition(deployment.get("status") or {}, "Progressing")
    if not has_deadline(deployment) or (known is not None and known.get("reason") == TIMED_OUT):
        return None
    is_told = known is not None and known.get("reason") == PAUSED
    is_paused = bool(deployment["spec"].get("paused"))
    if is_paused and not is_told:
        return Condition("Progressing", "Unknown", PAUSED, "Deployment is paused")
    if is_told and not is_paused:
        return Condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    return None
