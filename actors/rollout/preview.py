"""How many pods the new version of a blue-green update has before the switch, and whether it has them."""

from __future__ import annotations

from actors.rollout import sets
from actors.rollout.scene import Scene


def preview_size(scene: Scene) -> int:
    """`previewReplicaCount` until the pause has been served, then all: only a full version is switched to."""
    ro = scene.ro
    preview = (ro.blue_green or {}).get("previewReplicaCount")
    if preview is None:
        return ro.replicas
    active = next((one for one in scene.every if ro.active_hash and sets.hash_of(one) == ro.active_hash), None)
    if active is None or active is scene.new or ro.is_promoting_fully:
        return ro.replicas
    if scene.new_hash != ro.current_hash:
        return int(preview)
    is_running = not ro.is_paused and not ro.pause_conditions
    if is_running and ro.blue_green_status.get("scaleUpPreviewCheckPoint"):
        return ro.replicas
    return int(preview)


def is_ready_for_pause(scene: Scene) -> bool:
    """Whether the new version has the pods that it should have before the switch."""
    return scene.new is not None and sets.wished(scene.new) == preview_size(scene) == sets.available(scene.new)
