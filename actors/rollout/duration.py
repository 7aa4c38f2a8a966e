"""How long an update takes, and how much of that time a person was waited for."""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.names.timestamps import rfc3339, seconds
from actors.rollout import sets
from actors.rollout.conditions import ABORTED, INVALID, PROGRESSING, find, is_completed
from actors.rollout.model import Ro
from actors.rollout.pauses import needs_person
from actors.rollout.rollback import is_fast, is_rollback
from actors.rollout.scene import Scene
from runtime.objects import Object

PROMOTED, FAST_PROMOTED, ABORTED_STATUS, SUPERSEDED = "Promoted", "FastPromoted", "Aborted", "Superseded"
ROLLED_BACK, FAST_ROLLED_BACK = "RolledBack", "FastRolledBack"

BUCKETS: Final = (30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)


class Result(NamedTuple):
    """The new record, and the one of an update that has just ended, for the metrics."""

    record: Object | None
    ended: Object | None = None


def is_over(record: Object | None) -> bool:
    """Whether the update of a record has ended."""
    return record is not None and bool(record.get("rolloutStartedAt")) and bool(record.get("finishedAt"))


def track(scene: Scene, status: Object, *, template_changed: bool) -> Result:
    """Carry the record of an update on. `status` is the new status with its pauses."""
    record: Object | None = dict(status["duration"]) if status.get("duration") else None
    if find(status, INVALID) is not None:
        return Result(record)
    ro, before = scene.ro, scene.ro.status.get("duration") or {}
    is_new = template_changed or not ro.current_hash
    is_done = is_completed(status) and scene.new is not None and sets.available(scene.new) >= ro.replicas
    paused = before.get("manualPauseStartedAt") is not None
    ended: Object | None = None
    if record is not None and before.get("rolloutStartedAt") and not before.get("finishedAt"):
        ended = _close(scene, record, is_new=is_new, is_done=is_done)
    if record is None or (is_over(record) and not is_done):
        paused = False
        if (is_new and not is_done) or _is_retry(scene):
            record = {"rolloutStartedAt": rfc3339(scene.now)}
    if record is not None and not is_over(record):
        _count_pause(ro, status, record, scene.now, paused=paused)
    return Result(record, ended)


def _is_retry(scene: Scene) -> bool:
    entry = find(scene.ro.status, PROGRESSING)
    return not scene.pause.is_aborted and entry is not None and entry.get("reason") == ABORTED


def _close(scene: Scene, record: Object, *, is_new: bool, is_done: bool) -> Object | None:
    """End the record when its update has ended; the record as it was ended, None when it goes on."""
    ended: Object | None = None
    if is_new:
        if is_rollback(scene):
            record["completionStatus"] = FAST_ROLLED_BACK if is_fast(scene) else ROLLED_BACK
        else:
            ended = _end(record, SUPERSEDED, scene.now)
    if is_done and not is_over(record):
        return _end(record, record.get("completionStatus") or PROMOTED, scene.now)
    if scene.pause.is_aborted and not is_over(record):
        return _end(record, record.get("completionStatus") or ABORTED_STATUS, scene.now)
    return ended


def _end(record: Object, outcome: str, now: float) -> Object:
    _add_pause(record, now)
    record["finishedAt"], record["completionStatus"] = rfc3339(now), outcome
    return dict(record)


def _add_pause(record: Object, now: float) -> None:
    since = record.pop("manualPauseStartedAt", None)
    if since is not None:
        so_far = int(record.get("totalManualPauseDurationSeconds") or 0)
        record["totalManualPauseDurationSeconds"] = so_far + int(now - seconds(since))


def _count_pause(ro: Ro, status: Object, record: Object, now: float, *, paused: bool) -> None:
    is_manual = ro.is_paused or any(needs_person(ro, each["reason"]) for each in status.get("pauseConditions") or ())
    if paused and not is_manual:
        _add_pause(record, now)
    elif not paused and is_manual and not record.get("manualPauseStartedAt"):
        record["manualPauseStartedAt"] = rfc3339(now)
