"""The phase of a Rollout and the sentence beside it: the first thing that is true, in upstream's order."""

from __future__ import annotations

from actors.names.timestamps import seconds
from actors.rollout.conditions import ABORTED, INVALID, TIMED_OUT
from actors.rollout.model import Ro
from actors.rollout.wire import COMPLETED_PHASES
from runtime.objects import Object

PROGRESSING, PAUSED, HEALTHY, DEGRADED = "Progressing", "Paused", "Healthy", "Degraded"


def phase_of(ro: Ro, status: Object) -> tuple[str, str]:
    """Phase and message for the spec of `ro` and a status."""
    for entry in status.get("conditions") or ():
        if entry["type"] == INVALID:
            return DEGRADED, f"InvalidSpec: {entry['message']}"
        if entry.get("reason") in (ABORTED, TIMED_OUT):
            return DEGRADED, f"{entry['reason']}: {entry['message']}"
    if ro.is_paused:
        return PAUSED, "manually paused"
    for pause in status.get("pauseConditions") or ():
        return PAUSED, str(pause["reason"])
    text = _unfinished(ro, status)
    return (PROGRESSING, text) if text else (HEALTHY, "")


def _unfinished(ro: Ro, status: Object) -> str:
    """What is still to come; empty when nothing is."""
    asked, done = ro.spec.get("restartAt"), status.get("restartedAt")
    if asked and (done is None or seconds(asked) != seconds(done)):
        return "rollout is restarting"
    updated, available = (int(status.get(name) or 0) for name in ("updatedReplicas", "availableReplicas"))
    if updated < ro.replicas:
        return "more replicas need to be updated"
    if available < updated:
        return "updated replicas are still becoming available"
    is_promoted = bool(status.get("stableRS")) and status.get("stableRS") == status.get("currentPodHash")
    if ro.blue_green is not None:
        return _blue_green(ro, status, is_promoted=is_promoted)
    if ro.canary is not None:
        if ro.routing is None and int(status.get("replicas") or 0) > updated:
            return "old replicas are pending termination"
        if not is_promoted:
            return "waiting for all steps to complete"
    return ""


def _blue_green(ro: Ro, status: Object, *, is_promoted: bool) -> str:
    mine = status.get("blueGreen") or {}
    active = mine.get("activeSelector")
    if not active or active != status.get("currentPodHash"):
        return "active service cutover pending"
    if is_promoted:
        return ""
    run = mine.get("postPromotionAnalysisRunStatus")
    is_measured = run is not None and run.get("status") in COMPLETED_PHASES
    if (ro.blue_green or {}).get("postPromotionAnalysis") is not None and not is_measured:
        return "waiting for analysis to complete"
    return "waiting for post-promotion verification to complete"
