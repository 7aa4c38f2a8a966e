"""A pod that was lost before its program began is made again: nothing has happened yet that could happen twice.

Pure. Only what the node or the cluster did counts, and only while no container of the user's has started. (RTY-13)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import paths
from actors.names import labels

RESTARTABLE = frozenset({"Evicted", "NodeShutdown", "NodeAffinity", "UnexpectedAdmissionError"})
OURS = frozenset({paths.WAIT})


def restart_reason(pod: Mapping[str, Any]) -> str:
    """`Evicted: The node was low on resource: memory.`; empty when another pod is no remedy."""
    status = pod.get("status") or {}
    reason = str(status.get("reason") or "")
    if status.get("phase") != "Failed" or reason not in RESTARTABLE or _began(status):
        return ""
    message = str(status.get("message") or "")
    return f"{reason}: {message}" if message else reason


def has_outcome(pod: Mapping[str, Any]) -> bool:
    """Whether a pod that is being deleted is still held for what its program did; one that is not held was let go."""
    held = labels.FINALIZER_POD_STATUS in (pod["metadata"].get("finalizers") or ())
    return held and _began(pod.get("status") or {})


def _began(status: Mapping[str, Any]) -> bool:
    """Whether a container of the user's has run."""
    for entry in status.get("containerStatuses") or ():
        if entry.get("name") in OURS:
            continue
        state = entry.get("state") or {}
        last = entry.get("lastState") or {}
        if state.get("running") or last.get("terminated"):
            return True
        if (state.get("terminated") or {}).get("startedAt"):
            return True
    return False
