"""What upstream shows of each Rollout, AnalysisRun, template and Experiment: read off the cache. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from runtime.metric import Labels, Metric
from runtime.objects import Object
from tiphys.observability import own

Rows: TypeAlias = dict[Metric, dict[Labels, float]]
"""The values of every metric, at most `most` of each."""

_Sample: TypeAlias = tuple[Metric, float, tuple[str, ...]]  # labels in the metric's order

ROLLOUT_PHASES = {"Healthy": "Completed", "Degraded": "Error"}


def rows(things: Mapping[str, Iterable[Object]], most: int) -> Rows:
    """All series of these objects, by their kind."""
    found: Rows = {metric: {} for metric in own.OF_OBJECTS}
    readers = {
        "Rollout": _rollout, "AnalysisRun": _run, "AnalysisTemplate": _template, "Experiment": _experiment,
    }  # fmt: skip
    for kind, read in readers.items():
        for thing in islice(things.get(kind, ()), most):
            for metric, value, labels in read(thing):
                if len(found[metric]) < most:
                    found[metric][tuple(zip(metric.labels, labels, strict=True))] = value
    return found


def _name(thing: Object) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _part(thing: Any, name: str) -> dict[str, Any]:
    found = thing.get(name) if isinstance(thing, dict) else None
    return found if isinstance(found, dict) else {}


def _parts(thing: Any, name: str) -> list[dict[str, Any]]:
    found = thing.get(name) if isinstance(thing, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def rollout_phase(thing: Object) -> str:
    """The phase as upstream's metric has it."""
    state = _part(thing, "status")
    conditions = {str(entry.get("type")): entry for entry in _parts(state, "conditions")}
    invalid, progressing = conditions.get("InvalidSpec", {}), conditions.get("Progressing", {})
    if invalid.get("status") == "True":
        return "InvalidSpec"
    if state.get("abort"):
        return "Abort"
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return "Timeout"
    phase = str(state.get("phase") or "")
    return ROLLOUT_PHASES.get(phase, phase or "Progressing")


def _rollout(thing: Object) -> Iterator[_Sample]:
    spec, state, name = _part(thing, "spec"), _part(thing, "status"), _name(thing)
    strategy = _part(spec, "strategy")
    kind = "blueGreen" if "blueGreen" in strategy else "canary" if "canary" in strategy else "none"
    routing = _part(_part(strategy, "canary"), "trafficRouting")
    router = next((name for name in sorted(routing) if isinstance(routing[name], dict)), "")
    phase = rollout_phase(thing)
    yield own.ROLLOUT_INFO, 1.0, (*name, kind, router, phase)
    yield own.ROLLOUT_PHASE, 1.0, (*name, kind, phase)
    wished = spec.get("replicas")
    desired = float(1 if wished is None else wished)
    available = float(state.get("availableReplicas") or 0)
    numbers = {
        "desired": desired,
        "available": available,
        "unavailable": max(desired - available, 0.0),
        "updated": float(state.get("updatedReplicas") or 0),
    }
    for what, number in numbers.items():
        yield own.REPLICAS[what], number, name


def _provider(metric: Mapping[str, Any]) -> str:
    return next(iter(_part(metric, "provider")), "")


def _run(thing: Object) -> Iterator[_Sample]:
    spec, state, name = _part(thing, "spec"), _part(thing, "status"), _name(thing)
    phase = str(state.get("phase") or "Pending")
    yield own.RUN_INFO, 1.0, (*name, phase)
    yield own.RUN_PHASE, 1.0, (*name, phase)
    providers = {str(metric.get("name")): _provider(metric) for metric in _parts(spec, "metrics")}
    for metric, provider in providers.items():
        yield own.RUN_METRIC_TYPE, 1.0, (*name, metric, provider)
    for result in _parts(state, "metricResults"):
        metric = str(result.get("name"))
        dry = str(bool(result.get("dryRun"))).lower()
        phase = str(result.get("phase") or "Pending")
        yield own.RUN_METRIC_PHASE, 1.0, (*name, metric, providers.get(metric, ""), dry, phase)


def _template(thing: Object) -> Iterator[_Sample]:
    yield own.TEMPLATE_INFO, 1.0, _name(thing)
    for metric in _parts(_part(thing, "spec"), "metrics"):
        yield own.TEMPLATE_METRIC_INFO, 1.0, (*_name(thing), _provider(metric), str(metric.get("name")))


def _experiment(thing: Object) -> Iterator[_Sample]:
    phase = str(_part(thing, "status").get("phase") or "Pending")
    yield own.EXPERIMENT_INFO, 1.0, (*_name(thing), phase)
    yield own.EXPERIMENT_PHASE, 1.0, (*_name(thing), phase)
