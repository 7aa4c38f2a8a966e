"""What `kubectl get hpa` and `kubectl get pdb` show: how many pods there may be, and by what that is decided."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster import autoscaling
from tiphys.devcluster.columns import AGE, at, count
from tiphys.devcluster.kinds import Column

SHOWN_MAX = 2  # metrics in one cell
_FIELDS = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def _target(metric: Object, now: Object) -> str:
    """What a metric is, and what it should be."""
    field = _FIELDS.get(metric.get("type") or "", "")
    if not field:
        return "<unknown type>"
    part, current = metric.get(field) or {}, (now.get(field) or {}).get("current") or {}
    wanted = part.get("target") or {}
    if field in ("resource", "containerResource"):
        return f"{part.get('name', '')}: {_of_resource(wanted, current)}"
    if field == "pods" or wanted.get("averageValue") is not None:
        shown = f"{current.get('averageValue', '<unknown>')}/{wanted.get('averageValue')}"
        return shown if field == "pods" else f"{shown} (avg)"
    return f"{current.get('value', '<unknown>')}/{wanted.get('value')}"


def _of_resource(wanted: Object, current: Object) -> str:
    if wanted.get("averageValue") is not None:
        return f"{current.get('averageValue', '<unknown>')}/{wanted['averageValue']}"
    used, most = current.get("averageUtilization"), wanted.get("averageUtilization")
    shown = "<unknown>" if used is None else f"{used}%"
    return f"{shown}/{'<auto>' if most is None else f'{most}%'}"


def _targets(thing: Object, _now: float) -> str:
    scaler = thing if thing.get("apiVersion") == "autoscaling/v2" else autoscaling.to_v2(thing)
    metrics: list[Object] = list((scaler.get("spec") or {}).get("metrics") or ())
    now: list[Object] = list((scaler.get("status") or {}).get("currentMetrics") or ())
    shown = [_target(metric, now[index] if index < len(now) else {}) for index, metric in enumerate(metrics)]
    more = f" + {len(shown) - SHOWN_MAX} more..." if len(shown) > SHOWN_MAX else ""
    return ", ".join(shown[:SHOWN_MAX]) + more or "<none>"


def _reference(thing: Object, _now: float) -> Any:
    return "{kind}/{name}".format_map(thing["spec"]["scaleTargetRef"])


AUTOSCALER = (
    Column("Reference", cell=_reference),
    Column("Targets", cell=_targets),
    Column("MinPods", cell=at("spec.minReplicas", "<unset>")),
    Column("MaxPods", cell=lambda thing, _: thing["spec"].get("maxReplicas") or 0),
    Column("Replicas", cell=count("currentReplicas")),
    AGE,
)
BUDGET = (
    Column("Min Available", cell=at("spec.minAvailable", "N/A")),
    Column("Max Unavailable", cell=at("spec.maxUnavailable", "N/A")),
    Column("Allowed Disruptions", type="integer", cell=count("disruptionsAllowed")),
    AGE,
)
