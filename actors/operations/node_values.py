"""A suspended node gets a phase, a message or the values it waits for. (OP-8, SUS-5)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.names.timestamps import rfc3339
from actors.operations.record import Node, nodes_in, status_of, with_nodes
from actors.operations.refusal import Refusal
from actors.operations.selector import Term, matches

PHASES: Final = ("Succeeded", "Failed", "Error")


def set_node(
    workflow: Mapping[str, Any],
    selector: Sequence[Term],
    now: float,
    *,
    phase: str = "",
    message: str = "",
    outputs: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The workflow with its waiting suspend nodes that `selector` picks changed so.

    Raises Refusal when there is no such node, or it does not wait for one of the outputs."""
    if phase and phase not in PHASES:
        raise Refusal(f"a suspended node cannot be set to {phase!r}: one of {', '.join(PHASES)}")
    if not (phase or message or outputs):
        raise Refusal("nothing to set: give a phase, a message or an output parameter")
    nodes = nodes_in(workflow)
    picked = [node_id for node_id, node in nodes.items() if _waits(node) and matches(node, selector)]
    if not picked:
        raise Refusal(f"no suspended node of {workflow['metadata']['name']} matches the selector")
    for node_id in picked:
        nodes[node_id] = _with_values(nodes[node_id], outputs or {})
        nodes[node_id] |= {"message": message} if message else {}
        nodes[node_id] |= {"phase": phase, "finishedAt": rfc3339(now)} if phase else {}
    return {**workflow, "status": with_nodes(status_of(workflow), nodes)}


def _waits(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "Suspend" and node.get("phase") == "Running"


def _with_values(node: Node, values: Mapping[str, str]) -> Node:
    if not values:
        return node
    if not node.get("outputs"):
        raise Refusal("cannot set output parameters because node is not expecting any raw parameters")
    declared = node["outputs"].get("parameters") or []
    expected = {entry.get("name"): entry for entry in declared}
    for name in values:
        if name not in expected:
            named = ", ".join(str(known) for known in expected) or "none"
            raise Refusal(f"node is not expecting output parameter '{name}'; it expects: {named}")
        if "supplied" not in (expected[name].get("valueFrom") or {}):
            wrong = "it does not use valueFrom.raw or it was already set"  # upstream's words
            raise Refusal(f"cannot set output parameter '{name}' because {wrong}")
    parameters = [
        {**{key: kept for key, kept in entry.items() if key != "valueFrom"}, "value": values[entry["name"]]}
        if entry.get("name") in values
        else entry
        for entry in declared
    ]
    return {**node, "outputs": {**node["outputs"], "parameters": parameters}}
