"""Stop, terminate, suspend and resume are edits of the Workflow object, as upstream's clients make them.

Each verb reads, decides by a pure function what changes, and writes on the condition that nobody wrote in between.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from actors.language.jsontext import parameter_text
from actors.names import timestamps
from runtime.api import Api, Conflict
from runtime.objects import Object, Reference
from tiphys.cli import nodes as status
from tiphys.cli.nodeselector import Term, matches
from tiphys.cli.problems import InputError

TRIES: Final = 20
"""Writes that lost against another writer before a verb gives up: a busy workflow changes a few times a second."""

Change = Callable[[Object], Object]


async def change(api: Api, ref: Reference, decide: Change) -> Object:
    """Apply `decide` to the newest state of an object. Raises Conflict after TRIES lost races."""
    for _ in range(TRIES - 1):
        current = await api.get(ref)
        try:
            return await api.replace(ref.resource, decide(current))
        except Conflict:
            continue
    return await api.replace(ref.resource, decide(await api.get(ref)))


def shut_down(workflow: Object, strategy: str) -> Object:
    """The workflow told to stop ("Stop": exit handlers still run; "Terminate": they do not).

    Raises InputError when it has ended already."""
    if status.is_finished(workflow):
        raise InputError(f"cannot shutdown a completed workflow: {_name(workflow)} is {status.phase_of(workflow)}")
    return _with_spec(workflow, {"shutdown": strategy})


def suspended(workflow: Object) -> Object:
    """The workflow told to start nothing new. Raises InputError when it has ended already."""
    if status.is_finished(workflow):
        raise InputError(f"cannot suspend completed workflows: {_name(workflow)} is {status.phase_of(workflow)}")
    return _with_spec(workflow, {"suspend": True})


def resumed(workflow: Object, terms: list[Term], now: float) -> Object:
    """The workflow told to go on, and its waiting suspend nodes (those that `terms` select) succeeded; as it is when
    nothing of it waits.

    Raises InputError when `terms` select no waiting node, or a node waits for a value that nobody has set."""
    changes = {key: _succeeded(node, now) for key, node in _waiting(workflow, terms).items()}
    if terms and not changes:
        raise InputError(f"no suspended node of {_name(workflow)} matches the selector")
    found = workflow if terms else _with_spec(workflow, {"suspend": None})
    return _with_nodes(found, changes)


def failed(workflow: Object, terms: list[Term], message: str, now: float) -> Object:
    """The waiting suspend nodes that `terms` select, failed. Raises InputError when there is none."""
    waiting = _waiting(workflow, terms)
    if not waiting:
        raise InputError(f"no suspended node of {_name(workflow)} matches the selector")
    ended = {"phase": "Failed", "finishedAt": timestamps.rfc3339(now)} | ({"message": message} if message else {})
    return _with_nodes(workflow, {key: {**node, **ended} for key, node in waiting.items()})


def _waiting(workflow: Object, terms: list[Term]) -> dict[str, Mapping[str, Any]]:
    nodes = status.nodes_of(workflow)
    return {key: node for key, node in nodes.items() if status.is_suspended(node) and matches(node, terms)}


def _succeeded(node: Mapping[str, Any], now: float) -> dict[str, Any]:
    changed = {**node, "phase": "Succeeded", "finishedAt": timestamps.rfc3339(now)}
    outputs = node.get("outputs")
    entries = outputs.get("parameters") if isinstance(outputs, Mapping) else None
    if isinstance(outputs, Mapping) and isinstance(entries, list):
        changed["outputs"] = {**outputs, "parameters": [_supplied(entry) for entry in entries]}
    return changed


def _supplied(entry: Any) -> Any:
    """An output parameter with its value; its default, and no word of whence, when nobody supplied one."""
    if not isinstance(entry, Mapping) or entry.get("value") is not None:
        return entry
    source = entry.get("valueFrom")
    default = source.get("default") if isinstance(source, Mapping) else None
    if default is None:
        raise InputError(
            f"raw output parameter '{entry.get('name')}' has not been set and does not have a default value"
        )
    return {key: field for key, field in entry.items() if key != "valueFrom"} | {"value": parameter_text(default)}


def _with_spec(workflow: Object, fields: Mapping[str, Any]) -> Object:
    spec = {**(workflow.get("spec") or {}), **fields}
    return {**workflow, "spec": {key: value for key, value in spec.items() if value is not None}}


def _with_nodes(workflow: Object, changes: Mapping[str, Any]) -> Object:
    """The workflow with these nodes changed, inline or compressed as its status had them."""
    if not changes:
        return workflow
    state = dict(status.status_of(workflow))
    if state.get("compressedNodes"):
        packed = gzip.compress(orjson.dumps({**status.nodes_of(workflow), **changes}))
        state["compressedNodes"] = base64.b64encode(packed).decode()
        state.pop("nodes", None)
    else:
        state["nodes"] = {**status.nodes_of(workflow), **changes}
    return {**workflow, "status": state}


def _name(workflow: Object) -> str:
    return status.text(workflow["metadata"], "name")
