"""Which Services select which version. A Service is changed by nobody but the Rollout that refers to it."""

from __future__ import annotations

from actors.rollout import sets, wire
from actors.rollout.model import Ro
from actors.rollout.runs import PRE
from actors.rollout.scene import Scene, service_hash
from runtime.messages import Patch
from runtime.objects import SERVICES, Object, reference

# ----------------------------------------------------------------------------------------------------- canary


def uses_ping_pong(ro: Ro) -> bool:
    """Whether two Services change their roles instead of their selectors."""
    return bool((ro.canary or {}).get("pingPong"))


def canary_and_stable(ro: Ro) -> tuple[str, str]:
    """The names of the Services in front of the new and the stable version."""
    canary = ro.canary or {}
    pair = canary.get("pingPong")
    if pair:
        ping, pong = pair.get("pingService", ""), pair.get("pongService", "")
        return (pong, ping) if ro.canary_status.get("stablePingPong") == "ping" else (ping, pong)
    return canary.get("canaryService", ""), canary.get("stableService", "")


def point_ping_pong(scene: Scene) -> None:
    """The Service whose turn it is to be the canary's gets the new version, ready or not, before it gets traffic."""
    if uses_ping_pong(scene.ro) and not scene.ro.is_fully_promoted and not carries_another(scene):
        ensure(scene, canary_and_stable(scene.ro)[0], scene.new, checks=False)


def point_canary_services(scene: Scene) -> None:
    """Stable to stable, canary to new; after an abort both to stable."""
    ro = scene.ro
    canary = ro.canary or {}
    ensure(scene, canary.get("stableService", ""), scene.stable, checks=True)
    if scene.pause.is_aborted:
        if ro.routing is None:
            ensure(scene, canary.get("canaryService", ""), scene.stable, checks=True)
        return  # with a router it follows the weight: see routing
    if rolling_back_to(scene) or carries_another(scene):
        return
    ensure(scene, canary.get("canaryService", ""), scene.new, checks=True)


def carries_another(scene: Scene) -> bool:
    """Whether routers still send traffic through the canary's Service to a version that was interrupted. That weight is
    of its pods, and taken away first: the next version has fewer, or none, and was not asked to stand it."""
    recorded = (scene.ro.weights or {}).get("canary") or {}
    value = recorded.get("podTemplateHash")
    if scene.ro.routing is None or not value or value == scene.new_hash or not int(recorded.get("weight") or 0):
        return False
    return any(sets.available(one) for one in scene.every if sets.hash_of(one) == value)


def rolling_back_to(scene: Scene) -> str:
    """The hash of the version that still gets traffic while a dynamically scaled stable version grows back.

    Empty when no such way back is under way."""
    ro = scene.ro
    if not ro.is_fully_promoted or ro.routing is None or not ro.is_dynamic or ro.weights is None:
        return ""
    serving = str((ro.weights.get("canary") or {}).get("podTemplateHash") or "")
    if serving == scene.new_hash or sets.available(scene.new) >= ro.replicas:
        return ""
    return serving


def ensure(scene: Scene, name: str, one: Object | None, *, checks: bool) -> None:
    """Point a Service at a version. With `checks`, never at one without an available pod, and when the Service is
    taken over, only at one that is wholly available."""
    if one is None or not name:
        return
    service = scene.service(name)
    if service_hash(service) == sets.hash_of(one):
        return
    is_ours = wire.MANAGED_BY in (service["metadata"].get("annotations") or {})
    if checks and not is_ours and not sets.is_available(one):
        return
    if checks and sets.available(one) == 0:
        return
    switch(scene, service, sets.hash_of(one))


def switch(scene: Scene, service: Object, value: str) -> None:
    """Make a Service select a version, and note whose it is."""
    before = service_hash(service)
    meta = service["metadata"]
    is_ours = wire.MANAGED_BY in (meta.get("annotations") or {})
    if before == value and before and is_ours:
        return
    body: Object = {"spec": {"selector": {wire.HASH: value}}}
    if not is_ours:
        body["metadata"] = {"annotations": {wire.MANAGED_BY: scene.ro.name}}
    scene.changes.append(Patch(reference(SERVICES, service), body, kind="strategic", tag="service"))
    text = f"Switched selector for service '{meta['name']}' from '{before}' to '{value}'"
    scene.say("SwitchService", text)
    service["spec"]["selector"] = {**(service["spec"].get("selector") or {}), wire.HASH: value}
    if not is_ours:
        notes = {**(meta.get("annotations") or {}), wire.MANAGED_BY: scene.ro.name}
        service["metadata"] = {**meta, "annotations": notes}


# ------------------------------------------------------------------------------------------------- blue-green


def is_fast_tracked(scene: Scene, active: Object, *, goes_back: bool) -> bool:
    """Whether the switch needs no pause: a quick way back, a full promotion, a first switch, or it is done."""
    return goes_back or scene.ro.is_promoting_fully or service_hash(active) in ("", scene.new_hash)


def point_preview(scene: Scene, preview: Object | None) -> None:
    """The preview Service gets the new version at once."""
    if preview is not None and not scene.pause.halt():
        switch(scene, preview, scene.new_hash)


def has_passed_analysis(scene: Scene) -> bool:
    """Whether nothing has to be measured before the switch any more."""
    if (scene.ro.blue_green or {}).get("prePromotionAnalysis") is None:
        return True
    return ((scene.runs.get(PRE) or {}).get("status") or {}).get("phase") == "Successful"
