"""Why a workflow is where it is: one sentence, and one more for every node that waits.

Pure, and from the object alone: it says what is on record, for whoever may read the workflow and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from runtime.objects import Object
from tiphys.cli import nodes as status
from tiphys.cli import tree
from tiphys.cli.nodes import Node

SHOWN: Final = 20
"""Nodes that are named; further ones are counted."""

LEAVES: Final = ("Pod", "Suspend", "HTTP", "Plugin", "Container")


def lines(workflow: Object, now: float) -> list[str]:
    """What the workflow waits for, or how it ended and through which nodes."""
    found = status.nodes_of(workflow)
    if status.is_finished(workflow):
        return _ended(workflow, found)
    waiting = [_waits(workflow, node, now) for node in _open_leaves(found)]
    first = f"{_name(workflow)} {_as_a_whole(workflow, len(waiting), now)}"
    more = [f"  … and {len(waiting) - SHOWN} more"] if len(waiting) > SHOWN else []
    return [first, *(f"  {sentence}" for sentence in waiting[:SHOWN]), *more]


def _ended(workflow: Object, found: Mapping[str, Node]) -> list[str]:
    state = status.status_of(workflow)
    said = status.text(state, "message")
    first = f"{_name(workflow)} is {status.phase_of(workflow)} since {status.text(state, 'finishedAt')}"
    first += f": {said}" if said else ""
    causes = [
        f"  {status.text(node, 'name')} is {status.text(node, 'phase')}: {status.text(node, 'message') or 'no message'}"
        for node in found.values()
        if status.text(node, "phase") in ("Failed", "Error") and status.text(node, "type") in (*LEAVES, "Skipped")
    ]
    shown = causes[:SHOWN] if status.phase_of(workflow) != "Succeeded" else []
    more = [f"  … and {len(causes) - SHOWN} more"] if len(causes) > SHOWN and shown else []
    return [tree.one_line(first), *map(_indented, shown), *more]


def _as_a_whole(workflow: Object, waiting: int, now: float) -> str:
    """What holds the workflow itself, or how many of its nodes it waits for."""
    spec, state = _mapping(workflow.get("spec")), status.status_of(workflow)
    phase = status.phase_of(workflow)
    locks = ", ".join(sorted(set(_awaited(state.get("synchronization")))))
    if not phase:
        return f"waits for a controller to take it in, since {_created(workflow)}: is one running?"
    if status.text(spec, "shutdown"):
        return f"is being stopped ({status.text(spec, 'shutdown')}) and waits for {_counted(waiting)}"
    if spec.get("suspend") is True:
        return f"is suspended and starts nothing new until it is resumed; {_counted(waiting)} under way"
    if phase == "Pending":
        said = status.text(state, "message") or (f"the locks {locks}" if locks else "its turn")
        return f"waits: {said}"
    held = f"; locks that are waited for: {locks}" if locks else ""
    return f"is Running for {tree.took(state, now) or '0s'} and waits for {_counted(waiting)}{held}"


def _counted(number: int) -> str:
    return f"{number} node{'' if number == 1 else 's'}" if number else "its next node"


def _awaited(section: Any) -> Iterable[str]:
    for kind in ("mutex", "semaphore"):
        for entry in _mapping(_mapping(section).get(kind)).get("waiting") or ():
            name = _mapping(entry).get(kind)
            if name:
                yield str(name)


def _open_leaves(found: Mapping[str, Node]) -> list[Node]:
    """The nodes that wait for something outside themselves: leaves under way, and retries between two attempts."""
    waiting = []
    for node in found.values():
        if status.text(node, "phase") in status.FULFILLED_PHASES:
            continue
        children = [found[key] for key in node.get("children") or () if key in found]
        between = status.text(node, "type") == "Retry" and all(
            status.text(child, "phase") in status.FULFILLED_PHASES for child in children
        )
        if status.text(node, "type") in LEAVES or between or status.text(node, "phase") == "Pending":
            waiting.append(node)
    return sorted(waiting, key=lambda node: (status.text(node, "startedAt"), status.text(node, "name")))


def _waits(workflow: Object, node: Node, now: float) -> str:
    name, said, took = status.text(node, "name"), status.text(node, "message"), tree.took(node, now) or "0s"
    lock = _mapping(node.get("synchronizationStatus")).get("waiting")
    kind = status.text(node, "type")
    if lock:
        why = f"waits for the lock {lock}, since {took}"
    elif kind == "Suspend":
        why = _suspension(node, took)
    elif kind == "Retry":
        why = f"waits for its next attempt: {said or 'soon'}"
    elif node.get("daemoned"):
        why = f"serves since {took}, until its boundary ends"
    elif status.text(node, "phase") == "Pending":
        reason = said or "no reason is known yet"
        why = f"waits for its pod {tree.pod_of(workflow, node)} to start, since {took}: {reason}"
    else:
        why = f"runs since {took} in pod {tree.pod_of(workflow, node)}" if kind == "Pod" else f"runs since {took}"
        why += f" on {status.text(node, 'hostNodeName')}" if status.text(node, "hostNodeName") else ""
    return tree.one_line(f"{name} {why}")


def _suspension(node: Node, took: str) -> str:
    outputs = _mapping(node.get("outputs")).get("parameters")
    wanted = [
        str(_mapping(entry).get("name", ""))
        for entry in (outputs if isinstance(outputs, list) else [])
        if _mapping(entry).get("value") is None and "default" not in _mapping(_mapping(entry).get("valueFrom"))
    ]
    values = f" with values for {', '.join(wanted)} (tiphys node set)" if wanted else " (tiphys resume)"
    return f"waits to be resumed{values}, since {took}"


def _created(workflow: Object) -> str:
    return status.text(_mapping(workflow.get("metadata")), "creationTimestamp")


def _name(workflow: Object) -> str:
    return status.text(_mapping(workflow.get("metadata")), "name")


def _indented(text: str) -> str:
    return "  " + tree.one_line(text)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
