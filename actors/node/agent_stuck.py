"""A pod of an agent that only crashes is given up: the nodes that wait for it end with the reason, not at a deadline.

The pod's containers are started again when they fail, so it never fails as a whole. One whose program cannot be started
will not be started the next time either; one that starts and crashes may yet find what it misses, for a few minutes.
Pure. (AGENT-4)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.node.assess import blame

CRASHES_MAX = 5  # the kubelet's pauses between them add up to two and a half minutes
NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})


def given_up(pod: Mapping[str, Any]) -> str:
    """`hello: ContainerCannotRun (exit code 128): …` for a container that is not worth waiting for; else empty."""
    status = pod.get("status") or {}
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        ended = (entry.get("lastState") or {}).get("terminated")
        if waiting.get("reason") != "CrashLoopBackOff" or not ended:
            continue
        if ended.get("reason") in NEVER_RAN or int(entry.get("restartCount") or 0) >= CRASHES_MAX:
            return blame(entry, ended)
    return ""
