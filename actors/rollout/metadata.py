"""Ephemeral metadata: labels and annotations that a version's pods have while it is canary, or stable.

They are injected into the ReplicaSet's template first, then into the pods that are there; what was injected is noted in
an annotation, so that exactly that can be taken away again. No pod is restarted, and the hash does not know of it.
"""

from __future__ import annotations

from typing import Any

import orjson

from actors.rollout import sets, wire
from actors.rollout.model import Ro
from actors.rollout.scene import Scene, Waits
from runtime.messages import Patch
from runtime.objects import PODS, Object, owner_uid, reference


def wished(ro: Ro) -> tuple[Object | None, Object | None]:
    """What pods of the new version and of the stable one get."""
    if ro.canary is not None:
        return ro.canary.get("canaryMetadata"), ro.canary.get("stableMetadata")
    strategy = ro.blue_green or {}
    return strategy.get("previewMetadata"), strategy.get("activeMetadata")


def of_new(scene: Scene) -> Object | None:
    """What a ReplicaSet that is created now gets."""
    new, stable = wished(scene.ro)
    return new if scene.has_other_stable else stable


def reconcile(scene: Scene) -> None:
    """Bring ReplicaSets and pods to what is wished. Raises Waits for the pods when they have to be looked at."""
    new, stable = wished(scene.ro)
    if new is None and stable is None:
        return
    is_settled = not scene.ro.stable_hash or scene.ro.stable_hash == scene.new_hash
    _sync(scene, scene.new, stable if is_settled else new)
    if not is_settled:
        _sync(scene, scene.stable, stable)
    for one in scene.others:
        _sync(scene, one, None)


def injected(one: Object) -> Object:
    """What was injected into a ReplicaSet."""
    text = sets.annotation(one, wire.EPHEMERAL_METADATA)
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def change(meta: Object, before: Object | None, after: Object | None) -> Object:
    """The merge patch of an object's metadata that replaces what was injected by what is wished; empty: none."""
    body: Object = {}
    for kind in ("labels", "annotations"):
        have: dict[str, str] = meta.get(kind) or {}
        want: dict[str, str] = (after or {}).get(kind) or {}
        part: dict[str, Any] = {name: value for name, value in want.items() if have.get(name) != value}
        part |= {name: None for name in (before or {}).get(kind) or () if name not in want and name in have}
        if part:
            body[kind] = part
    return body


def note(after: Object) -> str:
    """What was injected, as the annotation says it."""
    return orjson.dumps({kind: after[kind] for kind in ("labels", "annotations") if after.get(kind)}).decode()


def _sync(scene: Scene, one: Object | None, after: Object | None) -> None:
    if one is None:
        return
    before = injected(one)
    body = change(one["spec"]["template"]["metadata"], before, after)
    if body:
        notes = {wire.EPHEMERAL_METADATA: note(after) if after is not None else None}
        patch = {"metadata": {"annotations": notes}, "spec": {"template": {"metadata": body}}}
        scene.patch_set(one, patch)
    if sets.wished(one) == 0 or not (body or _is_unchecked(scene, one)):
        return
    if scene.world.pods is None:
        raise Waits
    for pod in scene.world.pods:
        if owner_uid(pod) == one["metadata"]["uid"] and "deletionTimestamp" not in pod["metadata"]:
            part = change(pod["metadata"], before, after)
            if part:
                scene.changes.append(Patch(reference(PODS, pod), {"metadata": part}, tag="pod"))


def _is_unchecked(scene: Scene, one: Object) -> bool:
    """Whether its pods have not been looked at since its template was changed."""
    return one["metadata"]["uid"] in scene.world.unchecked
