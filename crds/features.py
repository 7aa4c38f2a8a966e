"""Fields that are understood and not acted upon yet: said aloud instead of silently ignored.

`MISSING` is the whole truth: a feature that lands takes its line away. Paths begin with the place they are looked for
in: `spec` (a workflow's), `template` (each, those written inline and the defaults among them), `call` (each step and
task), `artifact` (each that is passed, taken or left), `metric` (each of an analysis), `cron`, or `kind`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from crds.problems import Problem, Severity


class Missing(NamedTuple):
    """A feature that is not there yet; an error when the workflow would do something else without it."""

    feature: str
    what: str
    severity: Severity = "error"


MISSING: dict[str, Missing] = {}

ANALYSES = frozenset({"AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"})

INSIDE = frozenset({"template", "call", "artifact"})
"""Places that there are many of: where nothing is missing in any, a workflow of a thousand tasks is not walked."""

Place = tuple[str, str, dict[Any, Any]]  # its name in MISSING, its path, what stands there


def unsupported(thing: Any) -> list[Problem]:
    """Every field of an object that nothing acts upon yet, with the feature's ID; never raises."""
    if not isinstance(thing, dict):
        return []
    problems: list[Problem] = []
    for name, path, value in _places(thing):
        for field, missing in MISSING.items():
            place, *rest = field.split(".")
            if place == name and _says(value, rest):
                where = ".".join([path, *rest]) if place != "kind" else "kind"
                text = f"{missing.what} are not there yet ({missing.feature})"
                problems.append(Problem(where, text, missing.severity, feature=missing.feature))
    return problems


def _says(value: Any, fields: list[str]) -> bool:
    """Whether a field is given, and not merely to say no."""
    for index, field in enumerate(fields):
        if not isinstance(value, dict):
            return False
        value = value.get(field.removesuffix("[]"))
        if field.endswith("[]"):
            return isinstance(value, list) and any(_says(item, fields[index + 1 :]) for item in value)
    return value is not None and value is not False and value not in ("", [])


def _places(thing: dict[Any, Any]) -> Iterator[Place]:
    yield "kind", "kind", {thing["kind"]: True} if isinstance(thing.get("kind"), str) else {}
    spec, path = thing.get("spec"), "spec"
    if not isinstance(spec, dict):
        return
    if thing.get("kind") == "CronWorkflow":
        yield "cron", path, spec
        spec, path = spec.get("workflowSpec"), "spec.workflowSpec"
        if not isinstance(spec, dict):
            return
    if thing.get("kind") in ANALYSES:
        for where, metric in _items(spec.get("metrics"), f"{path}.metrics"):
            if isinstance(metric, dict):
                yield "metric", where, metric
        return
    yield "spec", path, spec
    if INSIDE.isdisjoint(field.partition(".")[0] for field in MISSING):
        return
    yield from _artifacts(spec.get("arguments"), f"{path}.arguments")
    templates = [(f"{path}.templateDefaults", spec.get("templateDefaults"))]
    templates += [(where, template) for where, template in _items(spec.get("templates"), f"{path}.templates")]
    while templates:  # grows by the templates that calls write inline
        where, template = templates.pop(0)
        if isinstance(template, dict):
            yield "template", where, template
            yield from _artifacts(template.get("inputs"), f"{where}.inputs")
            yield from _artifacts(template.get("outputs"), f"{where}.outputs")
            for at, call in _calls(template, where):
                yield "call", at, call
                yield from _artifacts(call.get("arguments"), f"{at}.arguments")
                templates.append((f"{at}.inline", call.get("inline")))


def _calls(template: dict[Any, Any], path: str) -> Iterator[tuple[str, dict[Any, Any]]]:
    """The steps and tasks of a template, with their paths."""
    dag = template.get("dag")
    groups = [*_items(template.get("steps"), f"{path}.steps")]
    if isinstance(dag, dict):
        groups.append((f"{path}.dag.tasks", dag.get("tasks")))
    for where, group in groups:
        for at, call in _items(group, where):
            if isinstance(call, dict):
                yield at, call


def _artifacts(holder: Any, path: str) -> Iterator[Place]:
    if isinstance(holder, dict):
        for where, artifact in _items(holder.get("artifacts"), f"{path}.artifacts"):
            if isinstance(artifact, dict):
                yield "artifact", where, artifact


def _items(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
