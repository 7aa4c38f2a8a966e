"""Outputs with a `globalName` are also the workflow's own: `status.outputs`. (PARAM-7, ART-12.)"""

from __future__ import annotations

from actors.messages import NodeStatus
from actors.workflow.state import WorkflowState


def export(state: WorkflowState, status: NodeStatus) -> None:
    """Take over what a finished node gives to the whole workflow; the last writer of a name wins."""
    outputs = status.outputs or {}
    mine = dict(state.status_extra.get("outputs") or {})
    for kind in ("parameters", "artifacts"):
        named = [entry for entry in outputs.get(kind) or () if entry.get("globalName")]
        if named and status.ended:
            known = {entry["name"]: entry for entry in mine.get(kind) or ()}
            for entry in named:
                if kind == "parameters" and entry.get("value") is None and entry["globalName"] in known:
                    continue  # a node that ended without it takes nothing away from one that gave it
                left = {"globalName", "path"} if kind == "artifacts" else entry.keys() - {"value"}
                kept = {key: value for key, value in entry.items() if key not in left}
                known[entry["globalName"]] = {**kept, "name": entry["globalName"]}
            mine[kind] = list(known.values())
    if mine and mine != state.status_extra.get("outputs"):
        state.status_extra["outputs"] = mine
