"""One decision about a canary, in order: restarts, Services, traffic, experiments, analyses, sizes, pauses, status."""

from __future__ import annotations

from typing import NamedTuple

from actors.names.timestamps import seconds
from actors.rollout import experiments, history, metadata, plugins, routing, runs, services
from actors.rollout.model import pause_s, step_text
from actors.rollout.pauses import CANARY_STEP
from actors.rollout.promotion import promote, reason_to_promote
from actors.rollout.restart import restart
from actors.rollout.rollback import is_within_window
from actors.rollout.scaling import is_at_counts, scale_canary
from actors.rollout.scene import Scene
from actors.rollout.sets import wished
from actors.rollout.status import base, begin_anew, finish, template_or_steps_changed
from runtime.objects import Object


class Outcome(NamedTuple):
    """The new status, and the record of an update that has just ended; no status: it is left as it is."""

    status: Object | None
    ended: Object | None = None


def decide(scene: Scene) -> Outcome:
    """The decision. Raises Stalled, Waits."""
    if template_or_steps_changed(scene):
        return _sync(scene)
    if restart(scene) > 0:
        return Outcome(None)  # what is available is not known until the pods are gone
    metadata.reconcile(scene)
    history.prune(scene)
    services.point_ping_pong(scene)
    services.point_canary_services(scene)
    routing.reconcile(scene)
    experiments.reconcile(scene)
    runs.reconcile(scene)
    if scene.pause.added or scale_canary(scene) or _pauses(scene):
        return _sync(scene)
    plugins.reconcile(scene)
    return _sync(scene)


def _pauses(scene: Scene) -> bool:
    """Whether it stands at a pause step; pauses when it has just come there."""
    ro = scene.ro
    pause = (ro.step or {}).get("pause")
    if ro.is_paused or ro.is_promoting_fully or pause is None:
        return False
    condition = ro.paused_for(CANARY_STEP)
    if condition is None:
        if not ro.controller_pause:
            scene.pause.added.append(CANARY_STEP)
        return True
    length = pause_s(pause)
    if length is not None:
        scene.wake_at(seconds(condition["startTime"]) + length + 0.05)
    return True


def is_step_done(scene: Scene) -> bool:
    """Whether the present step asks for nothing more."""
    ro, step = scene.ro, scene.ro.step
    if ro.is_paused or step is None:
        return False
    if step.get("pause") is not None:
        return scene.pause.step_is_over(step["pause"])
    weights = scene.status["canary"].get("weights")
    if step.get("setCanaryScale") is not None:
        return is_at_counts(scene, weights)
    if step.get("setWeight") is not None:
        in_force = (weights or {}).get("verified") is not False and not services.carries_another(scene)
        return in_force and is_at_counts(scene, weights)
    if step.get("experiment") is not None:
        return runs.phase(scene.experiment) == "Successful"
    if step.get("analysis") is not None:
        return runs.phase(scene.runs.get(runs.STEP)) == "Successful"
    if step.get("setHeaderRoute") is not None or step.get("setMirrorRoute") is not None:
        return True
    return step.get("plugin") is not None and plugins.is_done(scene, ro.step_index or 0)


def _sync(scene: Scene) -> Outcome:
    ro = scene.ro
    status = base(scene)
    status["canary"]["stablePingPong"] = ro.canary_status.get("stablePingPong")
    kept = scene.plugin_statuses
    status["canary"]["stepPluginStatuses"] = ro.canary_status.get("stepPluginStatuses") if kept is None else kept
    status["currentStepHash"] = ro.steps_hash
    if template_or_steps_changed(scene):
        _begin_anew(scene, status)
        return Outcome(*finish(scene, status))
    index = ro.step_index
    if ro.is_promoting_fully or is_within_window(scene):
        scene.pause.begin_anew()
        index = len(ro.steps) or index
    reason = reason_to_promote(scene, status)
    if reason:
        promote(scene, status, reason)
    elif scene.pause.is_aborted:
        if ro.steps:
            status["currentStepIndex"] = len(ro.steps) if ro.stable_hash == status["currentPodHash"] else 0
    else:
        status["currentStepIndex"] = _next_index(scene, status, index)
    return Outcome(*finish(scene, status))


def _begin_anew(scene: Scene, status: Object) -> None:
    ro = scene.ro
    begin_anew(scene, status)
    if scene.new is None or not ro.steps:
        return
    if ro.stable_hash == scene.new_hash:
        scene.say("SkipSteps", "Rollback to stable ReplicaSets")
        status["currentStepIndex"] = len(ro.steps)
    elif is_within_window(scene) and wished(scene.new) > 0:
        scene.say("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
        status["currentStepIndex"] = len(ro.steps)


def _next_index(scene: Scene, status: Object, index: int | None) -> int | None:
    ro, step = scene.ro, scene.ro.step
    if index is None or step is None or not is_step_done(scene):
        return index
    index += 1
    status["canary"].pop("currentStepAnalysisRunStatus", None)
    scene.say("RolloutStepCompleted", f"Rollout step {index}/{len(ro.steps)} completed ({step_text(step)})")
    scene.pause.removed.add(CANARY_STEP)
    return index
