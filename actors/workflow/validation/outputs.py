"""Inputs and outputs: named well, taken from where this kind of template has something to give, and never colliding."""

from __future__ import annotations

from actors.workflow.validation.arguments import is_located, judge_enum
from actors.workflow.validation.findings import (
    PARAMETER_NAME,
    PARAMETER_NAME_RULE,
    Findings,
    Json,
    Place,
    entries,
    is_dynamic,
    is_given,
    mapping,
    text,
)
from actors.workflow.validation.scope import COMPOSITE_TYPES, LEAF_TYPES, spoken, type_of

FROM = ("from", "fromExpression")
SOURCES = ("path", "jqFilter", "jsonPath", "parameter", "expression")
# What an output parameter of each kind of template may come from; kinds that are not named take anything.
SOURCES_OF = {
    "container": ("path",),
    "script": ("path",),
    "containerSet": ("path",),
    "resource": ("jqFilter", "jsonPath"),
    "steps": ("parameter", "expression"),
    "dag": ("parameter", "expression"),
}


def judge_inputs(findings: Findings, place: Place, template: Json) -> None:
    """Judge what a template takes."""
    inputs, here = mapping(template.get("inputs")), place.at("inputs")
    findings.names(here, "parameters", entries(inputs, "parameters"), PARAMETER_NAME)
    findings.names(here, "artifacts", entries(inputs, "artifacts"), PARAMETER_NAME)
    for index, parameter in enumerate(entries(inputs, "parameters")):
        where = here.entry("parameters", index, text(parameter.get("name")))
        judge_enum(findings, where, parameter, parameter.get("value", parameter.get("default")), late=True)
    for index, artifact in enumerate(entries(inputs, "artifacts")):
        where = here.entry("artifacts", index, text(artifact.get("name")))
        _judge_artifact_path(findings, where, template, artifact)
        if is_given(artifact, "from"):
            findings.error(where.at("from"), "not valid in inputs", "the caller's arguments say from where")
        if artifact.get("git") is not None and not is_given(mapping(artifact["git"]), "repo"):
            findings.error(where.at("git.repo"), "is required")


def judge_outputs(findings: Findings, place: Place, template: Json) -> None:
    """Judge what a template leaves behind."""
    outputs, here = mapping(template.get("outputs")), place.at("outputs")
    findings.names(here, "parameters", entries(outputs, "parameters"), PARAMETER_NAME)
    findings.names(here, "artifacts", entries(outputs, "artifacts"), PARAMETER_NAME)
    for index, artifact in enumerate(entries(outputs, "artifacts")):
        where = here.entry("artifacts", index, text(artifact.get("name")))
        if type_of(template) in LEAF_TYPES or is_given(artifact, "path"):
            _judge_artifact_path(findings, where, template, artifact)
        elif type_of(template) in COMPOSITE_TYPES and not is_given(artifact, *FROM) and not is_located(artifact):
            findings.warning(where, "has neither from nor fromExpression, and is left out")
        _judge_global_name(findings, where, artifact)
    for index, parameter in enumerate(entries(outputs, "parameters")):
        where = here.entry("parameters", index, text(parameter.get("name")))
        _judge_source(findings, where, type_of(template), parameter)
        _judge_global_name(findings, where, parameter)
    for kind in ("parameters", "artifacts"):
        _judge_unique_global_names(findings, here, kind, entries(outputs, kind))


def _judge_source(findings: Findings, where: Place, kind: str, parameter: Json) -> None:
    if parameter.get("valueFrom") is None:
        if parameter.get("value") is None:
            findings.error(where, "does not have valueFrom or value specified")
        return
    if parameter.get("value") is not None:
        findings.error(where, "has both valueFrom and value specified, choose one")
        return
    value_from = mapping(parameter["valueFrom"])
    given = [source for source in SOURCES if is_given(value_from, source)]
    given += ["supplied"] if value_from.get("supplied") is not None else []
    allowed = SOURCES_OF.get(kind, (*SOURCES, "supplied"))
    if len(given) > 1:
        wrong = "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw"
        findings.error(where.at("valueFrom")._replace(names=""), wrong, f"it has both {' and '.join(given)}")
    elif not given:
        wrong = "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression"
        findings.error(where.at("valueFrom")._replace(names=""), wrong)
    elif given[0] not in allowed:
        what, wanted = spoken(kind), " or ".join(allowed)
        named = f"{where.names}{' ' if kind == 'resource' else ''}.{wanted}"  # upstream's very words, space and all
        said = f"must be specified for {what} templates"
        findings.error(where.at("valueFrom")._replace(names=named), said, f"it has {given[0]}")


def _judge_artifact_path(findings: Findings, where: Place, template: Json, artifact: Json) -> None:
    path = text(artifact.get("path"))
    if type_of(template) not in LEAF_TYPES:
        if path:
            findings.error(where.at("path"), "only valid in container/script templates")
        return
    if not path:
        name = f"Artifact '{text(artifact.get('name'))}'"
        findings.error(
            where.at("path")._replace(names=f"error in {where.names}:"),
            f"{name} did not specify a path",
            "say where in the container the files are",
        )
    elif ".." in path.split("/"):
        name = f"Artifact '{text(artifact.get('name'))}'"
        wrong = f"{name} attempted to use a path containing '..'. Directory traversal is not permitted"
        findings.error(where.at("path")._replace(names=f"error in {where.names}:"), wrong)


def _judge_global_name(findings: Findings, where: Place, output: Json) -> None:
    name = text(output.get("globalName"))
    if name and not is_dynamic(name) and not PARAMETER_NAME.fullmatch(name):
        said = where.at("globalName")
        findings.error(said._replace(names=f"{said.names}:"), PARAMETER_NAME_RULE, f"'{name}' does not")


def _judge_unique_global_names(findings: Findings, here: Place, kind: str, outputs: list[Json]) -> None:
    seen: set[str] = set()
    for index, output in enumerate(outputs):
        name = text(output.get("globalName"))
        if name and name in seen:
            where = here.entry(kind, index, text(output.get("name")))
            findings.error(where.at("globalName"), f"'{name}' is not unique in this template")
        seen.add(name)
