"""How the ReplicaSets of a Rollout get their sizes: stable first, then the new one, then the others, one at a time."""

from __future__ import annotations

from actors.rollout import sets, wire
from actors.rollout.counts import (
    Basic,
    Counts,
    Routed,
    Setback,
    approximate,
    basic,
    for_weight,
    routed,
    setback_weight,
    threshold_met,
)
from actors.rollout.pauses import INCONCLUSIVE_ANALYSIS
from actors.rollout.preview import preview_size
from actors.rollout.runs import POST, phase, skips_post_promotion
from actors.rollout.scene import Scene, service_hash
from actors.rollout.traffic.routers import routers_of
from actors.rollout.workload import follow_with_workload
from runtime.objects import SERVICES, Object, Reference

# --------------------------------------------------------------------------------------------------- arithmetic


def scale_in_force(scene: Scene) -> Object | None:
    """The setCanaryScale that holds at the present step; None when the canary follows its weight."""
    ro = scene.ro
    if ro.routing is None or (ro.is_aborted and ro.abort_delay_s is not None) or ro.step is None:
        return None
    for step in reversed(ro.steps[: (ro.step_index or 0) + 1]):
        scale: Object | None = step.get("setCanaryScale")
        if scale is not None:
            return None if scale.get("matchTrafficWeight") else scale
    return None


def canary_weight(scene: Scene) -> int:
    """The weight that the steps ask for; during an abort with a dynamic stable side, the next lower one."""
    ro = scene.ro
    if not (ro.is_aborted and ro.is_dynamic and scene.new is not None and scene.stable is not None):
        return ro.set_weight()
    weights = tuple(int(step["setWeight"]) for step in ro.steps if step.get("setWeight") is not None)
    return setback_weight(
        Setback(
            ro.replicas,
            ro.most_weight,
            weights,
            sets.serving(scene.stable),
            sets.available(scene.new),
            ro.has_own_abort_delay,
            ro.least_pods,
        )
    )


def replicas_or_weight(scene: Scene) -> tuple[int | None, int]:
    """What decides over the canary's size: a number of pods, or else a weight."""
    ro = scene.ro
    if ro.is_promoting_fully or not ro.stable_hash or ro.is_fully_promoted:
        return None, ro.most_weight
    scale = scale_in_force(scene) or {}
    if scale.get("replicas") is not None:
        return int(scale["replicas"]), 0
    if scale.get("weight") is not None:
        return None, int(scale["weight"])
    return None, canary_weight(scene)


def basic_counts(scene: Scene) -> Counts:
    """The next sizes of a canary without a router."""
    ro = scene.ro
    _, weight = replicas_or_weight(scene)
    target = approximate(ro.replicas, weight, ro.most_weight, ro.fence.surge)
    stable = sets.size(scene.stable) if scene.has_other_stable else None
    older = sum(sets.wished(one) for one in scene.others)
    return basic(Basic(ro.replicas, ro.fence, target, sets.size(scene.new), stable, older))


def routed_counts(scene: Scene, weights: Object | None) -> Counts:
    """The sizes of a canary with a router that has been told `weights`."""
    ro = scene.ro
    scale, weight = replicas_or_weight(scene)
    actual = Counts(weights["canary"]["weight"], weights["stable"]["weight"]) if weights else None
    floor = ro.least_pods
    return routed(Routed(ro.replicas, weight, ro.most_weight, scale, floor, ro.is_dynamic, ro.is_aborted, actual))


def counts(scene: Scene, weights: Object | None) -> Counts:
    """The sizes of a canary."""
    return basic_counts(scene) if scene.ro.routing is None else routed_counts(scene, weights)


def meets_threshold(scene: Scene, one: Object | None, wished: int) -> bool:
    """Whether enough of a side's pods are available to go on."""
    threshold = (scene.ro.canary or {}).get("replicaProgressThreshold") or {}
    return threshold_met(threshold.get("type", ""), threshold.get("value"), sets.size(one), wished)


def is_at_counts(scene: Scene, weights: Object | None) -> bool:
    """Whether a canary has the sizes of its present step."""
    ro, wanted = scene.ro, counts(scene, weights)
    if not meets_threshold(scene, scene.new, wanted.canary):
        return False
    if ro.routing is None or not ro.is_dynamic:
        stable = scene.stable
        if stable is None or sets.wished(stable) != wanted.stable or sets.count(stable, "replicas") != wanted.stable:
            return False
    return ro.routing is not None or sets.total(scene.others, "availableReplicas") == 0


# ------------------------------------------------------------------------------------------------ canary, in order


def scale_canary(scene: Scene) -> bool:
    """Bring one ReplicaSet of a canary to its size; whether one was changed."""
    if scene.pause.halt():
        return False
    drop_deadlines(scene)
    return _scale_stable(scene) or scale_new(scene) or scale_others(scene)


def drop_deadlines(scene: Scene) -> None:
    """The new and the stable version are not to go, whatever was said of them before."""
    if scene.new is not None and not scene.stays_after_abort:
        scene.drop_deadline(scene.new)
    if scene.stable is not None and (scene.stable is not scene.new or scene.stays_after_abort):
        scene.drop_deadline(scene.stable)


def _scale_stable(scene: Scene) -> bool:
    if not scene.has_other_stable or scene.stable is None:
        return False
    return scene.resize(scene.stable, counts(scene, _most_for_stable(scene)).stable)


def _most_for_stable(scene: Scene) -> Object | None:
    """The weights on record, with stable's share of now where that is more: it shrinks one decision after its share
    has, and not while its share is to grow, which waits for its pods."""
    weights, share = scene.ro.weights, scene.stable_share
    if weights is None or share is None or share <= int(weights["stable"]["weight"]):
        return weights
    return {**weights, "stable": {**weights["stable"], "weight": share}}


def scale_new(scene: Scene) -> bool:
    """Bring the new ReplicaSet to its size."""
    new = scene.new
    if new is None:
        return False
    wished = _new_size(scene)
    if scene.stays_after_abort:
        verdict = _after_abort(scene, new)
        if verdict is None:
            return False
        wished = verdict
    before = sets.wished(new)
    changed = scene.resize(new, wished)
    follow_with_workload(scene, grows=before > wished)
    return changed


def _new_size(scene: Scene) -> int:
    ro = scene.ro
    if ro.blue_green is not None:
        return preview_size(scene)
    weights = (scene.status.get("canary") or {}).get("weights")
    return max(counts(scene, weights).canary, _still_carrying(scene))


def _still_carrying(scene: Scene) -> int:
    """The pods that the new version needs for the traffic that it was last known to get: it shrinks after that does."""
    ro, recorded = scene.ro, (scene.ro.weights or {}).get("canary") or {}
    follows = ro.routing is not None and scene.has_other_stable and scale_in_force(scene) is None
    if not follows or recorded.get("podTemplateHash") != scene.new_hash:
        return 0
    return for_weight(ro.replicas, int(recorded.get("weight") or 0), ro.most_weight)


def _after_abort(scene: Scene, new: Object) -> int | None:
    """The size of a version that was given up: None leaves it as it is."""
    at = sets.deadline_at(new)
    if at is not None:
        if at > scene.now:
            scene.wake_at(at)
            _tell_size(scene, new)
            return None
        return 0
    _tell_size(scene, new)
    if sets.available(scene.stable) >= scene.ro.replicas:
        scene.set_deadline(new, scene.ro.abort_delay_s or 0)
    return None


def _tell_size(scene: Scene, one: Object) -> None:
    """Tell a ReplicaSet that is held at its size how large the Rollout is: else it looks like a scaling for ever."""
    if sets.needs_annotation(scene.ro, one):
        scene.resize(one, sets.wished(one))


def scale_others(scene: Scene) -> bool:
    """Let go of versions that are neither new nor stable; whether one was changed."""
    active = [one for one in scene.others if sets.wished(one) > 0]
    if not active:
        return False
    if scene.ro.canary is not None:
        return _retire_canaries(scene, active)
    return _retire_blue_green(scene, active)


def _retire_canaries(scene: Scene, active: list[Object]) -> bool:
    ro = scene.ro
    before = sum(sets.wished(one) for one in active)
    for one in sets.oldest_first(active):
        if sets.wished(one) > sets.available(one):
            scene.resize(one, sets.available(one))
    # Pods that a ReplicaSet has been told to give up serve no more, although its status still counts them.
    serving = sum(min(sets.wished(one), sets.available(one)) for one in scene.every)
    allowance = serving - (ro.replicas - ro.unavailable)
    held = 0
    for one in sets.latest_revision_first(active):
        if ro.routing is not None and is_referenced(scene, one):
            continue
        if allowance <= 0:
            break
        size = sets.wished(one)
        if size == 0:
            continue
        if ro.routing is None:
            wished = max(0, size - allowance)
        elif (ro.is_fully_promoted or sets.deadline(one)) and not ro.is_dynamic:
            held, wished = _delayed(scene, one, held, size)
        else:
            wished = 0
        if wished != size:
            scene.resize(one, wished)
            allowance -= size - wished
    return sum(sets.wished(one) for one in active) < before


def _retire_blue_green(scene: Scene, active: list[Object]) -> bool:
    ro = scene.ro
    assert ro.blue_green is not None
    if ro.paused_for(INCONCLUSIVE_ANALYSIS) is not None:
        return False
    has_own_delay = ro.blue_green.get("scaleDownDelaySeconds") is not None
    waits = ro.blue_green.get("postPromotionAnalysis") is not None and not has_own_delay
    if waits and not skips_post_promotion(scene) and phase(scene.runs.get(POST)) != "Successful":
        return False
    changed, held = False, 0
    for one in sets.latest_revision_first(active):
        if is_referenced(scene, one):
            continue
        held, wished = _delayed(scene, one, held, ro.replicas)
        if wished != sets.wished(one):
            changed = scene.resize(one, wished) or changed
    return changed


def _delayed(scene: Scene, one: Object, held: int, kept: int) -> tuple[int, int]:
    """How many are held by deadlines so far, and the size of this one: it goes at its deadline."""
    limit = scene.ro.scale_down_limit
    if not sets.deadline(one):
        if limit is not None and held >= limit:
            return held, 0
        if not scene.ro.scale_down_delay_s:
            return held, 0
        scene.set_deadline(one, scene.ro.scale_down_delay_s)
        return held + 1, sets.wished(one)
    held += 1
    if limit is not None and held > limit:
        return held, 0
    if sets.is_within_delay(one, scene.now):
        scene.wake_at(sets.deadline_at(one))
        return held, kept
    return held, 0


def is_referenced(scene: Scene, one: Object) -> bool:
    """Whether traffic may still reach a version: by the record, by a Service, by a router's object."""
    ro, value = scene.ro, sets.hash_of(one)
    if not value:
        return False
    recorded = [ro.stable_hash, ro.current_hash, ro.active_hash, ro.blue_green_status.get("previewSelector")]
    weights = ro.weights or {}
    recorded += [(weights.get(side) or {}).get("podTemplateHash") for side in ("canary", "stable")]
    if value in recorded:
        return True
    strategy: Object = ro.canary if ro.canary is not None else ro.blue_green or {}
    fields = ("canaryService", "stableService", "activeService", "previewService")
    for field in fields:
        name = strategy.get(field)
        found = scene.world.known.get(Reference(SERVICES, ro.namespace, str(name))) if name else None
        if name and found is not None and service_hash(scene.services.get(name, found)) == value:
            return True
    return any(each.references_hash(ro, scene.world.known, value) for each in routers_of(ro, scene.world.routers))


def is_scaling(scene: Scene) -> bool:
    """Whether somebody has changed the number of pods that the Rollout wants: only sizes follow then."""
    for one in (scene.new, scene.stable):
        if one is not None and sets.wished(one) > 0:
            desired = sets.annotation(one, wire.DESIRED_REPLICAS)
            if desired.lstrip("-").isdecimal() and int(desired) != scene.ro.replicas:
                return True
    return False
