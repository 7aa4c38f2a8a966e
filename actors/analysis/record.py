"""A run's status is what is on record with what has been measured since entered into it, note by note. Pure.

So a write that was lost is made again, and one that meets somebody else's edit is made anew over that edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from actors.analysis.decide import Status, assessed, concluded, is_completed, is_terminating, trimmed, with_measurement
from actors.analysis.plan import RunPlan
from actors.analysis_templates import COMPLETED
from actors.kube_events import Said
from runtime.objects import Object

WARNINGS = frozenset({"Failed", "Error"})


class Note(NamedTuple):
    """One thing that has happened and is not on record: a measurement, a look at the whole, or that it is broken."""

    at: float
    metric: str = ""
    measurement: Mapping[str, Any] | None = None
    busy: frozenset[str] = frozenset()  # metrics that were being measured at that moment
    broken: str = ""  # why the run cannot be measured


def folded(run: Object, plan: RunPlan, notes: Iterable[Note]) -> Status:
    """What the run's status is to be."""
    status: Status = dict(run.get("status") or {})
    for note in notes:
        status = entered(run["spec"], plan, status, note)
    return status


def entered(spec: Mapping[str, Any], plan: RunPlan, status: Status, note: Note) -> Status:
    """The status after a note; one with a verdict stays as it is."""
    if is_completed(status):
        return status
    if note.broken:
        return concluded(status, "Error", note.broken, note.at)
    terminating = is_terminating(spec, status)
    metric = plan.by_name.get(note.metric)
    if note.measurement is not None and metric is not None:
        status = with_measurement(status, metric, note.measurement)
    status = assessed(plan, spec, status, note.at, terminating=terminating, busy=note.busy)
    return trimmed(status, plan)[0]


def said_by(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Said]:
    """What the change of a status is worth saying: verdicts of metrics, and of the run."""
    old = {result["name"]: result.get("phase") for result in before.get("metricResults") or ()}
    found = [
        Said(f"Metric{phase}", f"Metric '{result['name']}' Completed. Result: {phase}", phase in WARNINGS)
        for result in after.get("metricResults") or ()
        if (phase := result.get("phase")) in COMPLETED and old.get(result["name"]) != phase
    ]
    phase = after.get("phase")
    if phase in COMPLETED and before.get("phase") != phase:
        found.append(Said(f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}", phase in WARNINGS))
    return found
