"""The status of a Rollout: begun anew with every decision, finished in one place, written only where it differs."""

from __future__ import annotations

import copy
from typing import Final

from actors.names.timestamps import seconds
from actors.rollout import conditions, sets, wire
from actors.rollout.duration import track
from actors.rollout.model import Ro, selector_text
from actors.rollout.phase import phase_of
from actors.rollout.scene import Scene
from runtime.objects import Object

_KEPT_ZEROS: Final = frozenset({"currentStepIndex", "collisionCount", "totalManualPauseDurationSeconds"})
"""Numbers that say something when they are 0."""

_WHOLE: Final = frozenset({"weights", "alb"})
"""Objects that are kept as they are."""


def begin(ro: Ro) -> Object:
    """What every new status begins with; all else is decided anew."""
    kept = ("restartedAt", "alb", "albs", "duration")
    status: Object = {name: copy.deepcopy(ro.status[name]) for name in kept if name in ro.status}
    status["canary"] = {"weights": copy.deepcopy(ro.weights)} if ro.weights else {}
    status["blueGreen"] = {}
    return status


def compact(status: Object) -> Object:
    """The status as it stands on the wire: what says nothing is left out."""
    found: Object = {}
    for name, value in status.items():
        if isinstance(value, dict) and name not in _WHOLE and not name.endswith("Status"):
            value = compact(value)  # noqa: PLW2901  # the value as it is written
        if value is None or value == "" or value is False or value in ([], {}):
            continue
        if value == 0 and not isinstance(value, bool) and name not in _KEPT_ZEROS:
            continue
        found[name] = value
    return found


# ------------------------------------------------------------------------------------------- what has changed


def template_changed(scene: Scene) -> bool:
    """Whether the template is another one than at the last decision."""
    ro = scene.ro
    if not ro.current_hash:
        return False
    return ro.current_hash != (scene.new_hash if scene.new is not None else ro.template_hash)


def template_or_steps_changed(scene: Scene) -> bool:
    """Whether a canary begins anew."""
    recorded = scene.ro.status.get("currentStepHash")
    return not recorded or recorded != scene.ro.steps_hash or template_changed(scene)


def base(scene: Scene) -> Object:
    """The new status as far as both strategies agree."""
    ro, status = scene.ro, scene.status
    status["conditions"] = [each for each in ro.status.get("conditions") or () if each["type"] != conditions.INVALID]
    status["currentPodHash"] = scene.new_hash if scene.new is not None else ro.template_hash
    status["replicas"] = sets.total(scene.every, "replicas")
    status["updatedReplicas"] = sets.count(scene.new, "replicas")
    status["readyReplicas"] = sets.total(scene.every, "readyReplicas")
    status["availableReplicas"] = sets.total(scene.every, "availableReplicas")
    status["HPAReplicas"] = status["replicas"]
    status["selector"] = selector_text(ro.selector)
    status["collisionCount"] = ro.status.get("collisionCount")
    status["stableRS"] = ro.stable_hash
    status["promoteFull"] = status["currentPodHash"] != ro.stable_hash and ro.is_promoting_fully
    return status


def begin_anew(scene: Scene, status: Object) -> None:
    """Another template, or other steps: nothing of the last update counts any more."""
    scene.pause.begin_anew()
    status["promoteFull"] = False
    for field in ("prePromotionAnalysisRunStatus", "postPromotionAnalysisRunStatus", "scaleUpPreviewCheckPoint"):
        status["blueGreen"].pop(field, None)
    for field in ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus", "stepPluginStatuses"):
        status["canary"].pop(field, None)
    status["currentStepIndex"] = 0 if scene.ro.steps else None


# ----------------------------------------------------------------------------------------------- finishing it


def finish(scene: Scene, status: Object) -> tuple[Object, Object | None]:
    """The finished status, and the record of an update that has just ended."""
    ro = scene.ro
    _observe(ro, status)
    _abort_at_deadline(scene, status)
    scene.pause.write(status)
    conditions.update(scene, status)
    _look_again(scene, status)
    status["phase"], status["message"] = phase_of(ro, status)
    changed = template_or_steps_changed(scene) if ro.canary is not None else template_changed(scene)
    record, ended = track(scene, status, template_changed=changed)
    status["duration"] = record
    written = compact(status)
    _tell_pause(scene, written)
    return written, ended


def with_conditions(scene: Scene, *entries: conditions.Condition) -> tuple[Object, Object | None]:
    """The status on record with further conditions, and what follows from them: phase, message, duration."""
    ro = scene.ro
    status = copy.deepcopy(ro.status)
    for entry in entries:
        conditions.put(status, entry, scene.now)
    status["observedGeneration"] = ro.generation
    status["phase"], status["message"] = phase_of(ro, status)
    changed = template_or_steps_changed(scene) if ro.canary is not None else template_changed(scene)
    status["duration"], ended = track(scene, status, template_changed=changed)
    return compact(status), ended


def _observe(ro: Ro, status: Object) -> None:
    status["observedGeneration"] = ro.generation
    seen = (ro.meta.get("annotations") or {}).get(wire.WORKLOAD_GENERATION, "")
    status["workloadObservedGeneration"] = seen if ro.is_resolved else ""


def _abort_at_deadline(scene: Scene, status: Object) -> None:
    """`progressDeadlineAbort`: an update that has not moved for too long is given up."""
    ro = scene.ro
    if not ro.spec.get("progressDeadlineAbort") or scene.pause.is_aborted or conditions.is_completed(status):
        return
    if conditions.is_progressing(ro, status) or conditions.is_indefinite(ro) or conditions.awaits_deadline(scene):
        return
    if not conditions.is_timed_out(ro, ro.status, scene.now):
        return
    subject = f'ReplicaSet "{scene.new["metadata"]["name"]}"' if scene.new is not None else f'Rollout "{ro.name}"'
    text = f"{subject} has timed out progressing."
    scene.pause.abort(text)
    scene.say(conditions.ABORTED, text, warning=True)


def _look_again(scene: Scene, status: Object) -> None:
    """Be there when the deadline for progress has passed."""
    ro = scene.ro
    entry = conditions.find(status, conditions.PROGRESSING)
    if entry is None or conditions.is_healthy(ro, status) or entry.get("reason") == conditions.TIMED_OUT:
        return
    if status.get("pauseConditions") or ro.is_paused or status.get("abort") or conditions.is_indefinite(ro):
        return
    at = seconds(entry["lastUpdateTime"]) + ro.deadline_s + 1
    if at > scene.now:  # when it has passed, it is not time that is waited for
        scene.wake_at(at)


def _tell_pause(scene: Scene, written: Object) -> None:
    was, is_ = bool(scene.ro.pause_conditions), bool(written.get("pauseConditions"))
    if was == is_:
        return
    if is_:
        scene.say("RolloutPaused", f"Rollout is paused ({written['pauseConditions'][0]['reason']})")
    elif written.get("abortedAt") is None:
        scene.say("RolloutResumed", "Rollout is resumed")
