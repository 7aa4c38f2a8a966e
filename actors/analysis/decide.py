"""From measurements to verdicts: a metric is judged by its limits, a run by the worst of its metrics. Pure.

A limit is passed when it is exceeded, so a limit of 0 is passed by the first. A metric that failed, erred or was
inconclusive ends the run; a dry-run metric is measured and judged, and changes nothing. (The status is JSON as the
object has it: it is read, never changed in place.)
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from actors.analysis.plan import MetricPlan, RunPlan
from actors.analysis_templates import COMPLETED, is_worse
from actors.names.timestamps import rfc3339

Status = dict[str, Any]
Measurement = Mapping[str, Any]

_COUNTERS = {"Successful": "successful", "Failed": "failed", "Inconclusive": "inconclusive", "Error": "error"}
_NOBODY: frozenset[str] = frozenset()


def results(status: Mapping[str, Any]) -> dict[str, Status]:
    """The results of the metrics that have been measured, by name."""
    return {result["name"]: result for result in status.get("metricResults") or ()}


def last_measurement(result: Mapping[str, Any] | None) -> Measurement | None:
    """The newest measurement, finished or not."""
    measurements = (result or {}).get("measurements") or ()
    return measurements[-1] if measurements else None


def is_terminating(spec: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether no more measurements are begun: it was told to end, or a metric that counts has gone badly."""
    return bool(spec.get("terminate")) or any(
        result.get("phase") in ("Failed", "Error", "Inconclusive") and not result.get("dryRun")
        for result in status.get("metricResults") or ()
    )


def is_completed(status: Mapping[str, Any]) -> bool:
    """Whether the run has its verdict."""
    return status.get("phase") in COMPLETED


# --------------------------------------------------------------------------------------------- measurements


def with_measurement(status: Status, metric: MetricPlan, measurement: Measurement) -> Status:
    """The status with a measurement taken in: behind the others, or in the place of one that was not finished.

    An Error is no measurement: it does not count towards `count`, only the errors in a row matter."""
    known = results(status)
    result = dict(known.get(metric.name) or _new_result(metric))
    before = last_measurement(result)
    resumed = before is not None and before.get("finishedAt") is None
    earlier = list(result.get("measurements") or ())
    result["measurements"] = [*(earlier[:-1] if resumed else earlier), dict(measurement)]
    if measurement["phase"] in COMPLETED:
        _count(result, measurement["phase"])
    known[metric.name] = result
    return {**status, "metricResults": list(known.values())}


def _new_result(metric: MetricPlan) -> Status:
    result: Status = {"name": metric.name, "phase": "Running"}
    if metric.dry_run:
        result["dryRun"] = True
    if metric.metadata:
        result["metadata"] = metric.metadata
    return result


def _count(result: Status, phase: str) -> None:
    counter = _COUNTERS[phase]
    result[counter] = result.get(counter, 0) + 1
    successes, errors = result.pop("consecutiveSuccess", 0), result.pop("consecutiveError", 0)
    if phase == "Error":
        result["consecutiveError"] = errors + 1
        return
    result["count"] = result.get("count", 0) + 1
    if phase == "Successful":
        result["consecutiveSuccess"] = successes + 1


def trimmed(status: Status, plan: RunPlan) -> tuple[Status, list[Measurement]]:
    """The status without the oldest measurements beyond those that are kept, and these."""
    dropped: list[Measurement] = []
    left: list[Status] = []
    for result in status.get("metricResults") or ():
        metric = plan.by_name.get(result["name"])
        measurements = result.get("measurements") or []
        surplus = len(measurements) - metric.kept if metric is not None else 0
        if surplus > 0:
            dropped += measurements[:surplus]
            result = {**result, "measurements": measurements[surplus:]}  # noqa: PLW2901  the same, shorter
        left.append(result)
    return ({**status, "metricResults": left} if dropped else status), dropped


# -------------------------------------------------------------------------------------------------- verdicts


def exceeded(metric: MetricPlan, result: Mapping[str, Any]) -> tuple[str, str]:
    """The phase of a metric that has passed a limit, and which limit; empty when none is passed.

    Of several, errors weigh more than inconclusive measurements, and these more than failures."""
    phase = message = ""
    failed, inconclusive = result.get("failed", 0), result.get("inconclusive", 0)
    errors = result.get("consecutiveError", 0)
    if metric.failure_limit >= 0 and failed > metric.failure_limit:
        phase, message = "Failed", f"failed ({failed}) > failureLimit ({metric.failure_limit})"
    if inconclusive > metric.inconclusive_limit:
        phase = "Inconclusive"
        message = f"inconclusive ({inconclusive}) > inconclusiveLimit ({metric.inconclusive_limit})"
    if errors > metric.error_limit:
        phase, message = "Error", f"consecutiveErrors ({errors}) > consecutiveErrorLimit ({metric.error_limit})"
    return phase, message


def metric_phase(metric: MetricPlan, result: Mapping[str, Any], *, terminating: bool) -> str:
    """What a metric is, from its results."""
    if result.get("phase") in COMPLETED:
        return str(result["phase"])
    last = last_measurement(result)
    if last is None:
        return "Successful" if terminating else "Pending"
    if last["phase"] not in COMPLETED:
        return "Running"
    phase, _ = exceeded(metric, result)
    if phase:
        return phase
    if 0 < metric.success_limit <= result.get("consecutiveSuccess", 0):
        return "Successful"
    if metric.count is not None and result.get("count", 0) >= metric.count:
        if metric.success_limit > 0:  # so many good ones in a row were asked for, and did not come
            return "Inconclusive" if metric.failure_limit >= 0 else "Failed"
        return "Successful"
    return "Successful" if terminating else "Running"


@dataclass
class _Tally:
    """What the metrics of a run amount to."""

    worst: str = ""
    message: str = ""
    unfinished: bool = False
    counts: dict[bool, dict[str, int]] = field(default_factory=lambda: {False: {}, True: {}})

    def count(self, counter: str, *, dry_run: bool) -> None:
        """Count a metric in the summary it belongs to."""
        summary = self.counts[dry_run]
        summary[counter] = summary.get(counter, 0) + 1


def assessed(
    plan: RunPlan, spec: Mapping[str, Any], status: Status, now: float, *,
    terminating: bool, busy: Set[str] = _NOBODY,
) -> Status:  # fmt: skip
    """The status with every verdict drawn. `terminating`: as it was before what has just been measured.

    `busy` names metrics that are being measured right now: they are Running, and a run does not end over them."""
    status = {**status, "startedAt": status.get("startedAt") or rfc3339(now)}
    known = results(status)
    tally = _Tally(message="Run Terminated" if spec.get("terminate") else "")
    for metric in plan.metrics:
        tally.count("count", dry_run=metric.dry_run)
        result = known.get(metric.name)
        if result is None or metric.name in busy:
            tally.unfinished = True
            continue
        known[metric.name] = _assess(tally, metric, result, terminating=terminating)
    if known:
        status["metricResults"] = list(known.values())
    status["runSummary"], status["dryRunSummary"] = tally.counts[False], tally.counts[True]
    phase, message = _run_phase(tally, terminating=terminating, busy=bool(busy))
    return concluded(status, phase, message, now) if phase != status.get("phase") else status


def _run_phase(tally: _Tally, *, terminating: bool, busy: bool) -> tuple[str, str]:
    if terminating and not busy:
        return tally.worst or "Successful", tally.message
    if terminating or tally.unfinished or not tally.worst:
        return "Running", ""
    return tally.worst, tally.message


def _assess(tally: _Tally, metric: MetricPlan, result: Status, *, terminating: bool) -> Status:
    """Judge one metric, and count its verdict for the run."""
    phase = metric_phase(metric, result, terminating=terminating)
    if phase != result.get("phase"):
        result = {**result, "phase": phase}
        last = last_measurement(result)
        if last is not None:
            result["message"] = last.get("message") or ""
            if not result["message"]:
                del result["message"]
    if phase not in COMPLETED:
        tally.unfinished = True
        return result
    passed, limit = exceeded(metric, result)
    tally.count(_COUNTERS[passed or "Successful"], dry_run=metric.dry_run)
    if metric.dry_run:
        tally.worst = tally.worst or "Successful"
        return {**result, "message": f"Metric assessed {phase} due to {limit}"} if limit else result
    if not tally.worst or is_worse(phase, tally.worst):
        tally.worst = phase
        if limit:
            said = f': "Error Message: {result["message"]}"' if result.get("message") else ""
            tally.message = f'Metric "{metric.name}" assessed {phase} due to {limit}{said}'
    return result


def concluded(status: Status, phase: str, message: str, now: float) -> Status:
    """The status in another phase, with the time of its end if it is one."""
    done = {**status, "phase": phase}
    done.pop("message", None)
    if message.strip():
        done["message"] = message.strip()
    if phase in COMPLETED and not done.get("completedAt"):
        done["completedAt"] = rfc3339(now)
    return done
