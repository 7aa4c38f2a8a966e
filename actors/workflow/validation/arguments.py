"""Arguments: well-named, given a value, one of the allowed ones, and enough for the template that is called."""

from __future__ import annotations

from collections.abc import Iterable

from actors.workflow.validation.findings import (
    PARAMETER_NAME,
    Findings,
    Json,
    Place,
    entries,
    is_dynamic,
    is_given,
    mapping,
    text,
)

DRIVERS = ("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")


def is_located(artifact: Json) -> bool:
    """Whether an artifact says where it is kept."""
    return any(artifact.get(driver) is not None for driver in DRIVERS)


def judge_arguments(findings: Findings, place: Place, arguments: Json, *, values_may_lack: bool) -> None:
    """Judge what a caller passes; `place` is that of the arguments."""
    if not arguments:
        return
    findings.names(place, "parameters", entries(arguments, "parameters"), PARAMETER_NAME)
    findings.names(place, "artifacts", entries(arguments, "artifacts"), PARAMETER_NAME)
    for index, parameter in enumerate(entries(arguments, "parameters")):
        name = text(parameter.get("name"))
        where = Place(f"{place.names}.{name}", f"{place.path}.parameters[{index}]")
        _judge_value(findings, where, parameter, values_may_lack=values_may_lack)
    for index, artifact in enumerate(entries(arguments, "artifacts")):
        where = Place(f"{place.names}.{text(artifact.get('name'))}", f"{place.path}.artifacts[{index}]")
        if is_given(artifact, "from") and is_given(artifact, "fromExpression"):
            findings.error(where, "shouldn't have both `from` and `fromExpression` in Artifact", "choose one")
        elif not is_given(artifact, "from", "fromExpression") and not is_located(artifact):
            findings.error(where._replace(names=f"{where.names}.from,"), "artifact location, or key is required")


def _judge_value(findings: Findings, where: Place, parameter: Json, *, values_may_lack: bool) -> None:
    value_from, value = parameter.get("valueFrom"), parameter.get("value")  # a default is for inputs, not for arguments
    if value_from is None and value is None and not values_may_lack:
        findings.error(where._replace(names=f"{where.names}.value"), f"or {where.names}.valueFrom is required")
    if value_from is not None:
        source = mapping(value_from)
        wrong = [key for key in ("path", "jsonPath", "jqFilter", "parameter", "expression") if is_given(source, key)]
        right = [key for key in ("configMapKeyRef", "supplied", "event") if source.get(key) not in (None, "")]
        if wrong or not right:
            remedy = f"it has {wrong[0]}" if wrong else ""
            findings.error(where.at("valueFrom"), "only allows: default, configMapKeyRef and supplied", remedy)
    if parameter.get("enum") and value is None and not values_may_lack:
        findings.error(where.at("value"), "is required", "it has an enum to be one of")
    judge_enum(findings, where, parameter, value)


def judge_enum(findings: Findings, where: Place, parameter: Json, value: object, *, late: bool = False) -> None:
    """A parameter with an enum has one of its values; of an argument's tags only those of the workflow's parameters
    have values by now, and any other is none of them. `late`: it is a template's input, of which upstream asks that of
    nobody, and whose tags are left to the run."""
    allowed = parameter.get("enum")
    if allowed is None:
        return
    tell = findings.late if late else findings.error
    if not allowed:
        tell(where.at("enum"), "should contain at least one value", "list the allowed values, or leave enum out")
    elif value is not None and not _to_come(value, late=late) and text(value) not in [text(each) for each in allowed]:
        choices = ", ".join(text(each) for each in allowed)
        here, listed = where.at("value"), f"{where.names.rpartition(' ')[2]}.enum list"
        tell(here, f"should be present in {listed}", f"'{text(value)}' is none of {choices}")


def _to_come(value: object, *, late: bool) -> bool:
    return is_dynamic(value) and (late or "workflow.parameters." in text(value))


def judge_supplied(findings: Findings, place: Place, template: Json, given: Json) -> None:
    """What a template needs is supplied by its caller; `place` is that of the caller."""
    inputs = mapping(template.get("inputs"))
    parameters = {text(entry.get("name")): entry for entry in entries(given, "parameters")}
    for parameter in entries(inputs, "parameters"):
        name = text(parameter.get("name"))
        argument = parameters.get(name)
        source = mapping(parameter.get("valueFrom")).get("configMapKeyRef")
        if argument is None and source is None and all(parameter.get(key) is None for key in ("value", "default")):
            findings.error(place, f"inputs.parameters.{name} was not supplied")
        elif argument is not None and argument.get("value") is not None and "enum" not in argument:
            where = Place(f"{place.names} inputs.parameters.{name}", place.path)
            judge_enum(findings, where, parameter, argument["value"], late=True)
    artifacts = {text(entry.get("name")) for entry in entries(given, "artifacts")}
    for artifact in entries(inputs, "artifacts"):
        name = text(artifact.get("name"))
        lacks = not artifact.get("optional") and not is_located(artifact) and not is_given(artifact, "from")
        if name not in artifacts and lacks:  # an input with `from` is refused for that
            findings.error(place, f"inputs.artifacts.{name} was not supplied")


def merged(over: Json, under: Json) -> dict[str, list[Json]]:
    """Arguments over those of a template, by name: one with a value is taken whole, else the upper one's fields win."""
    return {kind: _by_name(entries(under, kind), entries(over, kind)) for kind in ("parameters", "artifacts")}


def _by_name(*layers: Iterable[Json]) -> list[Json]:
    found: dict[str, Json] = {}
    for layer in layers:
        for entry in layer:
            name = text(entry.get("name"))
            if any(entry.get(field) is not None for field in ("value", "default", "valueFrom")):
                found[name] = entry
                continue
            found[name] = {**found.get(name, {}), **{key: value for key, value in entry.items() if value is not None}}
    return list(found.values())
