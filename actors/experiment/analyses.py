"""An experiment's analyses begin when all its pods are available, and its end is theirs too.

A run's name is that of experiment and analysis; one that is there already is taken if it is the very same and not
finished, else the next name is tried. What a run says is repeated in the status until the experiment itself ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.analysis_arguments import ArgumentError, experiment_arguments
from actors.analysis_templates import (
    COMPLETED,
    RunRequest,
    TemplateAbsent,
    TemplateError,
    TemplateRef,
    collided,
    gathered,
    new_run,
    unread,
)
from actors.experiment import makes
from actors.experiment.model import Status, with_named
from actors.experiment.scene import Known, Plan, transition
from actors.kube_events import Said
from actors.names import analysis_labels as keys
from actors.names.resources import ANALYSIS_RUN
from runtime.messages import Create, Patch, Read
from runtime.objects import Object, Reference, Resource, reference

RUNS = Resource(*ANALYSIS_RUN)
RUN, END = "run", "end"

Analysis = Mapping[str, Any]


def reconcile(known: Known, analysis: Analysis, plan: Plan) -> None:
    """See to one analysis."""
    name = analysis["name"]
    before = known.ex.analysis_status(name) or {"name": name, "analysisRun": "", "phase": ""}
    status: Status = {**before}
    if not known.ex.status.get("availableAt"):
        _verify(known, analysis, status, plan)
    elif not before.get("analysisRun"):
        _create(known, analysis, status, plan)
    elif before.get("phase") not in COMPLETED:
        _follow(known, analysis, status, plan)
    if status.get("phase") and before.get("phase") != status["phase"]:
        phase = status["phase"]
        text = transition("AnalysisRun", name, before.get("phase"), phase, status.get("message") or "")
        plan.said.append(Said(f"AnalysisRun{phase}", text, phase in ("Failed", "Error", "Inconclusive")))
    plan.status["analysisRuns"] = with_named(plan.status.get("analysisRuns"), status)


def template_ref(analysis: Analysis) -> TemplateRef:
    """The template of an analysis."""
    return TemplateRef(analysis["templateName"], bool(analysis.get("clusterScope")))


def _verify(known: Known, analysis: Analysis, status: Status, plan: Plan) -> None:
    """Before the pods are there: a template that is missing is an Error at once."""
    ref = template_ref(analysis)
    if ref not in known.templates:
        plan.reads.append(ref)
    elif known.templates[ref] is None:
        kind = "ClusterAnalysisTemplate" if ref.cluster else "AnalysisTemplate"
        _fail(status, f"{kind} verification failed for analysis '{analysis['name']}': {TemplateAbsent(ref)}")


def _create(known: Known, analysis: Analysis, status: Status, plan: Plan) -> None:
    name = analysis["name"]
    made = known.made.get(name)
    if made:
        status["phase"], status["analysisRun"] = "Pending", made
        return
    if known.ex.is_terminating:
        return
    refusal = known.refusals.get((RUN, name))
    if refusal:
        _fail(status, f"Failed to create AnalysisRun for analysis '{name}': {refusal}")
        return
    missing = unread([template_ref(analysis)], known.templates)
    if missing:
        plan.reads += missing
        return
    try:
        run = run_of(known, analysis)
    except (ArgumentError, TemplateError) as error:
        _fail(status, f"Failed to create AnalysisRun for analysis '{name}': {error}")
        return
    plan.commands.append(Create(RUNS, run, f"{RUN}/{name}"))


def run_of(known: Known, analysis: Analysis) -> Object:
    """The run of an analysis. Raises ArgumentError, TemplateError."""
    ex, name = known.ex, analysis["name"]
    sets = {each: (found["metadata"]["name"], makes.hash_of(found)) for each, found in known.replica_sets.items()}
    given = ex.spec.get("analysisRunMetadata") or {}
    instance = (ex.meta.get("labels") or {}).get(keys.INSTANCE_ID)
    labels = {**({keys.INSTANCE_ID: instance} if instance else {}), **(given.get("labels") or {})}
    request = RunRequest(
        name=collided(f"{ex.name}-{name}", known.collisions.get((RUN, name), 0)),
        namespace=ex.meta["namespace"],
        args=experiment_arguments(analysis.get("args") or (), ex.object, sets),
        dry_run=ex.spec.get("dryRun") or (),
        retention=ex.spec.get("measurementRetention") or (),
        labels=labels,
        annotations=given.get("annotations") or {},
        owner=makes.owner(ex),
    )
    return new_run(gathered([template_ref(analysis)], known.templates), request)


def _follow(known: Known, analysis: Analysis, status: Status, plan: Plan) -> None:
    """Repeat what the run says until the experiment has its verdict; when it is to end, end the run.

    A run that is being ended is still listened to: an experiment that waits for it would else wait for ever."""
    name, run_name = analysis["name"], status["analysisRun"]
    if run_name not in known.runs:
        plan.commands.append(Read(Reference(RUNS, known.ex.meta["namespace"], run_name), RUN))
        return
    run = known.runs[run_name]
    if run is None:
        _fail(status, f'analysisruns.argoproj.io "{run_name}" not found')
        return
    said = run.get("status") or {}
    if known.ex.phase not in COMPLETED:
        status["phase"] = said.get("phase") or "Pending"  # it may not have been looked at yet
        status.pop("message", None)
        if said.get("message"):
            status["message"] = said["message"]
    if known.ex.is_terminating and said.get("phase") not in COMPLETED and not run["spec"].get("terminate"):
        plan.said.append(Said("AnalysisRunTerminating", f"Terminating {name} ({run_name})"))
        plan.commands.append(Patch(reference(RUNS, run), {"spec": {"terminate": True}}, tag=END))


def _fail(status: Status, message: str) -> None:
    status["phase"], status["message"] = "Error", message
