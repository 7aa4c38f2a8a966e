"""The status of a pod whose node went away: its processes died with it, so it is Failed, and nobody knows the codes."""

from __future__ import annotations

from runtime.objects import Object
from tiphys.devcluster.node.lifecycle import rfc3339

MESSAGE = "The node that ran this pod was restarted; its processes ended with it."
_UNKNOWN_CODE = 137  # what the kubelet writes for a container it cannot find any more


def lost_status(status: Object, now: float) -> Object:
    """The status to merge into that of a pod found running by a node that has just started."""
    lost: Object = {"phase": "Failed", "reason": "NodeLost", "message": MESSAGE}
    for field in ("initContainerStatuses", "containerStatuses"):
        if entries := status.get(field):
            lost[field] = [_lost_container(entry, now) for entry in entries]
    lost["conditions"] = [_lost_condition(c, now) for c in status.get("conditions") or ()]
    return lost


def _lost_container(entry: Object, now: float) -> Object:
    running = (entry.get("state") or {}).get("running")
    if running is None:
        return {**entry, "ready": False} if not (entry.get("state") or {}).get("terminated") else entry
    ended = {
        "exitCode": _UNKNOWN_CODE,
        "reason": "ContainerStatusUnknown",
        "message": MESSAGE,
        "startedAt": running.get("startedAt"),
        "finishedAt": rfc3339(now),
    }
    return {**entry, "ready": False, "started": False, "state": {"terminated": ended}}


def _lost_condition(condition: Object, now: float) -> Object:
    if condition["type"] not in ("Ready", "ContainersReady") or condition.get("status") != "True":
        return condition
    return {"type": condition["type"], "status": "False", "reason": "PodFailed", "lastTransitionTime": rfc3339(now)}
