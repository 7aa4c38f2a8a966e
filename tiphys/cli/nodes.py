"""The nodes of a workflow, wherever its status keeps them, and which node contains which.

Containment is `boundaryID`, except that a step group, a loop or a retry contains what its name begins. Edges of
`status.nodes` are flow, not containment, and a status may be half written: nothing here may fail on any status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.packing import BadPack, unpacked
from runtime.objects import Object

FINAL_PHASES: Final = ("Succeeded", "Failed", "Error")
FULFILLED_PHASES: Final = (*FINAL_PHASES, "Skipped", "Omitted")

Node = Mapping[str, Any]


def status_of(workflow: Object) -> Mapping[str, Any]:
    """The status; an empty mapping when there is none."""
    return _mapping(workflow.get("status"))


def phase_of(workflow: Object) -> str:
    """The phase of a workflow, "" while nobody has looked at it."""
    return _text(status_of(workflow).get("phase"))


def is_finished(workflow: Object) -> bool:
    """Whether the workflow has ended, well or not."""
    return phase_of(workflow) in FINAL_PHASES


def nodes_of(workflow: Object) -> dict[str, Node]:
    """All nodes by id: inline entries override compressed ones. Empty when they cannot be read here."""
    status = status_of(workflow)
    found = _unpacked(status.get("compressedNodes"))
    found.update(_mapping(status.get("nodes")))
    return {str(key): node for key, node in found.items() if key and isinstance(node, Mapping)}


def text(node: Node, field: str) -> str:
    """A text field of a node; "" when it is not there or is something else."""
    return _text(node.get(field))


def display(node: Node) -> str:
    """What a person calls the node."""
    return text(node, "displayName") or text(node, "name") or text(node, "id")


def is_suspended(node: Node) -> bool:
    """Whether the node waits for a person or for its duration."""
    return text(node, "type") == "Suspend" and text(node, "phase") == "Running"


def parents(nodes: Mapping[str, Node]) -> dict[str, str]:
    """For each node id the id of the node that contains it; "" for those that nothing contains."""
    found: dict[str, str] = {}
    for key, node in nodes.items():
        boundary = text(node, "boundaryID")
        found[key] = boundary if boundary in nodes and boundary != key else ""
    for key, node in nodes.items():
        if text(node, "type") not in ("StepGroup", "TaskGroup", "Retry"):
            continue
        name = text(node, "name")
        for child in _list(node.get("children")):
            inside = nodes.get(child) if isinstance(child, str) else None
            if inside is not None and child != key and text(inside, "name").startswith((f"{name}.", f"{name}(")):
                found[child] = key
    return found


def contained(nodes: Mapping[str, Node]) -> dict[str, list[str]]:
    """The ids inside each node, in the order a person expects; under "" the roots. Every id occurs exactly once."""
    order = {key: _rank(key, node) for key, node in nodes.items()}
    inside: dict[str, list[str]] = {}
    for key, parent in parents(nodes).items():
        inside.setdefault(parent, []).append(key)
    for keys in inside.values():
        keys.sort(key=order.__getitem__)
    reached: set[str] = set()
    left = list(inside.get("", ()))
    while left:
        key = left.pop()
        reached.add(key)
        left.extend(inside.get(key, ()))
    lost = [key for key in nodes if key not in reached]  # a status whose boundaries form a ring
    tree = {parent: keys for parent, keys in inside.items() if parent == "" or parent in reached}
    if lost:
        tree.setdefault("", []).extend(sorted(lost, key=order.__getitem__))
    return tree


def _rank(key: str, node: Node) -> tuple[bool, str, list[tuple[int, str]], str]:
    """Exit handlers and hooks last; then by start, then by name with numbers as numbers."""
    name = text(node, "name")
    hooked = bool(_mapping(node.get("nodeFlag")).get("hooked")) or name.endswith(".onExit")
    if text(node, "type") == "StepGroup":
        return hooked, "", _natural(name), key
    return hooked, text(node, "startedAt") or "~", _natural(name), key


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort `x(10:a)` after `x(9:b)`."""
    parts = re.findall(r"[0-9]{1,15}|[^0-9]+", name)
    return [(int(part), "") if part.isascii() and part.isdecimal() else (-1, part) for part in parts]


def _unpacked(packed: Any) -> dict[str, Any]:
    if not isinstance(packed, str) or not packed:
        return {}
    try:
        return dict(unpacked(packed))
    except BadPack:
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
