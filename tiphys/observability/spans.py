"""A finished workflow as spans: its own, and one for each node that ran, under the node that called it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from actors.names import tracing
from actors.names.timestamps import seconds
from actors.packing import BadPack, nodes_of
from runtime.objects import Object

NS: Final = 1_000_000_000
FAILED: Final = ("Failed", "Error")


class Span(NamedTuple):
    """What one span says. Times are nanoseconds since the epoch; `error` is empty where all went well."""

    name: str
    trace_id: str
    span_id: str
    parent: str  # empty: the root
    start: int
    end: int
    attributes: dict[str, str]
    error: str


def spans(workflow: Object) -> list[Span]:
    """The workflow's trace, parents before children. Attributes are upstream's, and some of ours."""
    meta, status = workflow["metadata"], workflow.get("status") or {}
    uid, name, namespace = meta["uid"], meta["name"], meta.get("namespace", "")
    trace, root = tracing.trace_id(uid), tracing.span_id(uid)
    common = {"name": name, "namespace": namespace}
    start, end = _times(status)
    own = {**common, "phase": str(status.get("phase") or ""), "workflow_uid": uid}
    found = [Span("workflow", trace, root, "", start, end, own, _error(status))]
    try:
        nodes = nodes_of(status)
    except BadPack:
        return found
    parents = _parents(nodes)
    for key, node in sorted(nodes.items(), key=lambda entry: (str(entry[1].get("startedAt")), entry[0])):
        if not node.get("startedAt") or not node.get("finishedAt"):
            continue
        of = parents.get(key, "")
        parent = tracing.span_id(uid, of) if of else root
        began, ended = _times(node)
        about = {**common, **_about(key, node)}
        found.append(Span("node", trace, tracing.span_id(uid, key), parent, began, ended, about, _error(node)))
    return found


def _parents(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Whose call a node is: the node it is bounded by, or the one that tries it again and again."""
    found = {
        key: str(node["boundaryID"])
        for key, node in nodes.items()
        if node.get("boundaryID") in nodes and node["boundaryID"] != key
    }
    for key, node in nodes.items():
        if node.get("type") in ("Retry", "TaskGroup", "StepGroup"):
            found |= {child: key for child in node.get("children") or () if _is_below(nodes, child, node)}
    return found


def _is_below(nodes: Mapping[str, Mapping[str, Any]], child: str, group: Mapping[str, Any]) -> bool:
    """A group's children are also its successors' parents: only those named after it, or within it, are its own."""
    name = str((nodes.get(child) or {}).get("name") or "")
    return name.startswith(str(group.get("name"))) and name != group.get("name")


def _about(key: str, node: Mapping[str, Any]) -> dict[str, str]:
    told = {
        "node_id": key,
        "node_name": node.get("name"),
        "node_type": node.get("type"),
        "phase": node.get("phase"),
        "template": node.get("templateName") or (node.get("templateRef") or {}).get("template"),
        "host": node.get("hostNodeName"),
    }
    return {label: str(value) for label, value in told.items() if value}


def _error(of: Mapping[str, Any]) -> str:
    return str(of.get("message") or of["phase"]) if of.get("phase") in FAILED else ""


def _times(of: Mapping[str, Any]) -> tuple[int, int]:
    start = int(seconds(of["startedAt"]) * NS) if of.get("startedAt") else 0
    end = int(seconds(of["finishedAt"]) * NS) if of.get("finishedAt") else start
    return start, max(start, end)
