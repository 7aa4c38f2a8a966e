"""Expressions can be read, and name only what is there.

None of that refuses a workflow: what cannot be read, and a name that nothing has, are for the run to find (a tag then
stays as it is, or the node is an Error, or nobody ever asks), and for whoever judges thoroughly.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.language.argo_functions import ARGO_FUNCTIONS, sprig_functions
from actors.language.expression import ExpressionError, compile_expression
from actors.language.tags import tags_in
from actors.workflow.validation.findings import Findings, Json, Place, entries, is_dynamic, mapping, text
from actors.workflow.validation.scope import Scope, judge_tags

ROOTS = frozenset(ARGO_FUNCTIONS) | {
    "cronworkflow", "duration", "exitCode", "inputs", "item", "lastRetry", "node", "outputs", "pod",
    "resourcesDuration", "retries", "sprig", "status", "steps", "tasks", "workflow",
}  # fmt: skip
"""What an expression in a tag may begin a name with; some of it is known in some places only."""
UNKNOWN = (
    "known are inputs, outputs of earlier steps or dependencies, workflow.*, item, retries and the functions; "
    "a text goes into quotes"
)


def judge_expressions(findings: Findings, place: Place, template: Json) -> None:
    """Judge every field of a template that is an expression."""
    for field, expression in _fields(template):
        judge_expression(findings, place.at(field), expression)


def judge_references(findings: Findings, place: Place, tree: object, scope: Scope) -> None:
    """Judge every tag of a tree: plain ones resolve, expressions can be read and name what is known here."""
    judge_tags(findings, place, tree, scope)
    judge_expression_tags(findings, place, tree, scope)


def judge_expression_tags(findings: Findings, place: Place, tree: object, scope: Scope) -> None:
    """Judge the tags of a tree that hold expressions."""
    if not findings.thorough:
        return
    for tag in tags_in(tree):
        if not tag.is_expression or is_dynamic(tag.name):
            continue
        where, written = Place(place.names, f"{place.path}.{tag.path}"), f"{{{{={tag.name}}}}}"
        if fault := fault_of(tag.name):
            findings.late(where, f"{written} is no expression: {fault}", "mend it, or write it without the braces")
            continue
        for name in _unknown(tag.name, scope):
            findings.late(where, f"{written} names {name}, which nothing here has", UNKNOWN)


def _unknown(expression: str, scope: Scope) -> Iterator[str]:
    """The names in an expression that nothing has, as far as that is written down."""
    for reference in compile_expression(expression).references:
        parts = reference.path.split(".")
        if parts[0] not in ROOTS or (parts[0] == "sprig" and len(parts) > 1 and parts[1] not in sprig_functions()):
            yield reference.path
        elif parts[0] in ("inputs", "workflow") and len(parts) > 2 and parts[1] in ("parameters", "artifacts"):
            if not scope.resolves(".".join(parts[:3])):
                yield reference.path
        elif parts[0] in ("steps", "tasks") and len(parts) > 2:
            whole = parts[2:4] == ["outputs", "parameters"] and len(parts) > 4
            if not scope.resolves(".".join(parts[:2]) + (f".{'.'.join(parts[2:5])}" if whole else ".status")):
                yield reference.path


def _fields(template: Json) -> Iterator[tuple[str, str]]:
    """The fields of a template that hold expressions."""
    yield "retryStrategy.expression", text(mapping(template.get("retryStrategy")).get("expression"))
    yield "http.successCondition", text(mapping(template.get("http")).get("successCondition"))
    for index, step in enumerate(entries(template.get("data"), "transformation")):
        yield f"data.transformation[{index}].expression", text(step.get("expression"))
    outputs = mapping(template.get("outputs"))
    for parameter in entries(outputs, "parameters"):
        expression = mapping(parameter.get("valueFrom")).get("expression")
        yield f"outputs.parameters.{text(parameter.get('name'))}.valueFrom.expression", text(expression)
    for artifact in entries(outputs, "artifacts"):
        yield f"outputs.artifacts.{text(artifact.get('name'))}.fromExpression", text(artifact.get("fromExpression"))


def judge_expression(findings: Findings, place: Place, expression: str) -> None:
    """Judge one field that is an expression; one with tags is left to the run."""
    if expression and (fault := fault_of(expression)):
        findings.late(place, f"is no expression: {fault}", "mend it: a run fails of it")


def fault_of(expression: str) -> str:
    """Why an expression cannot be read; empty when it can, and when only a run knows what it says."""
    if is_dynamic(expression):
        return ""
    try:
        compile_expression(expression)
    except ExpressionError as error:
        return str(error).split("\n")[0]
    return ""
