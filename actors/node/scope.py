"""What later calls may say of a node: `steps.<name>.…` and `tasks.<name>.…`, from its status.

An output that a skipped node would have made is its default, or an absent optional (None), which a consumer's own
default may replace. (STEP-7, DAG-15, ABS-1, ABS-7, variable table.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actors.language.aggregate import aggregate
from actors.language.jsontext import parameter_text
from actors.messages import NodeStatus

NO_ARTIFACT: dict[str, Any] = {}


def node_variables(prefix: str, status: NodeStatus, declared: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Everything that `prefix` (`steps.x`) offers. `declared` are the outputs of the template that a skipped node
    did not run."""
    values: dict[str, Any] = {f"{prefix}.id": status.id, f"{prefix}.status": status.phase}
    for suffix, value in (
        ("startedAt", status.started_at), ("finishedAt", status.finished_at),
        ("hostNodeName", status.host_node_name), ("ip", status.pod_ip),
    ):  # fmt: skip
        if value:
            values[f"{prefix}.{suffix}"] = value
    if status.phase in {"Skipped", "Omitted"}:
        return values | _absent(prefix, declared or {})
    values |= output_variables(f"{prefix}.outputs", status.outputs or {})
    exit_code = (status.outputs or {}).get("exitCode")
    if exit_code is not None:
        values[f"{prefix}.exitCode"] = exit_code
    return values


def output_variables(prefix: str, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """`<prefix>.result`, `.parameters.<p>`, `.artifacts.<a>` of recorded outputs."""
    values: dict[str, Any] = {}
    if outputs.get("result") is not None:
        values[f"{prefix}.result"] = outputs["result"]
    for entry in outputs.get("parameters") or ():
        if entry.get("value") is not None:  # a pod that failed may not have made it
            values[f"{prefix}.parameters.{entry['name']}"] = entry["value"]
    for entry in outputs.get("artifacts") or ():
        values[f"{prefix}.artifacts.{entry['name']}"] = entry
    return values


def _absent(prefix: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    outputs = declared.get("outputs") or {}
    for entry in outputs.get("parameters") or ():
        default = (entry.get("valueFrom") or {}).get("default")
        values[f"{prefix}.outputs.parameters.{entry['name']}"] = None if default is None else parameter_text(default)
    for entry in outputs.get("artifacts") or ():
        values[f"{prefix}.outputs.artifacts.{entry['name']}"] = NO_ARTIFACT
    if any(kind in declared for kind in ("script", "container", "containerSet", "http", "data", "plugin")):
        values[f"{prefix}.outputs.result"] = None
    return values


def loop_variables(prefix: str, children: Sequence[NodeStatus]) -> dict[str, Any]:
    """The aggregates of a finished loop, from its items in order of their index (LOOP-8, LOOP-9).

    Raises AggregateError when an item's result is not JSON."""
    made = [child.outputs for child in children if child.phase == "Succeeded" and child.outputs]
    return dict(aggregate((outputs.get("parameters"), outputs.get("result")) for outputs in made).variables(prefix))


def export_variables(statuses: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`workflow.outputs.*` from outputs that have a `globalName` (PARAM-7, ART-12)."""
    values: dict[str, Any] = {}
    for outputs in statuses:
        for kind in ("parameters", "artifacts"):
            for entry in outputs.get(kind) or ():
                name = entry.get("globalName")
                if name and kind == "parameters" and entry.get("value") is not None:
                    values[f"workflow.outputs.parameters.{name}"] = entry["value"]
                elif name and kind == "artifacts":
                    values[f"workflow.outputs.artifacts.{name}"] = {**entry, "name": name}
    return values
