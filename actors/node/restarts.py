"""A pod that was lost before its program began is made again: nothing has happened yet that could happen twice.

Pure. Only what the node or the cluster did counts, and only while no container of the user's has started. (RTY-13)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import paths
from actors.names.timestamps import seconds
from actors.node.release import is_held
from runtime.objects import Object

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


def has_outcome(pod: Object, since: str | None) -> bool:
    """Whether what a pod on its way out has done counts: it is held for that, or its node has begun before it was made.

    `since` (RFC 3339) is when the node began, by the record. Any other may be of a run that a user has begun anew."""
    made = pod["metadata"].get("creationTimestamp")
    ours = is_held(pod) or bool(since and made and seconds(made) >= seconds(since))
    return ours and _began(pod.get("status") or {})


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
