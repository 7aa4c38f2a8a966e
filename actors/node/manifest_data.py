"""A data template's pod runs our own program as main: it lists what a store keeps, then transforms it (DATA-1..3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import paths, repository
from actors.contract.documents import Instructions, Transfer
from actors.node.manifest_containers import executor_container
from actors.node.manifest_drivers import check_driver
from actors.node.manifest_request import BadTemplate, PodRequest


def data_source(request: PodRequest) -> Transfer:
    """What is listed. Raises BadTemplate when it cannot be."""
    artifact = (_section(request).get("source") or {}).get("artifactPaths")
    if not artifact:
        raise BadTemplate("data.source.artifactPaths is not set: it says which bucket is listed")
    if any((request.template.get("outputs") or {}).values()):
        raise BadTemplate("a data template's output is its result: take outputs.parameters and outputs.artifacts away")
    name = str(artifact.get("name", ""))
    try:
        base = repository.base_location(request.template.get("archiveLocation"), request.repository)
        location = repository.located(artifact, base)
    except repository.BadLocation as error:
        raise BadTemplate(str(error)) from error
    if not location:
        raise BadTemplate("data.source.artifactPaths: no location: name a driver such as s3")
    check_driver(request, name, location, "list")
    return {"name": name, "location": location}


def data_container(request: PodRequest, source: Transfer, told: Instructions) -> dict[str, Any]:
    """The main container; `told` has what every container of ours is told."""
    told["result"] = True
    told["listing"] = source
    told["transformation"] = [_expression(step) for step in _section(request).get("transformation") or ()]
    return executor_container(request, paths.MAIN, ["data"], told)


def _expression(step: Mapping[str, Any]) -> str:
    text = str(step.get("expression") or "")
    if not text:
        raise BadTemplate("data.transformation: every step needs an expression")
    return text


def _section(request: PodRequest) -> Mapping[str, Any]:
    section: Mapping[str, Any] = request.template.get("data") or {}
    return section
