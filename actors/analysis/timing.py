"""When a run measures again, when it looks at what is not finished, and when it is deleted. Pure.

Times that are on record are whole seconds, so everything is due at the second that the sum names.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Literal, NamedTuple

from actors.analysis.decide import is_terminating, last_measurement, results
from actors.analysis.plan import ERROR_RETRY_S, MetricPlan, RunPlan
from actors.analysis_checks import whole
from actors.analysis_templates import COMPLETED
from actors.names.timestamps import seconds

Status = Mapping[str, Any]


class Task(NamedTuple):
    """What is to be done now for a metric: measure it, go on with a measurement, or end one."""

    kind: Literal["begin", "resume", "end"]
    metric: MetricPlan


def tasks(plan: RunPlan, spec: Status, status: Status, now: float, busy: Set[str]) -> list[Task]:
    """What is to be done now; nothing for metrics that are `busy` being measured."""
    terminating = is_terminating(spec, status)
    done: list[Task] = []
    for metric in plan.metrics:
        result = results(status).get(metric.name)
        if metric.name in busy or (result or {}).get("phase") in COMPLETED:
            continue
        last = last_measurement(result)
        if last is not None and not last.get("finishedAt"):
            if terminating:
                done.append(Task("end", metric))
            elif not last.get("resumeAt") or seconds(last["resumeAt"]) <= now:
                done.append(Task("resume", metric))
        elif not terminating:
            at = due_at(metric, result, status)
            if at is not None and at <= now:
                done.append(Task("begin", metric))
    return done


def due_at(metric: MetricPlan, result: Status | None, status: Status) -> float | None:
    """When a metric is measured next; None: never again. Only for one whose measurements are all finished."""
    last = last_measurement(result)
    if result is None or last is None:
        started = status.get("startedAt")
        if metric.delay_s is None:
            return 0.0
        return seconds(started) + metric.delay_s if started else None
    if metric.count is not None and result.get("count", 0) >= metric.count:
        return None
    wait_s = ERROR_RETRY_S if last["phase"] == "Error" or metric.interval_s is None else metric.interval_s
    return seconds(last["finishedAt"]) + wait_s


def next_look(plan: RunPlan, spec: Status, status: Status, busy: Set[str]) -> float | None:
    """When there is something to do next if nothing else happens."""
    terminating = is_terminating(spec, status)
    times: list[float] = []
    for metric in plan.metrics:
        result = results(status).get(metric.name)
        if metric.name in busy or (result or {}).get("phase") in COMPLETED:
            continue
        last = last_measurement(result)
        if last is not None and not last.get("finishedAt"):
            times += [seconds(last["resumeAt"])] if last.get("resumeAt") else []
        elif not terminating:
            at = due_at(metric, result, status)
            times += [at] if at is not None else []
    return min(times, default=None)


def expires_at(run: Status) -> float | None:
    """When a run with a verdict is deleted: its TTL must be exceeded by a whole second. None: never."""
    strategy, status = (run.get("spec") or {}).get("ttlStrategy") or {}, run.get("status") or {}
    phase, completed = status.get("phase"), status.get("completedAt")
    if phase not in COMPLETED or not completed:
        return None
    ttl = {"Successful": strategy.get("secondsAfterSuccess"), "Failed": strategy.get("secondsAfterFailure")}.get(phase)
    if ttl is None:
        ttl = strategy.get("secondsAfterCompletion")
    return None if ttl is None else seconds(completed) + whole(ttl) + 1
