"""Experiments of a canary: created at their step, heeded, ended with the update, and kept for a while."""

from __future__ import annotations

import copy
from typing import Any

from actors.analysis_arguments import ArgumentError, rollout_arguments
from actors.rollout import sets, wire
from actors.rollout.history import surplus
from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.pauses import INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT
from actors.rollout.runs import phase
from actors.rollout.scene import Scene, Stalled
from actors.rollout.traffic.protocol import Destination
from runtime.messages import Delete, Patch
from runtime.objects import Object, owner_uid, reference


def reconcile(scene: Scene) -> None:
    """Create, heed, end and forget experiments. Raises Stalled when one cannot be made."""
    ro = scene.ro
    current = scene.experiment
    if scene.pause.is_aborted or ro.is_promoting_fully:
        _cancel(scene, [*scene.other_experiments, current])
        return
    step = (ro.step or {}).get("experiment")
    if step is not None and ro.paused_for(INCONCLUSIVE_EXPERIMENT) is not None:
        _keep(scene, ro.canary_status.get("currentExperiment"))  # forgotten, it would be made again
        return
    if ro.paused_for(INCONCLUSIVE_ANALYSIS) is not None:
        return
    others = scene.other_experiments
    if current is not None and (step is None or _is_passed(ro, current)):
        others, current = [*others, current], None
    if step is not None:
        if current is None:
            if scene.stable is None:
                return
            current = _create(scene, step)
        _heed(scene, current)
        others = [each for each in others if each["metadata"]["name"] != current["metadata"]["name"]]
    _cancel(scene, others)
    for each in surplus(ro, others, scene.every):
        scene.changes.append(Delete(reference(wire.EXPERIMENTS, each), propagation="Background", tag="experiment"))


def _is_passed(ro: Ro, current: Object) -> bool:
    """Whether an experiment that was kept on record decides nothing any more: its step was skipped, or a user has
    resumed from it."""
    base, name, verdict = _base_name(ro), current["metadata"]["name"], phase(current)
    if verdict not in ("Successful", "Inconclusive"):
        return False
    was_skipped = name != base and not name.startswith(f"{base}-")
    return was_skipped or (verdict == "Inconclusive" and ro.controller_pause)


def _heed(scene: Scene, experiment: Object) -> None:
    name = experiment["metadata"]["name"]
    match phase(experiment):
        case "Inconclusive":
            scene.pause.added.append(INCONCLUSIVE_EXPERIMENT)
            _keep(scene, name)
        case "Failed" | "Error":
            message = (experiment.get("status") or {}).get("message")
            scene.pause.abort("Experiment analysis phase is error/failed" + (f": {message}" if message else ""))
        case "Successful" if not scene.ro.is_paused:
            pass  # its step is done with this decision
        case _:
            _keep(scene, name)
    scene.experiment = experiment


def _keep(scene: Scene, name: str | None) -> None:
    scene.status.setdefault("canary", {})["currentExperiment"] = name


def _cancel(scene: Scene, experiments: list[Any]) -> None:
    for each in experiments:
        if each is None or phase(each) in wire.COMPLETED_PHASES or (each.get("spec") or {}).get("terminate"):
            continue
        body = {"spec": {"terminate": True}}
        scene.changes.append(Patch(reference(wire.EXPERIMENTS, each), body, tag="experiment"))


def destinations(scene: Scene) -> tuple[Destination, ...]:
    """The weighted versions of the running experiment. One without a Service (its pods have no ports) gets nothing."""
    ro, experiment = scene.ro, scene.experiment
    index = ro.step_index
    if ro.step is None or index is None or experiment is None or phase(experiment) != "Running":
        return ()
    step = next((each["experiment"] for each in reversed(ro.steps[: index + 1]) if each.get("experiment")), None)
    if step is None:
        return ()
    weights = {each["name"]: each.get("weight") for each in step.get("templates") or ()}
    return tuple(
        Destination(int(weights[each["name"]]), each["serviceName"], each.get("podTemplateHash") or "")
        for each in (experiment.get("status") or {}).get("templateStatuses") or ()
        if weights.get(each["name"]) is not None and each.get("serviceName")
    )


# -------------------------------------------------------------------------------------------------- creation


def _create(scene: Scene, step: Object) -> Object:
    """The experiment of a step: found when it was made before, else created; a taken name is numbered."""
    ro = scene.ro
    wanted = manifest(scene, step)
    base = wanted["metadata"]["name"]
    existing = {each["metadata"]["name"]: each for each in scene.world.experiments}
    number, name = 0, base
    while name in existing or (wire.EXPERIMENTS, name) in scene.world.taken:
        found = existing.get(name)
        is_ours = found is not None and owner_uid(found) == ro.uid and found.get("spec") == wanted["spec"]
        if found is not None and is_ours and phase(found) not in wire.COMPLETED_PHASES:
            return found
        number += 1
        name = f"{base}-{number}"
    wanted["metadata"]["name"] = name
    scene.create(wire.EXPERIMENTS, wanted, "experiment")
    scene.say("ExperimentCreated", f"Created Experiment '{name}'")
    return wanted


def manifest(scene: Scene, step: Object) -> Object:
    """The Experiment that a step asks for."""
    ro = scene.ro
    spec: Object = {"templates": [_template(scene, each) for each in step.get("templates") or ()]}
    for field in ("duration", "dryRun", "analysisRunMetadata", "scaleDownDelaySeconds"):
        if step.get(field) not in (None, "", [], {}):
            spec[field] = copy.deepcopy(step[field])
    if ro.spec.get("progressDeadlineSeconds") is not None:
        spec["progressDeadlineSeconds"] = ro.spec["progressDeadlineSeconds"]
    analyses = [_analysis(scene, each) for each in step.get("analyses") or ()]
    if analyses:
        spec["analyses"] = analyses
    return {
        "apiVersion": wire.EXPERIMENTS.api_version,
        "kind": wire.EXPERIMENTS.kind,
        "metadata": {
            "name": _base_name(ro),
            "namespace": ro.namespace,
            "labels": {**(ro.meta.get("labels") or {}), wire.HASH: ro.template_hash},
            "annotations": {wire.REVISION: str(ro.revision)},
            "ownerReferences": [owner(ro)],
        },
        "spec": spec,
    }


def _base_name(ro: Ro) -> str:
    """What the experiment of the present step is called, before a number is put to it."""
    return f"{ro.name}-{ro.template_hash}-{ro.revision}-{ro.step_index or 0}"


def _template(scene: Scene, asked: Object) -> Object:
    source = {"canary": scene.new, "stable": scene.stable}.get(asked.get("specRef", ""))
    if source is None:
        raise Stalled("Invalid template step SpecRef: must be canary or stable")
    found: Object = {"name": asked["name"], "template": copy.deepcopy(source["spec"]["template"])}
    if asked.get("replicas") is not None:
        found["replicas"] = asked["replicas"]
    if source["spec"].get("minReadySeconds"):
        found["minReadySeconds"] = source["spec"]["minReadySeconds"]
    if asked.get("weight") is not None or asked.get("service") is not None:
        name = (asked.get("service") or {}).get("name")
        found["service"] = {"name": name} if name else {}
    selector = copy.deepcopy(asked.get("selector") or source["spec"]["selector"])
    metadata = asked.get("metadata") or {}
    meta = found["template"].setdefault("metadata", {})
    if metadata.get("labels"):
        meta["labels"] = {**(meta.get("labels") or {}), **metadata["labels"]}
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **metadata["labels"]}
    if metadata.get("annotations"):
        meta["annotations"] = {**(meta.get("annotations") or {}), **metadata["annotations"]}
    found["selector"] = selector
    return found


def _analysis(scene: Scene, asked: Object) -> Object:
    try:
        arguments = rollout_arguments(
            asked.get("args") or (),
            scene.ro.object,
            stable_hash=sets.hash_of(scene.stable),
            latest_hash=scene.new_hash,
        )
    except ArgumentError as error:
        raise Stalled(str(error)) from error
    found: Object = {"name": asked["name"], "templateName": asked["templateName"]}
    for field in ("clusterScope", "requiredForCompletion"):
        if asked.get(field):
            found[field] = True
    if arguments:
        found["args"] = arguments
    return found
