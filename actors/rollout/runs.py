"""AnalysisRuns of a Rollout: which are wanted now, which are ended, which are kept, and what their verdicts mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from actors.analysis_arguments import ArgumentError, rollout_arguments
from actors.analysis_templates import (
    RunRequest,
    TemplateError,
    TemplateRef,
    collided,
    gathered,
    is_same_run,
    new_run,
    references,
    run_labels,
)
from actors.rollout import sets, wire
from actors.rollout.history import surplus
from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.pauses import BLUE_GREEN, CANARY_STEP, INCONCLUSIVE_ANALYSIS
from actors.rollout.rollback import is_fast
from actors.rollout.scene import Scene, Stalled
from runtime.messages import Delete, Patch
from runtime.objects import Object, Reference, Resource, reference

STEP, BACKGROUND, PRE, POST = "step", "background", "pre", "post"

TYPES: Final = {STEP: "Step", BACKGROUND: "Background", PRE: "PrePromotion", POST: "PostPromotion"}
"""What a kind is called in the label `rollout-type` and in Events."""

RECORDS: Final = {
    STEP: ("canary", "currentStepAnalysisRunStatus"),
    BACKGROUND: ("canary", "currentBackgroundAnalysisRunStatus"),
    PRE: ("blueGreen", "prePromotionAnalysisRunStatus"),
    POST: ("blueGreen", "postPromotionAnalysisRunStatus"),
}
"""Where the status names the current run of a kind."""

_FAILURES: Final = {
    STEP: "Step-based analysis phase error/failed",
    BACKGROUND: "Background analysis phase error/failed",
    PRE: "Blue/green pre-promotion analysis phase error/failed",
    POST: "Blue/green post-promotion analysis phase error/failed",
}


def recorded(ro: Ro, kind: str) -> Object | None:
    """What the status says of the current run of a kind."""
    part, field = RECORDS[kind]
    found: Object | None = (ro.status.get(part) or {}).get(field)
    return found


def sort(ro: Ro, runs: Iterable[Object]) -> tuple[dict[str, Object], list[Object]]:
    """The current runs by kind, and all others."""
    names = {entry["name"]: kind for kind in RECORDS if (entry := recorded(ro, kind)) is not None}
    current: dict[str, Object] = {}
    others = []
    for run in runs:
        kind = names.get(run["metadata"]["name"])
        if kind is not None:
            current[kind] = run
        else:
            others.append(run)
    return current, others


def phase(run: Object | None) -> str:
    """The phase of a run; empty for none."""
    return str(((run or {}).get("status") or {}).get("phase") or "")


def reconcile(scene: Scene) -> None:
    """Create, end and forget runs, and heed their verdicts. Raises Stalled when one cannot be made."""
    ro = scene.ro
    ends = ro.is_fully_promoted or scene.pause.is_aborted or ro.is_promoting_fully or is_fast(scene)
    if ends or not ro.stable_hash:
        cancel(scene, scene.runs.values())
        current = {kind: run for kind, run in scene.runs.items() if kind in (PRE, POST)}
    elif ro.canary is not None:
        current = _wanted({STEP: _step(scene), BACKGROUND: _background(scene)})
    else:
        pre = _promotion(scene, PRE)
        _heed(scene, PRE, pre)
        post = _promotion(scene, POST)
        _heed(scene, POST, post)
        current = _wanted({PRE: pre, POST: post})
    _record(scene, current)
    names = {run["metadata"]["name"] for run in current.values()}
    others = [run for run in scene.other_runs if run["metadata"]["name"] not in names]
    cancel(scene, others)
    for run in surplus(ro, others, scene.every):
        scene.changes.append(Delete(reference(wire.ANALYSIS_RUNS, run), propagation="Background", tag="run"))
    _announce(scene, current)


def _wanted(runs: dict[str, Object | None]) -> dict[str, Object]:
    return {kind: run for kind, run in runs.items() if run is not None}


def _record(scene: Scene, current: dict[str, Object]) -> None:
    scene.runs = current
    own = "canary" if scene.ro.canary is not None else "blueGreen"
    for kind, run in current.items():
        part, field = RECORDS[kind]
        if part != own:
            continue
        entry = {"name": run["metadata"]["name"], "status": phase(run)}
        message = (run.get("status") or {}).get("message")
        if message:
            entry["message"] = message
        scene.status.setdefault(part, {})[field] = entry


def _announce(scene: Scene, current: dict[str, Object]) -> None:
    for kind in (POST, PRE, STEP, BACKGROUND):
        run, before = current.get(kind), recorded(scene.ro, kind)
        if run is None or not phase(run):
            continue
        name = run["metadata"]["name"]
        if before is not None and not (before["name"] == name and before.get("status") != phase(run)):
            continue
        previous = before.get("status", "") if before is not None else "NoPreviousStatus"
        text = f"{TYPES[kind]} Analysis Run '{name}' Status New: '{phase(run)}' Previous: '{previous}'"
        scene.say(f"AnalysisRun{phase(run)}", text, warning=phase(run) in ("Failed", "Error"))


def cancel(scene: Scene, runs: Iterable[Object | None]) -> None:
    """Ask those that still run to end."""
    for run in runs:
        if run is None or phase(run) in wire.COMPLETED_PHASES or (run.get("spec") or {}).get("terminate"):
            continue
        scene.changes.append(Patch(reference(wire.ANALYSIS_RUNS, run), {"spec": {"terminate": True}}, tag="run"))


# --------------------------------------------------------------------------------------------------- by kind


def _step(scene: Scene) -> Object | None:
    ro, run = scene.ro, scene.runs.get(STEP)
    if ro.pause_conditions or ro.is_aborted:
        return run
    step, index = ro.step, ro.step_index
    analysis = (step or {}).get("analysis") or {}
    of_other_step = run is not None and (run["metadata"].get("labels") or {}).get(wire.STEP_INDEX) != str(index)
    if not analysis.get("templates") or index is None or of_other_step:
        cancel(scene, [run])
        return None
    if _needs_new(ro, run):
        return _create(scene, analysis, str(index), run_labels(TYPES[STEP], scene.new_hash, _instance(ro), index))
    _heed(scene, STEP, run)
    return run


def _background(scene: Scene) -> Object | None:
    ro, run = scene.ro, scene.runs.get(BACKGROUND)
    analysis = (ro.canary or {}).get("analysis") or {}
    if not analysis.get("templates"):
        cancel(scene, [run])
        return None
    first = analysis.get("startingStep")
    is_early = first is not None and ro.step_index is not None and ro.step_index < int(first)
    if not ro.current_hash or is_early:
        return None
    if ro.paused_for(INCONCLUSIVE_ANALYSIS) is not None:
        return run
    if _needs_new(ro, run):
        return _create(scene, analysis, "", run_labels(TYPES[BACKGROUND], scene.new_hash, _instance(ro)))
    _heed(scene, BACKGROUND, run)
    return run


def _promotion(scene: Scene, kind: str) -> Object | None:
    ro, run = scene.ro, scene.runs.get(kind)
    analysis = (ro.blue_green or {}).get("prePromotionAnalysis" if kind == PRE else "postPromotionAnalysis") or {}
    if not analysis.get("templates"):
        cancel(scene, [run])
        return None
    skips = _skips_pre_promotion(scene) if kind == PRE else skips_post_promotion(scene) or not scene.is_verified
    if skips:
        cancel(scene, [run])
        return run
    if ro.paused_for(INCONCLUSIVE_ANALYSIS) is not None or not _needs_new(ro, run):
        return run
    return _create(scene, analysis, kind, run_labels(TYPES[kind], scene.new_hash, _instance(ro)))


def _skips_pre_promotion(scene: Scene) -> bool:
    ro, value = scene.ro, scene.new_hash
    if not value or not ro.active_hash or value in (ro.stable_hash, ro.active_hash):
        return True
    if scene.runs.get(PRE) is not None:
        return False
    preview = (ro.blue_green or {}).get("previewReplicaCount")
    if preview is not None:
        return not sets.wished(scene.new) == int(preview) == sets.available(scene.new)
    return not sets.is_saturated(ro, scene.new)


def skips_post_promotion(scene: Scene) -> bool:
    """Whether no analysis after the promotion is due: the switch has not been made, or has been accepted."""
    ro, value = scene.ro, scene.new_hash
    if not value or ro.stable_hash == value or ro.active_hash != value:
        return True
    return scene.runs.get(POST) is None and not sets.is_saturated(ro, scene.new)


def _needs_new(ro: Ro, run: Object | None) -> bool:
    if run is None:
        return True
    if ro.controller_pause and ro.paused_for(CANARY_STEP) is None and ro.paused_for(BLUE_GREEN) is None:
        return phase(run) == "Inconclusive"
    return ro.status.get("abortedAt") is not None


def _heed(scene: Scene, kind: str, run: Object | None) -> None:
    """What a verdict means for the update."""
    if phase(run) == "Inconclusive":
        scene.pause.added.append(INCONCLUSIVE_ANALYSIS)
    elif phase(run) in ("Failed", "Error"):
        message = ((run or {}).get("status") or {}).get("message")
        scene.pause.abort(_FAILURES[kind] + (f": {message}" if message else ""))


# -------------------------------------------------------------------------------------------------- creation


def _create(scene: Scene, analysis: Object, infix: str, labels: dict[str, str]) -> Object:
    ro = scene.ro
    base = "-".join([ro.name, scene.new_hash, str(ro.revision), *([infix] if infix else [])])
    metadata = analysis.get("analysisRunMetadata") or {}
    request = RunRequest(
        base,
        ro.namespace,
        _arguments(scene, analysis),
        analysis.get("dryRun") or (),
        analysis.get("measurementRetention") or (),
        {**labels, **(metadata.get("labels") or {}), **(ro.selector.get("matchLabels") or {})},
        {wire.REVISION: str(ro.revision), **(metadata.get("annotations") or {})},
        owner(ro),
    )
    try:
        run = new_run(gathered(references(analysis.get("templates")), templates(scene)), request)
    except (TemplateError, ArgumentError) as error:
        raise Stalled(str(error), again_s=20) from error
    existing = {each["metadata"]["name"]: each for each in (*scene.world.runs,)}
    number = 0
    while (name := collided(base, number)) in existing or (wire.ANALYSIS_RUNS, name) in scene.world.taken:
        found = existing.get(name)
        if found is not None and is_same_run(run, found):
            return found
        number += 1
    run["metadata"]["name"] = name
    scene.create(wire.ANALYSIS_RUNS, run, "run")
    return run


def _arguments(scene: Scene, analysis: Object) -> list[Object]:
    return rollout_arguments(
        analysis.get("args") or (),
        scene.ro.object,
        stable_hash=sets.hash_of(scene.stable),
        latest_hash=scene.new_hash,
    )


def templates(scene: Scene) -> dict[TemplateRef, Object | None]:
    """The AnalysisTemplates that are known; None: not there."""
    return {
        TemplateRef(ref.name, not ref.resource.namespaced): thing
        for ref, thing in scene.world.known.items()
        if ref.resource in (wire.ANALYSIS_TEMPLATES, wire.CLUSTER_TEMPLATES)
    }


def template_reference(ref: TemplateRef, namespace: str) -> Reference:
    """Where a template is."""
    resource = Resource(*ref.resource)
    return Reference(resource, namespace if resource.namespaced else "", ref.name)


def _instance(ro: Ro) -> str:
    return str((ro.meta.get("labels") or {}).get(wire.INSTANCE_ID, ""))
