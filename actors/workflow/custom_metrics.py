"""One metric of a spec or template, and the values it may speak of, become a measure.

Pure, but for the catalogue: a name means one kind of metric and one help text for as long as the process lives, and who
comes second with another is told so. (MET-1..3.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.language.functions import Functions
from actors.language.tags import SubstitutionError, substitute
from actors.language.when import WhenError, evaluate_when
from actors.messages import NodeStatus
from actors.names.timestamps import seconds
from runtime.messages import Measure
from runtime.metric import Metric

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
WHOLE_TAG = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


class BadMetric(ValueError):
    """A metric that cannot be measured; the text goes into the workflow's condition MetricsError."""


@dataclass
class Catalogue:
    """What each name means in this process."""

    known: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> kind, help

    def enter(self, name: str, kind: str, text: str) -> None:
        """Raises BadMetric when the name means something else."""
        kind_before, text_before = self.known.setdefault(name, (kind, text))
        if text_before != text:
            raise BadMetric(f"help for metric {name} is already set to {text_before}, it cannot be changed")
        if kind_before != kind:
            raise BadMetric(f"found existing {kind_before} for custom metric {name} of type {kind}")


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known when something is measured."""

    values: Mapping[str, Any]  # what tags may say
    since: Mapping[str, float]  # what can be sampled: name -> since when (UTC seconds), or
    final: Mapping[str, float]  # name -> how long it took in the end
    functions: Functions


def measured(metric: Mapping[str, Any], moment: Moment, catalogue: Catalogue, *, sampled_only: bool) -> Measure | None:
    """The measure of one metric at a moment; None when there is nothing to measure. Raises BadMetric."""
    kind = next((kind for kind in ("gauge", "counter", "histogram") if metric.get(kind) is not None), "")
    section = metric.get(kind) or {}
    sampled = kind == "gauge" and bool(section.get("realtime"))
    name = str(metric.get("name") or "")
    if sampled_only and not sampled:
        return None
    if not metric.get("help"):
        raise BadMetric(f"metric '{name}' must contain a help string under 'help: ' field")
    if not kind:
        raise BadMetric(f"metric '{name}' must be one of: gauge, counter, histogram")
    try:
        told = {key: value for key, value in metric.items() if value is not None and not (sampled and key == kind)}
        filled = substitute(told, moment.values, unresolved="fail", functions=moment.functions)
    except (SubstitutionError, ValueError) as error:
        raise BadMetric(f"unable to substitute parameters for metric '{name}': {error}") from error
    try:
        if filled.get("when") and not evaluate_when(filled["when"]):
            return None
    except (WhenError, ValueError) as error:
        whose = moment.values.get("workflow.name", name)  # upstream names the workflow here
        raise BadMetric(f"unable to compute 'when' clause for metric '{whose}': {error}") from error
    try:
        declared = _declared(filled, kind, section)
        labels = tuple((str(entry["key"]), str(entry.get("value") or "")) for entry in filled.get("labels") or ())
        catalogue.enter(declared.name, kind, declared.help)
        if sampled:
            return _sampled(declared, labels, str(section.get("value") or ""), moment)
        number = _number(filled[kind].get("value") or "")
    except BadMetric as error:
        raise BadMetric(f"could not construct metric '{filled['name']}': {error}") from error
    operation = section.get("operation") if kind == "gauge" else ""
    adds = operation in {"Add", "Sub"}
    return Measure(declared.name, -number if operation == "Sub" else number, labels, declared, adds)


def _declared(filled: Mapping[str, Any], kind: Any, section: Mapping[str, Any]) -> Metric:
    name = str(filled["name"])
    keys = [str(entry.get("key") or "") for entry in filled.get("labels") or ()]
    if not NAME.fullmatch(name):
        raise BadMetric("metric name is invalid: names may only contain alphanumeric characters or '_'")
    for key in keys:
        if not NAME.fullmatch(key):
            raise BadMetric(f"metric label '{key}' is invalid: keys may only contain alphanumeric characters or '_'")
    buckets = tuple(sorted(float(bound) for bound in section.get("buckets") or ()))
    return Metric(name, kind, str(filled["help"]), tuple(keys), buckets)


def _sampled(declared: Metric, labels: tuple[tuple[str, str], ...], text: str, moment: Moment) -> Measure:
    tag = WHOLE_TAG.fullmatch(text)
    if tag is None:
        raise BadMetric("real time metrics can only be used with metric variables")
    if tag[1] in moment.final:
        return Measure(declared.name, moment.final[tag[1]], labels, declared)
    if tag[1] in moment.since:
        return Measure(declared.name, 0.0, labels, declared, since=moment.since[tag[1]])
    raise BadMetric(f"'{tag[1]}' is not available as a real time metric")


def _number(text: Any) -> float:
    try:
        return float(str(text).strip())
    except ValueError as error:
        raise BadMetric(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from error


def node_values(node: NodeStatus, durations: Mapping[str, int], children: int, now: float) -> dict[str, Any]:
    """What the metrics of a template may say of a node, beside `workflow.*`."""
    began = seconds(node.started_at) if node.started_at else now
    ended = seconds(node.finished_at) if node.finished_at else now
    values: dict[str, Any] = {
        "duration": f"{ended - began:.6f}",
        "status": node.phase or "Pending",
        "resourcesDuration.cpu": "0",
        "resourcesDuration.memory": "0",
    }
    values |= {f"resourcesDuration.{resource}": str(amount) for resource, amount in durations.items()}
    if children:
        values["retries"] = str(children - 1)
    outputs = node.outputs or {}
    for side, section in (("inputs", node.inputs or {}), ("outputs", outputs)):
        for entry in section.get("parameters") or ():
            value = entry.get("value")
            values[f"{side}.parameters.{entry['name']}"] = "" if value is None else str(value)
    if outputs.get("result") is not None:
        values["outputs.result"] = outputs["result"]
    if outputs.get("exitCode") is not None:
        values["exitCode"] = outputs["exitCode"]
    return values
