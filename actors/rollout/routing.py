"""How much traffic the canary is to get now, and telling the routers so.

The weight follows the pods: the step's weight when its pods are there, the one before while they come, none while the
canary has no available pod. Nothing moves while stable has too few pods for what would be left to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.rollout import balancers, experiments, sets
from actors.rollout.model import Ro
from actors.rollout.scaling import canary_weight, is_at_counts, meets_threshold
from actors.rollout.scene import Scene, Stalled
from actors.rollout.services import canary_and_stable, carries_another, ensure, rolling_back_to
from actors.rollout.traffic.protocol import Destination, Moves, Refusal, Router, Shift
from actors.rollout.traffic.routers import routers_of
from runtime.objects import Object


def reconcile(scene: Scene) -> None:
    """Tell the routers the weights of now. Raises Stalled when one cannot do it, or has not confirmed the last ones."""
    routers = routers_of(scene.ro, scene.world.routers)
    canary = scene.status.setdefault("canary", {})
    if not routers:
        canary["weights"] = None
        return
    shift = replace(decide(scene), now=scene.now)
    scene.stable_share = shift.stable
    if not _stable_can_carry(scene, shift):
        return
    answers = [_tell(scene, router, shift) for router in routers]
    refusals = [answer.message for answer in answers if isinstance(answer, Refusal)]
    if refusals:
        raise Stalled(refusals[0], again_s=scene.world.verify_s)
    settles_s = max(answer.settles_s for answer in answers if isinstance(answer, Moves))
    if settles_s > 0:
        raise Stalled("until its routers have taken the weights over", again_s=settles_s)
    _record(scene, shift)
    _verify(scene, routers, shift)


def decide(scene: Scene) -> Shift:
    """The weights of now."""
    ro, hashes = scene.ro, (scene.new_hash, sets.hash_of(scene.stable))
    serving = rolling_back_to(scene)
    is_empty = scene.new is None or sets.available(scene.new) == 0
    extra: tuple[Destination, ...] = ()
    removes = True
    if serving:
        weight, hashes, removes = setback(scene), (serving, hashes[1]), False
    elif ro.is_fully_promoted:
        weight = 0
    elif scene.pause.is_aborted:
        weight = setback(scene)
        if weight and carries_another(scene):  # what is left goes to that one, also for whoever tries again
            hashes = str((ro.weights or {})["canary"]["podTemplateHash"]), hashes[1]
        if not ro.is_dynamic or weight == 0:
            ensure(scene, (ro.canary or {}).get("canaryService", ""), scene.stable, checks=False)
    elif is_empty:
        weight, extra = 0, experiments.destinations(scene)
    elif ro.is_promoting_fully:
        weight = _promoting(scene)
    else:
        weight, extra, removes = *_by_step(scene), False
    if carries_another(scene):  # the Service leads there until this is on record: not more of it
        weight = min(weight, int((ro.weights or {})["canary"]["weight"]))
    canary_service, stable_service = canary_and_stable(ro)
    step = (ro.step or {}) if ro.revision > 1 else {}
    return Shift(
        canary=weight,
        canary_hash=hashes[0],
        stable_hash=hashes[1],
        most=ro.most_weight,
        additional=extra,
        header_route=step.get("setHeaderRoute"),
        mirror_route=step.get("setMirrorRoute"),
        removes_managed=removes,
        is_retreat=ro.is_aborted or bool(serving),
        weight_first=is_empty and ((ro.weights or {}).get("canary") or {}).get("weight", 0) > 0,
        unready=frozenset(sets.hash_of(one) for one in scene.every if sets.wished(one) and not sets.is_available(one)),
        canary_service=canary_service,
        stable_service=stable_service,
    )


def _by_step(scene: Scene) -> tuple[int, tuple[Destination, ...]]:
    ro, index = scene.ro, scene.ro.step_index
    if index is None:
        return 0, ()
    if not is_at_counts(scene, None):
        return _on_the_way(scene, index), experiments.destinations(scene)
    if index != len(ro.steps):
        return ro.set_weight(), experiments.destinations(scene)
    return ro.most_weight, ()


def _on_the_way(scene: Scene, index: int) -> int:
    """The weight while sizes are not those of the step: one that falls goes first, one that rises follows its pods,
    also when the step that asks for them was skipped."""
    ro = scene.ro
    recorded = (ro.weights or {}).get("canary") or {}
    carries = int(recorded.get("weight") or 0) if recorded.get("podTemplateHash") == scene.new_hash else 0
    wanted = ro.set_weight()
    return wanted if carries > wanted else min(ro.weight_before(index), carries)


def _promoting(scene: Scene) -> int:
    ro = scene.ro
    if ro.is_dynamic:
        return ro.most_weight * sets.available(scene.new) // max(1, ro.replicas)
    return int(((ro.weights or {}).get("canary") or {}).get("weight") or 0)


def setback(scene: Scene) -> int:
    """The weight of a canary that is given up: none at once; with a dynamic stable side, by and by, and never more."""
    ro = scene.ro
    if not ro.is_dynamic or scene.stable is None or scene.new is None or ro.replicas == 0:
        return 0
    wanted = canary_weight(scene)
    carried = ro.most_weight * sets.serving(scene.stable) // ro.replicas
    left = max(0, ro.most_weight - carried)
    if ro.weights is None:
        return max(left, wanted)
    now = int(ro.weights["canary"]["weight"])
    if wanted <= 0:
        return min(left, now)
    if carried < ro.most_weight - wanted:
        return now
    return min(wanted, now)


def _stable_can_carry(scene: Scene, shift: Shift) -> bool:
    if scene.stable is None:
        return False
    share = shift.most - shift.canary
    wanted = max(share * scene.ro.replicas // shift.most, min(share, 1, scene.ro.replicas))  # none serves no request
    return sets.serving(scene.stable) >= wanted or meets_threshold(scene, scene.stable, wanted)


def _tell(scene: Scene, router: Router, shift: Shift) -> Moves | Refusal:
    """Tell one router, and take its answer in; when that is a refusal, the others are told all the same."""
    answer = router.plan(scene.ro, scene.world.known, shift_of(scene.ro, router, shift))
    if isinstance(answer, Refusal):
        scene.said += answer.warnings
        scene.say("TrafficRoutingError", answer.message, warning=True)
    else:
        scene.changes += answer.changes
        scene.said += answer.said
    return answer


def shift_of(ro: Ro, router: Router, shift: Shift) -> Shift:
    """The shift by the Services that a router works with: with both pairs named, only some follow the ping-pong."""
    canary = ro.canary or {}
    named = canary.get("canaryService") or "", canary.get("stableService") or ""
    if router.prefers_ping_pong or not any(named):
        return shift
    return replace(shift, canary_service=named[0], stable_service=named[1])


def _record(scene: Scene, shift: Shift) -> None:
    canary = scene.ro.canary or {}
    weights: Object = {
        "canary": _side(shift.canary, canary.get("canaryService"), shift.canary_hash),
        "stable": _side(shift.stable, canary.get("stableService"), shift.stable_hash),
    }
    if shift.additional:
        weights["additional"] = [_side(each.weight, each.service, each.hash) for each in shift.additional]
    before = scene.ro.weights
    if before is not None and {**before, "verified": None} == {**weights, "verified": None}:
        return
    details = []
    if before is None:
        details.append(f"to {shift.canary}")
    elif before["canary"]["weight"] != shift.canary:
        details.append(f"from {before['canary']['weight']} to {shift.canary}")
    if before is not None and (before.get("additional") or []) != weights.get("additional", []):
        texts = [f"{{{each.weight} {each.service} {each.hash}}}" for each in shift.additional]
        details.append(f"additional: [{' '.join(texts)}]")
    scene.say("TrafficWeightUpdated", f"Traffic weight updated {', '.join(details)}")
    scene.status["canary"]["weights"] = weights


def _side(weight: int, service: Any, value: str) -> Object:
    found: Object = {"weight": weight}
    if service:
        found["serviceName"] = service
    if value:
        found["podTemplateHash"] = value
    return found


def _verify(scene: Scene, routers: list[Router], shift: Shift) -> None:
    answers = [_confirmed(scene, router, shift_of(scene.ro, router, shift)) for router in routers]
    said = [answer for answer in answers if answer is not None]
    weights = dict(scene.status["canary"]["weights"])
    weights.pop("verified", None)
    if said:
        weights["verified"] = all(said)
    scene.status["canary"]["weights"] = weights
    if said and not all(said):
        scene.wake_at(scene.now + scene.world.verify_s)
        if shift.canary == shift.most and len(scene.ro.steps) >= (scene.ro.step_index or 0):
            raise Stalled(f"end of rollout, desired weight {shift.canary} not yet verified")


def _confirmed(scene: Scene, router: Router, shift: Shift) -> bool | None:
    """Whether a router has taken the weights over: what it says itself, or what AWS says of its load balancers."""
    if router.key == "alb":
        return balancers.confirmed(scene, shift)
    return router.verify(scene.ro, scene.world.known, shift)
