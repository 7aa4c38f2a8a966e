"""Is this update a way back, and may it be quick? Judged by when ReplicaSets were created, not by their numbers."""

from __future__ import annotations

from actors.rollout import sets, wire
from actors.rollout.scene import Scene


def is_rollback(scene: Scene) -> bool:
    """Whether the new version is the stable one, or older than it. True too when nothing is under way."""
    if scene.new is None or scene.stable is None:
        return False
    return scene.ro.stable_hash == scene.new_hash or sets.created(scene.new) < sets.created(scene.stable)


def is_within_window(scene: Scene) -> bool:
    """Whether few enough other versions were made between the new one and stable: `rollbackWindow.revisions`."""
    new, stable = scene.new, scene.stable
    if new is None or stable is None or not sets.created(new) < sets.created(stable):
        return False
    window = int((scene.ro.spec.get("rollbackWindow") or {}).get("revisions") or 0)
    if window <= 0:
        return False
    versions = [one for one in scene.every if not sets.annotation(one, wire.EXPERIMENT_NAME)]
    between = [one for one in versions if sets.created(new) < sets.created(one) < sets.created(stable)]
    return len(between) < window


def is_fast(scene: Scene) -> bool:
    """Whether the way back skips steps, pauses and analyses."""
    if not is_rollback(scene):
        return False
    still_there = scene.was_within_delay and scene.ro.blue_green is not None
    return is_within_window(scene) or still_there or scene.ro.stable_hash == scene.new_hash
