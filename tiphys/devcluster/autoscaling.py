"""A HorizontalPodAutoscaler in two versions: v1 knows the CPU of pods, and what v2 adds travels in annotations."""

from __future__ import annotations

from typing import Any

import orjson

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, invalid_value, required
from tiphys.devcluster.rules import shown

CPU_PERCENT = 80  # what an autoscaler without any metric aims at
_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"


def _cpu(percent: int) -> Object:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}},
    }


def _percent(metric: Object, field: str = "target") -> int | None:
    """The share of the CPU that a metric is about; None when it is about something else."""
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or resource.get("name") != "cpu":
        return None
    percent = (resource.get(field) or {}).get("averageUtilization")
    return percent if isinstance(percent, int) else None


def default_v1(thing: Object) -> None:
    """At least one pod."""
    thing.setdefault("spec", {}).setdefault("minReplicas", 1)


def default_v2(thing: Object) -> None:
    """At least one pod, and a share of its CPU when nothing else is aimed at."""
    default_v1(thing)
    if not thing["spec"].get("metrics"):
        thing["spec"]["metrics"] = [_cpu(CPU_PERCENT)]


def faults(new: Object, old: Object | None) -> list[Cause]:
    """It names what it scales, and its bounds are in order."""
    del old
    spec = new.get("spec") or {}
    target = spec.get("scaleTargetRef") or {}
    found = [required(f"spec.scaleTargetRef.{field}") for field in ("kind", "name") if not target.get(field)]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        found.append(invalid_value("spec.minReplicas", shown(least), "must be greater than or equal to 1"))
    if most < 1:
        found.append(invalid_value("spec.maxReplicas", shown(most), "must be greater than 0"))
    elif least is not None and most < least:
        why = "must be greater than or equal to `minReplicas`"
        found.append(invalid_value("spec.maxReplicas", shown(most), why))
    return found


def _annotated(thing: Object, notes: dict[str, Any]) -> Object:
    """The metadata with these annotations; those without a value are taken off."""
    kept = {k: v for k, v in (thing["metadata"].get("annotations") or {}).items() if k not in notes}
    kept |= {key: orjson.dumps(value).decode() for key, value in notes.items() if value}
    meta = {**thing["metadata"], "annotations": kept}
    if not kept:
        del meta["annotations"]
    return meta


def _noted(thing: Object, key: str) -> Any:
    text = (thing["metadata"].get("annotations") or {}).get(key)
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:  # somebody has written something else there
        return None


def to_v1(thing: Object) -> Object:
    """What was stored as v2."""
    spec, status = {**(thing.get("spec") or {})}, {**(thing.get("status") or {})}
    metrics, behavior = spec.pop("metrics", None) or [], spec.pop("behavior", None)
    percents = [percent for percent in map(_percent, metrics) if percent is not None]
    if percents:
        spec["targetCPUUtilizationPercentage"] = percents[0]
    others = [metric for metric in metrics if _percent(metric) is None]
    current, conditions = status.pop("currentMetrics", None) or [], status.pop("conditions", None)
    used = [percent for percent in (_percent(metric, "current") for metric in current) if percent is not None]
    if used:
        status["currentCPUUtilizationPercentage"] = used[0]
    meta = _annotated(thing, {_METRICS: others, _BEHAVIOR: behavior, _CONDITIONS: conditions})
    result = {**thing, "metadata": meta, "spec": spec}
    return {**result, "status": status} if "status" in thing else result


def to_v2(thing: Object) -> Object:
    """What was stored as v1."""
    spec, status = {**(thing.get("spec") or {})}, {**(thing.get("status") or {})}
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    metrics = [_cpu(percent)] if isinstance(percent, int) else []
    metrics += _noted(thing, _METRICS) or []
    behavior, conditions = _noted(thing, _BEHAVIOR), _noted(thing, _CONDITIONS)
    used = status.pop("currentCPUUtilizationPercentage", None)
    if isinstance(used, int):
        now = {"averageUtilization": used}
        status["currentMetrics"] = [{"type": "Resource", "resource": {"name": "cpu", "current": now}}]
    if conditions:
        status["conditions"] = conditions
    spec |= {"metrics": metrics or [_cpu(CPU_PERCENT)]}
    spec |= {"behavior": behavior} if behavior else {}
    meta = _annotated(thing, {_METRICS: None, _BEHAVIOR: None, _CONDITIONS: None})
    result = {**thing, "metadata": meta, "spec": spec}
    return {**result, "status": status} if "status" in thing else result
