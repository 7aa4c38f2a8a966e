"""An assessment is what a pod's status says about its node: plain values, ready for `status.nodes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runtime.api import LogOptions


class Expectation(msgspec.Struct, frozen=True):
    """What the template promised of its pod."""

    outputs: Mapping[str, Any] = msgspec.field(default_factory=dict)  # the template's, resolved
    include_result: bool = False
    daemon: bool = False
    containers: Sequence[str] = ()  # a containerSet's, in order; empty for all other templates
    resource: bool = False  # a resource template: its program is ours
    after: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)  # of a set: which wait for which others


class ContainerVerdict(msgspec.Struct, frozen=True):
    """One container of a containerSet (CSET-5). Times are RFC 3339 or empty."""

    phase: str
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    exit_code: str = ""


class Assessment(msgspec.Struct, frozen=True):
    """The node's side of a pod."""

    phase: str  # Pending, Running, Succeeded, Failed, Error
    message: str = ""
    outputs: Mapping[str, Any] = msgspec.field(default_factory=dict)  # as in NodeStatus.outputs
    daemoned: bool = False
    pod_ip: str = ""
    host: str = ""  # name of the machine
    finished_at: str = ""  # RFC 3339, of the last container; empty while not finished
    containers: Mapping[str, ContainerVerdict] = msgspec.field(default_factory=dict)
    needs_log: LogOptions | None = None  # read it, then assess again with it: until then phase is Running
    resources_duration: Mapping[str, int] = msgspec.field(default_factory=dict)  # RDUR-1, of finished pods
    progress: str = ""  # N/M as the pod reports it


def expected_of(template: Mapping[str, Any], *, include_result: bool) -> Expectation:
    """What a resolved template promises of its pod."""
    containers = (template.get("containerSet") or {}).get("containers") or ()
    return Expectation(
        outputs=template.get("outputs") or {},
        include_result=include_result,
        daemon=bool(template.get("daemon")),
        containers=tuple(entry["name"] for entry in containers),
        after={entry["name"]: entry["dependencies"] for entry in containers if entry.get("dependencies")},
        resource=bool(template.get("resource")),
    )


def promised_parameters(outputs: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The output parameters that a pod has to report. One with a `value` is known before: it is the template's."""
    return [entry for entry in outputs.get("parameters") or () if entry.get("value") is None]


def fields_of(seen: Assessment, template: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a node's status that its pod says."""
    fields: dict[str, Any] = {"daemoned": seen.daemoned}
    if seen.host:
        fields["host_node_name"] = seen.host
    if seen.daemoned and seen.pod_ip:
        fields["pod_ip"] = seen.pod_ip
    if seen.outputs:
        fields["outputs"] = with_declared(template, seen.outputs)
    if seen.resources_duration:
        fields["resources_duration"] = dict(seen.resources_duration)
    if seen.progress:
        fields["progress"] = seen.progress
    return fields


def with_declared(template: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs as recorded keep what the template says of them: globalName, valueFrom."""
    declared = template.get("outputs") or {}
    result = dict(outputs)
    for kind in ("parameters", "artifacts"):
        said = {entry["name"]: entry for entry in declared.get(kind) or ()}
        if outputs.get(kind):
            result[kind] = [{**said.get(entry["name"], {}), **entry} for entry in outputs[kind]]
    return result
