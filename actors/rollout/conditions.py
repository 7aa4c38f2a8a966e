"""The conditions of a Rollout, and whether it moves."""

from __future__ import annotations

from typing import NamedTuple

from actors.names.timestamps import rfc3339, seconds
from actors.rollout import sets
from actors.rollout.model import Ro
from actors.rollout.scene import Scene
from runtime.objects import Object

INVALID, AVAILABLE, PROGRESSING = "InvalidSpec", "Available", "Progressing"
PAUSED, HEALTHY, COMPLETED, FAILURE = "Paused", "Healthy", "Completed", "ReplicaFailure"

ABORTED, TIMED_OUT, RETRY = "RolloutAborted", "ProgressDeadlineExceeded", "RolloutRetry"
ROLLOUT_PAUSED, RESUMED = "RolloutPaused", "RolloutResumed"


class Condition(NamedTuple):
    """What is to be said of one type."""

    type: str
    status: str  # "True", "False", "Unknown"
    reason: str
    message: str


def find(status: Object, kind: str) -> Object | None:
    """The condition of that type."""
    return next((entry for entry in status.get("conditions") or () if entry["type"] == kind), None)


def put(status: Object, new: Condition, now: float) -> bool:
    """Say something; whether that is new. The same status and reason are left alone, the message with them."""
    old = find(status, new.type)
    if old is not None and (old["status"], old.get("reason")) == (new.status, new.reason):
        return False
    at = rfc3339(now)
    since = old["lastTransitionTime"] if old is not None and old["status"] == new.status else at
    drop(status, new.type)
    entry = {**new._asdict(), "lastUpdateTime": at, "lastTransitionTime": since}
    status["conditions"] = [*(status.get("conditions") or ()), entry]
    return True


def drop(status: Object, kind: str) -> None:
    """Say nothing of that type any more."""
    status["conditions"] = [entry for entry in status.get("conditions") or () if entry["type"] != kind]


def _number(status: Object, field: str) -> int:
    return int(status.get(field) or 0)


def is_progressing(ro: Ro, new: Object) -> bool:
    """Whether something has moved since the status on record."""
    old = ro.status
    if ro.blue_green is not None:
        before, after = old.get("blueGreen") or {}, new.get("blueGreen") or {}
        if any((before.get(key) or "") != (after.get(key) or "") for key in ("activeSelector", "previewSelector")):
            return True
    if ro.canary is not None:
        if any((old.get(key) or "") != (new.get(key) or "") for key in ("stableRS", "currentStepHash")):
            return True
        indexes = old.get("currentStepIndex"), new.get("currentStepIndex")
        if None not in indexes and indexes[0] != indexes[1]:
            return True
    if _number(new, "updatedReplicas") != _number(old, "updatedReplicas"):
        return True
    old_left, new_left = (_number(one, "replicas") - _number(one, "updatedReplicas") for one in (old, new))
    grown = any(_number(new, key) > _number(old, key) for key in ("readyReplicas", "availableReplicas"))
    return new_left < old_left or grown


def is_healthy(ro: Ro, new: Object) -> bool:
    """Whether all pods are of the new version, available and serving, and no others are left."""
    current, wished = new.get("currentPodHash") or "", ro.replicas
    if ro.blue_green is not None:
        mine = new.get("blueGreen") or {}
        done = (mine.get("activeSelector") or "") == current
        if ro.blue_green.get("previewService"):
            done = done and (mine.get("previewSelector") or "") == current
    else:
        index = new.get("currentStepIndex")
        walked = not ro.steps or index is None or index == len(ro.steps)
        done = walked and is_completed(new) and _number(new, "replicas") == wished
    counts = _number(new, "updatedReplicas") == _number(new, "availableReplicas") == wished
    return counts and ro.status.get("observedGeneration") == ro.generation and done


def is_completed(status: Object) -> bool:
    """Whether the new version is the stable one."""
    return bool(status.get("stableRS")) and status.get("stableRS") == status.get("currentPodHash")


def is_timed_out(ro: Ro, status: Object, now: float) -> bool:
    """Whether nothing has moved for longer than the deadline allows."""
    entry = find(status, PROGRESSING)
    if entry is None or entry.get("reason") in (ABORTED, ROLLOUT_PAUSED):
        return False
    if entry.get("reason") == TIMED_OUT:
        return True
    return seconds(entry["lastUpdateTime"]) + ro.deadline_s < now


def is_indefinite(ro: Ro) -> bool:
    """Whether it stands at something that may take any time."""
    step = ro.step or {}
    if any(step.get(name) is not None for name in ("experiment", "analysis", "pause")):
        return True
    entry = find(ro.status, PAUSED)
    return entry is not None and entry["status"] == "True"


def awaits_deadline(scene: Scene) -> bool:
    """Whether an old version waits for its deadline."""
    return any(sets.deadline(one) for one in scene.others)


def update(scene: Scene, status: Object) -> None:
    """Bring all conditions of a new status up to date."""
    became_unhealthy = _healthy(scene, status)
    if scene.pause.is_aborted:
        text = f"Rollout aborted update to revision {scene.ro.revision}"
        if scene.pause.abort_message:
            text = f"{text}: {scene.pause.abort_message}"
        if put(status, Condition(PROGRESSING, "False", ABORTED, text), scene.now):
            scene.say(ABORTED, text, warning=True)
    else:
        _progress(scene, status, became_unhealthy=became_unhealthy)
    _available(scene, status)
    _failure(scene, status)
    is_done = is_completed(status)
    entry = Condition(COMPLETED, str(is_done), "RolloutCompleted", "RolloutCompleted")
    if put(status, entry, scene.now) and not is_done:
        text = f"Rollout not completed, started update to revision {scene.ro.revision} ({status['currentPodHash']})"
        scene.say("RolloutNotCompleted", text)


def _healthy(scene: Scene, status: Object) -> bool:
    """Whether it has just ceased to be healthy."""
    ro, now = scene.ro, scene.now
    is_paused = bool(status.get("pauseConditions")) or ro.is_paused
    if not is_paused and is_healthy(ro, status):
        put(status, Condition(HEALTHY, "True", "RolloutHealthy", "Rollout is healthy"), now)
        return False
    if find(ro.status, HEALTHY) is None:
        return False
    return put(status, Condition(HEALTHY, "False", "RolloutHealthy", "Rollout is not healthy"), now)


def _progress(scene: Scene, status: Object, *, became_unhealthy: bool) -> None:
    ro, now, new = scene.ro, scene.now, scene.new
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new is not None else f'Rollout "{ro.name}"'
    if is_healthy(ro, status):
        name = new["metadata"]["name"] if new is not None else ""
        text = f'ReplicaSet "{name}" has successfully progressed.'
        put(status, Condition(PROGRESSING, "True", "NewReplicaSetAvailable", text), now)
    elif is_progressing(ro, status) or became_unhealthy or scene.lets_go:
        entry = Condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        if is_completed(status) and became_unhealthy:
            text = "Rollout does not have minimum availability"
            entry = Condition(PROGRESSING, "True", "ReplicaSetNotAvailable", text)
        before = find(ro.status, PROGRESSING)
        drop(status, PROGRESSING)
        put(status, entry, now)
        if before is not None and before["status"] == "True":
            status["conditions"][-1]["lastTransitionTime"] = before["lastTransitionTime"]
    elif not is_indefinite(ro) and not awaits_deadline(scene) and is_timed_out(ro, status, now):
        put(status, Condition(PROGRESSING, "False", TIMED_OUT, f"{subject} has timed out progressing."), now)


def _available(scene: Scene, status: Object) -> None:
    ro = scene.ro
    if ro.blue_green is not None:
        value = (status.get("blueGreen") or {}).get("activeSelector")
        active = next((one for one in scene.every if value and sets.hash_of(one) == value), None)
        good = sets.is_saturated(ro, active)
    else:
        good = sets.total(scene.every, "availableReplicas") >= ro.replicas
    text = "Rollout has minimum availability" if good else "Rollout does not have minimum availability"
    put(status, Condition(AVAILABLE, str(good), "AvailableReason", text), scene.now)


def _failure(scene: Scene, status: Object) -> None:
    first = [scene.new] if scene.new is not None else []
    for one in (*first, *scene.every):
        for entry in (one.get("status") or {}).get("conditions") or ():
            if entry["type"] == FAILURE:
                told = Condition(FAILURE, entry["status"], entry.get("reason", ""), entry.get("message", ""))
                put(status, told, seconds(entry["lastTransitionTime"]))
                return
    drop(status, FAILURE)
