"""What is to be done about a Rollout now? `decide` answers from values alone: `World` and the time in, `Plan` out.

One decision does at most one move (one ReplicaSet gets a new size, one step is done), as upstream's reconciliation
does; the next is decided on what the move has made true. When nothing is left to do, the plan is empty.
"""

from __future__ import annotations

import copy
from itertools import chain

from actors.rollout import bluegreen, canary, conditions, needs, newset, sets, wire, workload
from actors.rollout.canary import Outcome
from actors.rollout.conditions import Condition
from actors.rollout.invalid import refused
from actors.rollout.model import Ro
from actors.rollout.pauses import Pauses
from actors.rollout.plan import Plan
from actors.rollout.readable import write_back
from actors.rollout.runs import sort
from actors.rollout.scaling import is_scaling, scale_canary
from actors.rollout.scene import Scene, Stalled, Waits, World
from actors.rollout.status import begin, compact, finish, with_conditions
from actors.rollout.validation import spec
from actors.rollout.validation_references import referenced
from runtime.messages import Patch
from runtime.objects import Object, reference

INVALID_AGAIN_S = 20.0
"""Until an unfit Rollout is looked at again: what it lacks may come without a word."""


def decide(world: World, now: float) -> Plan:
    """The plan of now."""
    if "deletionTimestamp" in world.rollout["metadata"]:
        return Plan(waiting="for its end")
    unknown = [ref for ref in needs.of(world.rollout, world.known, world.routers) if ref not in world.known]
    if unknown:
        return Plan(needs=tuple(unknown), waiting="for the objects that it refers to")
    try:
        ro, trouble = workload.resolve(world), ""
    except workload.Unresolved as error:
        ro, trouble = Ro(world.rollout), str(error)
    scene = scene_of(ro, world, now)
    try:
        return _decide(scene, trouble)
    except Waits as error:
        return Plan(needs_pods=error.query is None, query=error.query, waiting="for an answer")
    except Stalled as error:
        at = now + error.again_s if error.again_s is not None else None
        changes, said = tuple(scene.changes), tuple(scene.said)
        wakes = [*scene.wakes, *([at] if at is not None else [])]
        return Plan(changes, None, said, min(wakes, default=None), stalled=error.message, waiting=error.message)


def scene_of(ro: Ro, world: World, now: float) -> Scene:
    """The scene before anything is decided."""
    ro = Ro({**ro.object, "metadata": dict(ro.meta)}, is_resolved=ro.is_resolved)
    every = [sets.private(one) for one in world.sets]
    new = sets.find_new(ro, every) if ro.template else None
    scene = Scene(ro, world, now, every, new, Pauses(ro, now), begin(ro))
    scene.stable = sets.stable_of(ro, new, scene.older)
    scene.runs, scene.other_runs = sort(ro, world.runs)
    name = ro.canary_status.get("currentExperiment")
    for each in world.experiments:
        if name and each["metadata"]["name"] == name:
            scene.experiment = each
        else:
            scene.other_experiments.append(each)
    scene.was_within_delay = sets.is_within_delay(new, now)
    scene.pause.forgets_abort = ro.is_fully_promoted and ro.is_aborted
    return scene


def _decide(scene: Scene, trouble: str) -> Plan:
    ro = scene.ro
    _note_workload(scene)
    unfit = trouble or _first_fault(scene)
    if unfit:
        return _invalid(scene, unfit)
    if scene.new is None:
        return _birth(scene)
    body = write_back(ro)
    if body:
        return Plan((*scene.changes, Patch(reference(wire.ROLLOUTS, scene.world.rollout), body, tag="own")))
    if ro.status.get("observedGeneration") == ro.generation:
        entries = _pause_conditions(ro)
        if entries:
            return _plan(scene, Outcome(*with_conditions(scene, *entries)))
    newset.keep(scene)
    _found(scene)
    if is_scaling(scene):
        return _plan(scene, _sizes_only(scene))
    outcome = bluegreen.decide(scene) if ro.blue_green is not None else canary.decide(scene)
    return _plan(scene, outcome)


def _plan(scene: Scene, outcome: Outcome) -> Plan:
    ended = (outcome.ended,) if outcome.ended is not None else ()
    return Plan(
        tuple(scene.changes),
        outcome.status,
        tuple(scene.said),
        min(scene.wakes, default=None),
        waiting=_waiting(outcome.status or scene.ro.status),
        durations=ended,
    )


def _waiting(status: Object) -> str:
    phase, message = status.get("phase") or "", status.get("message") or ""
    if phase == "Healthy":
        return "for nothing: it is healthy"
    return f"{phase}: {message}" if message else f"for a change ({phase or 'new'})"


def _note_workload(scene: Scene) -> None:
    """Keep the annotation that says which generation of the workload was seen."""
    wanted = workload.generation(scene.world) if scene.ro.is_resolved else ""
    notes = scene.ro.meta.get("annotations") or {}
    if wanted == notes.get(wire.WORKLOAD_GENERATION, "") or (not wanted and scene.ro.spec.get("workloadRef")):
        return
    body = {"metadata": {"annotations": {wire.WORKLOAD_GENERATION: wanted or None}}}
    scene.changes.append(Patch(reference(wire.ROLLOUTS, scene.world.rollout), body, tag="own"))
    kept = {name: value for name, value in notes.items() if name != wire.WORKLOAD_GENERATION}
    scene.ro.meta["annotations"] = kept | ({wire.WORKLOAD_GENERATION: wanted} if wanted else {})


# ---------------------------------------------------------------------------------------------------- unfit


def _first_fault(scene: Scene) -> str:
    faults = chain(spec(scene.ro), referenced(scene.ro, scene.world.known, scene.world.routers))
    first = next(faults, None)
    return first.text if first is not None else ""


def _invalid(scene: Scene, text: str) -> Plan:
    """Say why it is unfit, and do nothing else."""
    ro = scene.ro
    message = f'The Rollout "{ro.name}" is invalid: {text}'
    before = conditions.find(ro.status, conditions.INVALID)
    status: Object | None = None
    _greet(scene)
    if before is None or before.get("message") != message or ro.status.get("observedGeneration") != ro.generation:
        ro.status = copy.deepcopy(ro.status)
        if before is not None and before.get("message") != message:
            conditions.drop(ro.status, conditions.INVALID)
        status, _ = with_conditions(scene, Condition(conditions.INVALID, "True", "InvalidSpec", message))
    return Plan(tuple(scene.changes), status, tuple(scene.said), scene.now + INVALID_AGAIN_S, waiting=message)


# ------------------------------------------------------------------------------------------------- the new set


def _birth(scene: Scene) -> Plan:
    """Create the ReplicaSet of a new template, or say why there is none."""
    ro, name = scene.ro, newset.name_of(scene)
    status = copy.deepcopy(ro.status)
    if (wire.REPLICA_SETS, name) in scene.world.taken:
        status["collisionCount"] = int(status.get("collisionCount") or 0) + 1
        return Plan(tuple(scene.changes), compact(status), waiting="for a free name")
    refusal = scene.world.refusal
    unfit = refused(refusal.message) if refusal is not None and refusal.name == name else ""
    if unfit:
        plan = _invalid(scene, unfit)
        if plan.status is not None:
            return plan
    elif refusal is not None and refusal.name == name:
        message = f'Failed to create new replica set "{name}": {refusal.message}'
        entry = Condition(conditions.PROGRESSING, "False", "ReplicaSetCreateError", message)
        known = conditions.find(ro.status, conditions.PROGRESSING) or {}
        is_told = (known.get("reason"), known.get("message")) == (entry.reason, entry.message)
        if not is_told or conditions.find(ro.status, conditions.INVALID) is not None:
            return _refused(scene, entry)
    _greet(scene)
    newset.create(scene)
    message = f'Created new replica set "{name}"'
    conditions.put(status, Condition(conditions.PROGRESSING, "True", "NewReplicaSetCreated", message), scene.now)
    return Plan(tuple(scene.changes), compact(status), tuple(scene.said), waiting="for its new ReplicaSet")


def _refused(scene: Scene, entry: Condition) -> Plan:
    """Tell of a refusal, once: its words may change from one to the next, and whatever was told before is over."""
    ro = scene.ro
    scene.say(entry.reason, entry.message, warning=True)
    ro.status = copy.deepcopy(ro.status)
    conditions.drop(ro.status, conditions.INVALID)
    conditions.drop(ro.status, conditions.PROGRESSING)
    return _plan(scene, Outcome(*with_conditions(scene, entry)))


def _greet(scene: Scene) -> None:
    """Say once that a Rollout has been seen."""
    ro = scene.ro
    if not ro.status:
        scene.say("RolloutAddedToInformer", f"Rollout resource added to informer: {ro.namespace}/{ro.name}")


def _found(scene: Scene) -> None:
    """A Rollout that has never been judged begins with its ReplicaSet found."""
    if scene.new is None or conditions.find(scene.ro.status, conditions.PROGRESSING) is not None:
        return
    text = f'Found new replica set "{scene.new["metadata"]["name"]}"'
    scene.ro.status = copy.deepcopy(scene.ro.status)
    conditions.put(scene.ro.status, Condition(conditions.PROGRESSING, "True", "FoundNewReplicaSet", text), scene.now)


# ------------------------------------------------------------------------------------------------ small decisions


def _pause_conditions(ro: Ro) -> list[Condition]:
    """The conditions that follow from what users have done to pauses and to the abort flag."""
    progress = conditions.find(ro.status, conditions.PROGRESSING) or {}
    was_paused = progress.get("reason") == conditions.ROLLOUT_PAUSED
    was_aborted = progress.get("reason") == conditions.ABORTED
    is_paused = bool(ro.pause_conditions) or ro.is_paused
    found = []
    if is_paused != was_paused and not was_aborted and not conditions.is_completed(ro.status):
        reason, text = conditions.RESUMED, "Rollout is resumed"
        if is_paused:
            reason, text = conditions.ROLLOUT_PAUSED, "Rollout is paused"
        found.append(Condition(conditions.PROGRESSING, "Unknown", reason, text))
    if was_aborted and not ro.is_aborted:
        found.append(Condition(conditions.PROGRESSING, "Unknown", conditions.RETRY, "Retrying Rollout after abort"))
    said = (conditions.find(ro.status, conditions.PAUSED) or {}).get("status") == "True"
    if is_paused != said and not was_aborted:
        text = "Rollout is paused"
        found.append(Condition(conditions.PAUSED, str(is_paused), conditions.ROLLOUT_PAUSED, text))
    return found


def _sizes_only(scene: Scene) -> Outcome:
    """Somebody has scaled the Rollout: only sizes follow, and what counts pods."""
    ro = scene.ro
    status = copy.deepcopy(ro.status)
    for part in ("canary", "blueGreen"):
        status.setdefault(part, {})
    available, replicas = (sets.total(scene.every, name) for name in ("availableReplicas", "replicas"))
    if ro.blue_green is not None:
        bluegreen.scale(scene)
        active = next((one for one in scene.every if ro.active_hash and sets.hash_of(one) == ro.active_hash), None)
        if active is not None:
            available, replicas = sets.available(active), sets.count(active, "replicas")
    else:
        scale_canary(scene)
    status["availableReplicas"], status["HPAReplicas"] = available, replicas
    return Outcome(*finish(scene, status))
