"""When is an update done, and what follows: the new version is the stable one from then on."""

from __future__ import annotations

from actors.rollout import sets
from actors.rollout.duration import FAST_PROMOTED, PROMOTED
from actors.rollout.pauses import INCONCLUSIVE_ANALYSIS
from actors.rollout.rollback import is_fast, is_within_window
from actors.rollout.runs import POST, phase
from actors.rollout.scaling import meets_threshold
from actors.rollout.scene import Scene
from actors.rollout.services import uses_ping_pong
from actors.rollout.workload import leave_with_promotion
from runtime.objects import Object


def reason_to_promote(scene: Scene, status: Object) -> str:
    """Why the update is done; empty while it is not. The first reason that is true."""
    if scene.stable is None:
        return "Initial deploy"
    return _canary(scene) if scene.ro.canary is not None else _blue_green(scene, status)


def _canary(scene: Scene) -> str:
    ro = scene.ro
    if scene.pause.is_aborted or scene.new is None:
        return ""
    if sets.available(scene.new) < ro.replicas and not meets_threshold(scene, scene.new, ro.replicas):
        return ""
    if ro.is_promoting_fully:
        return "Full promotion requested"
    if is_fast(scene):
        return "Rollback within window" if is_within_window(scene) else "Fast rollback"
    if ro.paused_for(INCONCLUSIVE_ANALYSIS) is not None:
        return ""  # a person has to judge, even when the canary has as many pods as are wished already
    if not ro.steps or ro.step_index == len(ro.steps):
        return f"Completed all {len(ro.steps)} canary steps"
    return ""


def _blue_green(scene: Scene, status: Object) -> str:
    ro = scene.ro
    active = (status.get("blueGreen") or {}).get("activeSelector")
    if not active:
        return "Initial deploy"
    if active != status["currentPodHash"] or not scene.is_verified:
        return ""
    if ro.is_promoting_fully:
        return "Full promotion requested"
    if is_fast(scene):
        return "Rollback within window" if is_within_window(scene) else "Fast rollback"
    if scene.pause.is_aborted:
        return ""
    if (ro.blue_green or {}).get("postPromotionAnalysis") is not None and phase(scene.runs.get(POST)) != "Successful":
        return ""
    return "Completed blue-green update"


def promote(scene: Scene, status: Object, reason: str) -> None:
    """Make the new version the stable one."""
    ro = scene.ro
    scene.pause.begin_anew()
    status["promoteFull"] = False
    status["blueGreen"].pop("scaleUpPreviewCheckPoint", None)
    if ro.canary is not None:
        status["currentStepIndex"] = len(ro.steps) or None
    if ro.stable_hash != status["currentPodHash"]:
        if uses_ping_pong(ro):
            status["canary"]["stablePingPong"] = "pong" if ro.canary_status.get("stablePingPong") == "ping" else "ping"
        record = status.get("duration")
        if record and not record.get("completionStatus"):
            record["completionStatus"] = FAST_PROMOTED if ro.is_promoting_fully else PROMOTED
        status["stableRS"] = status["currentPodHash"]
        text = f"Rollout completed update to revision {ro.revision} ({status['currentPodHash']}): {reason}"
        scene.say("RolloutCompleted", text)
    leave_with_promotion(scene)
