"""How far a running pod is, as it says itself, is asked once a tick of the sidecar that tells it (PROG-2).

The answer is the last line of that container's log. It is worth no more than it says: a log that cannot be read is
asked for again at the next tick, and how the node ends never depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import paths
from actors.contract.progress import last_progress
from runtime.api import LogOptions
from runtime.messages import ReadLog
from runtime.objects import PODS, Object, reference

PROGRESS = "pod:progress"


def is_told(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has somebody who tells its progress."""
    inits = (pod.get("spec") or {}).get("initContainers") or ()
    return any(entry.get("name") == paths.TELLER for entry in inits)


def question(pod: Object) -> ReadLog:
    """What to ask; its answer is one of the logs that the pod is assessed with."""
    return ReadLog(reference(PODS, pod), LogOptions(paths.TELLER, tail_lines=1), PROGRESS)


def told_progress(pod: Mapping[str, Any], logs: Mapping[str, bytes]) -> str:
    """`N/M` as it was told last; empty when nothing was."""
    told = logs.get(paths.TELLER)
    return last_progress(told) if told and is_told(pod) else ""
