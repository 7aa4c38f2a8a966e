"""Expressions can be read; whether their names exist is only known when they are evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from actors.language.expression import ExpressionError, compile_expression
from actors.language.tags import tags_in
from actors.workflow.validation.findings import Findings, Json, Place, entries, is_dynamic, mapping, text


def judge_expressions(findings: Findings, place: Place, template: Json) -> None:
    """Judge every field of a template that is an expression, and every tag that holds one.

    A field that cannot be read fails the node. A tag that cannot be read may stay as it is, braces and all.
    """
    for field, expression in _fields(template):
        judge_expression(findings, place.at(field), expression)
    for tag in tags_in({key: value for key, value in template.items() if key not in ("steps", "dag")}):
        if tag.is_expression and not is_dynamic(tag.name) and (fault := _fault(tag.name)):
            where = Place(place.names, f"{place.path}.{tag.path}")
            findings.warning(where, f"{{{{={tag.name}}}}} is no expression: {fault}")


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
    if expression and not is_dynamic(expression) and (fault := _fault(expression)):
        findings.error(place, f"is no expression: {fault}")


def _fault(expression: str) -> str:
    """Why an expression cannot be read; empty when it can."""
    try:
        compile_expression(expression)
    except ExpressionError as error:
        return str(error).split("\n")[0]
    return ""
