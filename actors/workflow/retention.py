"""How long a finished workflow is kept: by its own `ttlStrategy`, counted from its end. (TTL-1, TTL-2.)"""

from __future__ import annotations

from typing import Any

from actors.names import labels
from actors.names.timestamps import seconds
from runtime.objects import Object


def expires_at(workflow: Object) -> float | None:
    """When a finished workflow is to be deleted (epoch seconds); None: never.

    Its own strategy, which anybody may still write, takes the place of the one that it was given by reference. Failed
    looks at secondsAfterFailure, Succeeded at secondsAfterSuccess, everything else (Error too) at
    secondsAfterCompletion alone. One that somebody is archiving stays until that is done."""
    if (workflow["metadata"].get("labels") or {}).get(labels.ARCHIVING_STATUS) == "Pending":
        return None
    status = workflow.get("status") or {}
    specs = (workflow.get("spec") or {}, status.get("storedWorkflowTemplateSpec") or {})
    strategy: dict[str, Any] = next((spec["ttlStrategy"] for spec in specs if spec.get("ttlStrategy") is not None), {})
    special = {"Succeeded": "secondsAfterSuccess", "Failed": "secondsAfterFailure"}.get(status.get("phase", ""))
    kept = strategy.get(special) if special else None
    if kept is None:
        kept = strategy.get("secondsAfterCompletion")
    if kept is None or not status.get("finishedAt"):
        return None
    return seconds(status["finishedAt"]) + float(kept)
