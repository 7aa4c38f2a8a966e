"""What cannot be evaluated in a WorkflowEventBinding, found before an event comes. (EVT-2)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from actors.eventbinding.variables import NAMES
from actors.language.argo_functions import ARGO_FUNCTIONS
from actors.language.expression import ExpressionError, compile_expression

KNOWN: Final = frozenset({*NAMES, *ARGO_FUNCTIONS, "sprig", "$env"})


class Problem(NamedTuple):
    """A field whose expression is wrong."""

    path: str
    message: str


def problems(binding: Mapping[str, Any]) -> Iterator[Problem]:
    """Every expression that cannot be read or asks for what no event has; the binding is of its kind's shape."""
    spec = binding["spec"]
    submit = spec.get("submit") or {}
    meta = submit.get("metadata") or {}
    yield from _problem("spec.event.selector", spec["event"]["selector"])
    for key in ("name", "generateName"):
        if meta.get(key):
            yield from _problem(f"spec.submit.metadata.{key}", meta[key])
    for key in ("labels", "annotations"):
        for name, expression in (meta.get(key) or {}).items():
            yield from _problem(f"spec.submit.metadata.{key}.{name}", expression)
    for index, parameter in enumerate((submit.get("arguments") or {}).get("parameters") or ()):
        path = f"spec.submit.arguments.parameters[{index}]"
        source = parameter.get("valueFrom")
        if source is None:
            yield Problem(path, "its value comes from the event: write valueFrom.event")
        else:
            yield from _problem(f"{path}.valueFrom.event", source.get("event") or "")


def _problem(path: str, expression: str) -> Iterator[Problem]:
    try:
        unknown = sorted(compile_expression(expression).roots - KNOWN)
    except ExpressionError as error:
        yield Problem(path, str(error))
    else:
        if unknown:
            yield Problem(path, f"unknown name {unknown[0]}: an event has {', '.join(NAMES)}")
