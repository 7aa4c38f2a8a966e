"""Steps: names once each, and references only to steps of earlier groups."""

from __future__ import annotations

from actors.workflow.validation.calls import Caller, judge_call
from actors.workflow.validation.findings import FIELD_NAME, Json, Place, mapping, name_fault, text
from actors.workflow.validation.scope import Node, Scope


def judge_steps(caller: Caller, template: Json, scope: Scope) -> Scope:
    """Judge all steps; the scope of the template's outputs, which see every step."""
    over: dict[str, Node] = {}
    names: set[str] = set()
    seen = Scope(family="steps", visible=over.get, outer=scope)
    for index, group in enumerate(template.get("steps") or ()):
        started: dict[str, Node] = {}
        for position, step in enumerate(map(mapping, group or ())):
            name = text(step.get("name"))
            place = Place(
                f"{caller.place.names}.steps[{index}].{name}", f"{caller.place.path}.steps[{index}][{position}]"
            )
            _judge_name(caller, f"{caller.place.names}.steps[{index}].name", place.path, name, names)
            judge_call(caller, place, step, seen)
            started[name] = caller.node(step)
        over.update(started)
    return seen


def _judge_name(caller: Caller, names: str, path: str, name: str, seen: set[str]) -> None:
    where = Place(names, f"{path}.name")
    if not name:
        caller.findings.error(where, "is required")
    elif name in seen:
        caller.findings.error(where, f"'{name}' is not unique")
    elif rule := name_fault(name, FIELD_NAME):
        caller.findings.error(where, f"'{name}' is invalid: {rule}")
    seen.add(name)
