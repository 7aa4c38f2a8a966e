"""A workflow's nodes are taken out of its status, and put back in the form in which they were found.

Also here: what every operation that starts work again does to parameters and to the spec.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from actors.names import labels
from actors.packing import nodes_of, packed_member

Node = dict[str, Any]
FAILED = frozenset({"Failed", "Error"})
FINAL = frozenset({"Succeeded", "Failed", "Error"})


def status_of(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The status; empty when nobody has written one."""
    return dict(workflow.get("status") or {})


def nodes_in(workflow: Mapping[str, Any]) -> dict[str, Node]:
    """The nodes by id, compressed or not. Raises BadPack when they cannot be read."""
    return {node_id: dict(node) for node_id, node in nodes_of(status_of(workflow)).items()}


def with_nodes(status: Mapping[str, Any], nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The status with exactly these nodes: in one string if that is how it had them."""
    changed = {key: value for key, value in status.items() if key not in {"nodes", "compressedNodes"}}
    if status.get("compressedNodes"):
        changed["compressedNodes"] = base64.b64encode(packed_member(orjson.dumps(dict(nodes)))).decode()
    else:
        changed["nodes"] = dict(nodes)
    return changed


def runnable_spec(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """The spec without what stopped it, and with these parameters: one that it does not declare is added (OP-7)."""
    changed = {key: value for key, value in spec.items() if key != "shutdown"}
    if changed.get("activeDeadlineSeconds") == 0:  # how workflows used to be terminated
        del changed["activeDeadlineSeconds"]
    if parameters:
        arguments = dict(changed.get("arguments") or {})
        arguments["parameters"] = _overridden(arguments.get("parameters") or (), parameters)
        changed["arguments"] = arguments
    return changed


def _overridden(declared: Any, wished: Mapping[str, str]) -> list[dict[str, Any]]:
    entries, left = [], dict(wished)
    for entry in declared:
        name = entry.get("name")
        kept = {key: value for key, value in entry.items() if key != "valueFrom"}
        entries.append({**kept, "value": left.pop(name)} if name in left else entry)
    return entries + [{"name": name, "value": value} for name, value in left.items()]


def pod_format(workflow: Mapping[str, Any]) -> str:
    """How its pods are named: v2 unless its annotation says v1."""
    annotations = (workflow.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(labels.POD_NAME_FORMAT) or "v2")
