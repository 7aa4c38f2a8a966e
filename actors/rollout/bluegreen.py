"""One decision about a blue-green update, in order: preview, sizes, pause, the switch, analyses, status."""

from __future__ import annotations

from actors.names.timestamps import seconds
from actors.rollout import history, metadata, runs, sets
from actors.rollout.canary import Outcome
from actors.rollout.model import selector_text
from actors.rollout.pauses import BLUE_GREEN
from actors.rollout.preview import is_ready_for_pause
from actors.rollout.promotion import promote, reason_to_promote
from actors.rollout.restart import restart
from actors.rollout.rollback import is_fast, is_within_window
from actors.rollout.scaling import drop_deadlines, scale_new, scale_others
from actors.rollout.scene import Scene, service_hash
from actors.rollout.services import has_passed_analysis, is_fast_tracked, point_preview, switch
from actors.rollout.status import base, begin_anew, finish, template_changed
from runtime.objects import Object


def decide(scene: Scene) -> Outcome:
    """The decision. Raises Stalled, Waits."""
    strategy = scene.ro.blue_green or {}
    active = scene.service(strategy.get("activeService", ""))
    preview = scene.service(strategy["previewService"]) if strategy.get("previewService") else None
    point_preview(scene, preview)
    if template_changed(scene):
        return _sync(scene, active, preview)
    restart(scene)
    scale(scene)
    _pause(scene, active)
    _switch(scene, active)
    runs.reconcile(scene)
    metadata.reconcile(scene)
    return _sync(scene, active, preview)


def scale(scene: Scene) -> None:
    """Bring all ReplicaSets to their sizes, and let go of the past."""
    drop_deadlines(scene)
    if scene.stable is not None:
        scene.resize(scene.stable, scene.ro.replicas)
    scale_new(scene)
    scale_others(scene)
    history.prune(scene)


def _pause(scene: Scene, active: Object) -> None:
    ro, pause = scene.ro, scene.pause
    if ro.is_aborted or not is_ready_for_pause(scene) or pause.halt():
        return
    strategy = ro.blue_green or {}
    length = int(strategy.get("autoPromotionSeconds") or 0)
    needs_none = (
        is_fast_tracked(scene, active, goes_back=is_fast(scene))
        or bool(ro.blue_green_status.get("scaleUpPreviewCheckPoint"))
        or not (strategy.get("autoPromotionEnabled") is False or length > 0)
    )
    if needs_none:
        pause.removed.add(BLUE_GREEN)
        return
    if not has_passed_analysis(scene):
        return
    condition = ro.paused_for(BLUE_GREEN)
    if condition is None:
        if not ro.controller_pause:
            pause.added.append(BLUE_GREEN)
    elif pause.blue_green_is_over():
        pause.removed.add(BLUE_GREEN)
    elif length > 0:
        scene.wake_at(seconds(condition["startTime"]) + length + 0.05)


def _switch(scene: Scene, active: Object) -> None:
    """Point the active Service at the new version when all is ready for that; back at stable after an abort."""
    ro = scene.ro
    if scene.pause.halt() or not is_ready_for_pause(scene) or not sets.is_saturated(ro, scene.new):
        return
    value = service_hash(active)
    if is_fast_tracked(scene, active, goes_back=is_fast(scene)):
        value = scene.new_hash
    if scene.pause.blue_green_is_over() and has_passed_analysis(scene):
        value = scene.new_hash
    if ro.is_aborted:
        value = ro.stable_hash
    switch(scene, active, value)


def _sync(scene: Scene, active: Object, preview: Object | None) -> Outcome:
    ro = scene.ro
    status = base(scene)
    if template_changed(scene):
        begin_anew(scene, status)
    if ro.is_promoting_fully or is_within_window(scene):
        scene.pause.begin_anew()
    status["blueGreen"]["previewSelector"] = service_hash(preview) if preview is not None else ""
    status["blueGreen"]["activeSelector"] = service_hash(active)
    reason = reason_to_promote(scene, status)
    if reason:
        promote(scene, status, reason)
    else:
        status["blueGreen"]["scaleUpPreviewCheckPoint"] = _is_past_preview(scene)
    _count_active(scene, status)
    return Outcome(*finish(scene, status))


def _is_past_preview(scene: Scene) -> bool:
    """Whether the new version may grow to its full size: a wire that trips once an update."""
    count = (scene.ro.blue_green or {}).get("previewReplicaCount")
    if count is None:
        return False
    if scene.ro.blue_green_status.get("scaleUpPreviewCheckPoint"):
        return True
    if not has_passed_analysis(scene) or not scene.pause.blue_green_is_over():
        return False
    return int(count) == sets.available(scene.new)


def _count_active(scene: Scene, status: Object) -> None:
    """What autoscalers and users are told: of the version that serves, when there is one."""
    value = status["blueGreen"]["activeSelector"]
    one = next((each for each in scene.every if value and sets.hash_of(each) == value), None)
    if one is None:
        return
    status["HPAReplicas"] = sets.count(one, "replicas")
    status["selector"] = selector_text(one["spec"]["selector"])
    status["availableReplicas"] = sets.count(one, "availableReplicas")
    status["readyReplicas"] = sets.count(one, "readyReplicas")
