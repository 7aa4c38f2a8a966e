"""An experiment is what its templates and its analyses are, put together; its conditions say the same. Pure."""

from __future__ import annotations

from typing import Any

from actors.analysis_templates import COMPLETED, is_worse
from actors.experiment.model import Ex, Status, is_worse_template, required, required_succeeded
from actors.kube_events import Said
from actors.names.timestamps import rfc3339

REQUIRED_DONE = "Required AnalysisRuns completed"
INVALID, PROGRESSING = "InvalidSpec", "Progressing"
_PHASES = {"Successful": "Successful", "Progressing": "Pending", "Failed": "Failed", "Error": "Error"}


def concluded(ex: Ex, status: Status, now: float) -> Status:
    """The status with its phase, message, availableAt and conditions; one that has ended stays as it is."""
    done: Status = {**status}
    phase = status.get("phase") or ""
    if not phase:
        done["phase"] = "Pending"
    elif phase in ("Pending", "Running"):
        of_templates = _templates(ex, status)
        if of_templates[0] == "Running" and not status.get("availableAt"):
            done["availableAt"] = rfc3339(now)
        done["phase"], message = _together(ex, status, of_templates, _analyses(ex, status))
        done.pop("message", None)
        if message:
            done["message"] = message
    return _with_conditions(ex, done, now)


def phase_told(before: str, after: str) -> list[Said]:
    """The Event of a change of phase; none where there is no change."""
    if before == after:
        return []
    text = f"Experiment transitioned from {before} -> {after}"
    return [Said(f"Experiment{after}", text, warning=after in ("Failed", "Error", "Inconclusive"))]


def _together(ex: Ex, status: Status, templates: tuple[str, str], analyses: tuple[str, str]) -> tuple[str, str]:
    if templates[0] in COMPLETED:
        if templates[0] == "Successful" and (analyses[0] in COMPLETED or required(ex)):
            return analyses
        return templates
    if (analyses[0] in COMPLETED and analyses[0] != "Successful") or required_succeeded(ex, status):
        return analyses
    return templates


def _templates(ex: Ex, status: Status) -> tuple[str, str]:
    """The worst of the templates, as a phase, and its message."""
    worst, message = "Successful", ""
    known = {entry["name"]: entry for entry in status.get("templateStatuses") or ()}
    for template in ex.templates:
        entry: dict[str, Any] = known.get(template["name"]) or {"status": "Progressing"}
        if is_worse_template(entry.get("status") or "", worst):
            worst, message = entry["status"], entry.get("message") or ""
    return _PHASES.get(worst, "Running"), message


def _analyses(ex: Ex, status: Status) -> tuple[str, str]:
    """The worst of the analyses; one that merely runs on is no reason to wait when all required ones have succeeded."""
    worst, message = "Successful", ""
    known = {entry["name"]: entry for entry in status.get("analysisRuns") or ()}
    for analysis in ex.analyses:
        entry: dict[str, Any] = known.get(analysis["name"]) or {}
        if is_worse(entry.get("phase") or "", worst):
            worst, message = entry["phase"], entry.get("message") or ""
    if required_succeeded(ex, status) and worst in ("Successful", "Running", "Pending"):
        return "Successful", REQUIRED_DONE
    return ("Running" if worst == "Pending" else worst), message


# ---------------------------------------------------------------------------------------------- conditions


def _with_conditions(ex: Ex, status: Status, now: float) -> Status:
    done = without_condition(status, INVALID)
    if done.get("phase") == "Successful":
        text = f'Experiment "{ex.name}" has successfully ran and completed.'
        return with_condition(done, _condition("False", "ExperimentCompleted", text, now))
    if _progressed(ex, done):
        found = _condition("True", "ReplicaSetUpdated", f'Experiment "{ex.name}" is progressing.', now)
        old = _found(done, PROGRESSING)
        if old is not None and old["status"] == "True":
            found["lastTransitionTime"] = old["lastTransitionTime"]
        return with_condition(without_condition(done, PROGRESSING), found)
    if ex.status.get("availableAt") and not ex.is_over(now):
        text = f'Experiment "{ex.name}" is running.'
        return with_condition(done, _condition("True", "NewReplicaSetAvailable", text, now))
    return done


def _progressed(ex: Ex, status: Status) -> bool:
    before = {entry["name"]: entry for entry in ex.status.get("templateStatuses") or ()}
    after = {entry["name"]: entry for entry in status.get("templateStatuses") or ()}
    if len(before) < len(after):
        return True
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return any(
        entry.get(count, 0) != after[name].get(count, 0)
        for name, entry in before.items()
        if name in after
        for count in counts
    )


def invalidated(status: Status, message: str, now: float) -> Status:
    """The status of an experiment that cannot be carried out: a condition, and nothing else."""
    old = _found(status, INVALID)
    if old is not None and old.get("message") == message:
        return status
    found = {**_condition("True", "InvalidSpec", message, now), "type": INVALID}
    return with_condition(without_condition(status, INVALID), found)


def _condition(status: str, reason: str, message: str, now: float) -> Status:
    at = rfc3339(now)
    times = {"lastUpdateTime": at, "lastTransitionTime": at}
    return {"type": PROGRESSING, "status": status, **times, "reason": reason, "message": message}


def _found(status: Status, kind: str) -> Status | None:
    return next((entry for entry in status.get("conditions") or () if entry.get("type") == kind), None)


def with_condition(status: Status, condition: Status) -> Status:
    """The status with a condition; one of the same status and reason stays, and times change with what they tell."""
    old = _found(status, condition["type"])
    if old is not None and (old["status"], old["reason"]) == (condition["status"], condition["reason"]):
        return status
    if old is not None and old["status"] == condition["status"]:
        condition = {**condition, "lastTransitionTime": old["lastTransitionTime"]}
    others = [entry for entry in status.get("conditions") or () if entry.get("type") != condition["type"]]
    return {**status, "conditions": [*others, condition]}


def without_condition(status: Status, kind: str) -> Status:
    """The status without a condition."""
    if _found(status, kind) is None:
        return status
    left = [entry for entry in status["conditions"] if entry.get("type") != kind]
    done = {key: value for key, value in status.items() if key != "conditions"}
    return {**done, "conditions": left} if left else done
