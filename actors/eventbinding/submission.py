"""A binding that means an event makes a Workflow of it: from a template, with metadata and arguments by expressions.

(EVT-2, EVT-3; upstream's server/event/dispatch.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.language.expression import ExpressionError, evaluate, evaluate_bool
from actors.language.functions import NOTHING, Functions
from actors.language.gotext import go_type
from actors.language.jsontext import dumps
from actors.names import labels
from actors.names.resources import ARGO_API_VERSION


class Undispatched(Exception):
    """A binding cannot make a workflow of an event; the text, in upstream's words, says why."""


class TemplateRef(NamedTuple):
    """The template that a binding submits."""

    name: str
    cluster: bool


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a workflow is made from beside its binding and its template."""

    variables: Mapping[str, Any]  # of actors.eventbinding.variables
    suffix: str  # ends the names that the binding does not give itself
    creator: Mapping[str, str] = field(default_factory=dict)  # labels that say who sent the event
    instance_id: str = ""
    functions: Functions = NOTHING


def means(binding: Mapping[str, Any], occasion: Occasion) -> bool:
    """Whether a binding's selector picks the event. Raises Undispatched for one that is no condition."""
    selector = str(_part(_part(binding, "spec"), "event").get("selector") or "")
    try:
        return evaluate_bool(selector, occasion.variables, functions=occasion.functions)
    except ExpressionError as error:
        raise Undispatched(f"failed to evaluate workflow template expression: {error}") from None


def template_of(binding: Mapping[str, Any]) -> TemplateRef | None:
    """What a binding submits; None for one that only listens."""
    submit = _part(binding, "spec").get("submit")
    if not isinstance(submit, Mapping):
        return None
    ref = _part(submit, "workflowTemplateRef")
    return TemplateRef(str(ref.get("name") or ""), bool(ref.get("clusterScope")))


def by_reference(ref: TemplateRef) -> dict[str, Any]:
    """The Workflow that runs a template as it is."""
    key = labels.CLUSTER_WORKFLOW_TEMPLATE if ref.cluster else labels.WORKFLOW_TEMPLATE
    cluster = {"clusterScope": True} if ref.cluster else {}
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": "Workflow",
        "metadata": {"generateName": f"{ref.name}-", "labels": {key: ref.name}},
        "spec": {"workflowTemplateRef": {"name": ref.name, **cluster}},
    }


def workflow(binding: Mapping[str, Any], template: Mapping[str, Any], occasion: Occasion) -> dict[str, Any]:
    """The Workflow that a binding makes of an event, in the binding's namespace and with a name.

    Labels come from the template's workflowMetadata, then from the binding's metadata, then say who and which binding.
    Raises Undispatched for a template of another instance and for what cannot be evaluated."""
    ref = template_of(binding)
    if ref is None:
        raise LookupError("this binding submits nothing")
    if not _is_ours(template, occasion.instance_id):
        name = _part(template, "metadata").get("name")
        raise Undispatched(
            f"failed to validate workflow template instanceid: '{name}' is not managed by the current Argo Server"
        )
    submit = _part(_part(binding, "spec"), "submit")
    wanted = _part(_part(template, "spec"), "workflowMetadata")
    given = _metadata(_part(submit, "metadata"), occasion)
    made = by_reference(ref)
    meta = made["metadata"]
    meta |= {"namespace": _part(binding, "metadata").get("namespace", ""), **given.names}
    meta["labels"] |= _part(wanted, "labels")
    if occasion.instance_id:
        meta["labels"][labels.CONTROLLER_INSTANCE_ID] = occasion.instance_id
    else:
        meta["labels"].pop(labels.CONTROLLER_INSTANCE_ID, None)
    meta["labels"] |= {**given.labels, **occasion.creator}
    meta["labels"][labels.WORKFLOW_EVENT_BINDING] = _part(binding, "metadata").get("name", "")
    if annotations := {**_part(wanted, "annotations"), **given.annotations}:
        meta["annotations"] = annotations
    if not meta.get("name"):
        meta["name"] = meta["generateName"] + occasion.suffix
    if parameters := _parameters(_part(submit, "arguments"), occasion):
        made["spec"]["arguments"] = {"parameters": parameters}
    return made


def _is_ours(template: Mapping[str, Any], instance_id: str) -> bool:
    marked = _part(_part(template, "metadata"), "labels").get(labels.CONTROLLER_INSTANCE_ID)
    return marked == instance_id if instance_id else marked is None


class _Given(NamedTuple):
    names: dict[str, str]
    labels: dict[str, str]
    annotations: dict[str, str]


def _metadata(wanted: Mapping[str, Any], occasion: Occasion) -> _Given:
    """A binding's metadata, of which every value is an expression that must be a text."""
    names = {key: _text(wanted[key], key, occasion) for key in ("name", "generateName") if wanted.get(key)}
    named = {key: _text(value, f'label "{key}"', occasion) for key, value in _part(wanted, "labels").items()}
    noted = _part(wanted, "annotations").items()
    return _Given(names, named, {key: _text(value, f'annotation "{key}"', occasion) for key, value in noted})


def _text(expression: Any, what: str, occasion: Occasion) -> str:
    try:
        result = evaluate(str(expression), occasion.variables, functions=occasion.functions)
    except ExpressionError as error:
        raise Undispatched(f"failed to evaluate workflow {what} expression: {error}") from None
    if not isinstance(result, str):
        raise Undispatched(f"workflow {what} expression must evaluate to a string, not a {go_type(result)}")
    return result


def _parameters(arguments: Mapping[str, Any], occasion: Occasion) -> list[dict[str, str]]:
    """The arguments: a text as it is, anything else as its JSON."""
    found = []
    for parameter in arguments.get("parameters") or ():
        name, source = parameter.get("name", ""), parameter.get("valueFrom")
        if not isinstance(source, Mapping):
            raise Undispatched(f'malformed workflow template parameter "{name}": valueFrom is nil')
        try:
            result = evaluate(str(source.get("event") or ""), occasion.variables, functions=occasion.functions)
            found.append({"name": name, "value": result if isinstance(result, str) else dumps(result)})
        except ExpressionError as error:
            raise Undispatched(f'failed to evaluate workflow template parameter "{name}" expression: {error}') from None
        except ValueError as error:  # a number that is none, for instance
            raise Undispatched(f'failed to convert result to JSON "{name}" expression: {error}') from None
    return found


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}
