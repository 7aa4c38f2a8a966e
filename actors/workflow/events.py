"""Kubernetes Events tell how a workflow and its nodes fare; nobody waits for one of them, and a lost one is lost.

An Event's name follows from the workflow, its start, the node and the reason: written twice, it is there once, and a
workflow that is retried has Events of its own. A node that was never seen Running still gets that Event before its
end, so which Events there are does not depend on who was quick. (EVT-5.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from actors.database_messages import AWAY, BACK
from actors.messages import COMPLETED, NodeStatus
from actors.names import labels
from actors.names.timestamps import rfc3339, seconds
from actors.workflow.journal import Turn
from actors.workflow.offload import Offload
from actors.workflow.state import WORKFLOWS, WorkflowSettings, WorkflowState
from runtime.messages import Command, Create
from runtime.objects import EVENTS, PODS, Object

EVENT = "event"  # tag of commands whose outcome nobody waits for
COMPONENT = "workflow-controller"  # what tools that read upstream's Events look for
TIMED_OUT = "WorkflowTimedOut"
NAME_BYTES_MAX = 200  # of the workflow's name in the Event's
MESSAGE_MAX = 1024  # characters: as much as newer Events may say
NORMAL = frozenset({"Running", "Succeeded"})


class Said(NamedTuple):
    """One Event: a reason in one word, a sentence, and the node that it is about."""

    reason: str
    message: str
    normal: bool
    node: NodeStatus | None = None
    at: float = 0.0  # what tells it from an earlier one of the same reason


def due(state: WorkflowState, settings: WorkflowSettings, turns: Sequence[Turn], now: float) -> list[Command]:
    """The Events to write: of the workflow's own news, and of the nodes that turned into another phase."""
    said = of_workflow(state) if settings.workflow_events else []
    if turns and settings.node_events:
        said += [one for turn in turns for one in of_node(turn)]
    if not said:  # as after nearly every message
        return []
    return [Create(EVENTS, event(state, one, now), EVENT) for one in said]


def of_workflow(state: WorkflowState) -> list[Said]:
    """What is new of the workflow itself; it counts as said from now on."""
    found: list[Said] = []
    if state.run is not None and state.run.past_deadline and not state.timed_out:
        state.timed_out = True
        found.append(Said(TIMED_OUT, "Workflow timed out", normal=False))
    offload = state.offload
    if bool(offload.trouble) != offload.told:
        offload.told = bool(offload.trouble)
        found.append(_of_database(offload))
    if state.phase and state.phase != (state.proclaimed or state.summary_written.get("phase")):
        state.proclaimed = state.phase
        match state.phase:
            case "Running":
                found.append(Said("WorkflowRunning", "Workflow Running", normal=True))
            case "Succeeded":
                found.append(Said("WorkflowSucceeded", "Workflow completed", normal=True))
            case "Failed" | "Error":
                found.append(Said("WorkflowFailed", state.message, normal=False))
    return found


def _of_database(offload: Offload) -> Said:
    """That the database which keeps its nodes is away, or is back."""
    if not offload.trouble:
        return Said(BACK, "The database that keeps its nodes answers again", normal=True, at=offload.since)
    held = "What its nodes do is not on record, and nothing follows from it, until the database that keeps them answers"
    return Said(AWAY, f"{held}: {offload.trouble}", normal=False, at=offload.since)


def of_node(turn: Turn) -> list[Said]:
    """What a node's new phase is worth: nothing while it is Pending, skipped or omitted."""
    node = turn.status
    phases = [node.phase] if node.phase == "Running" or node.phase in COMPLETED else []
    if node.phase in COMPLETED and turn.before in {"", "Pending"}:
        phases.insert(0, "Running")
    return [Said(f"WorkflowNode{phase}", _sentence(phase, node), normal=phase in NORMAL, node=node) for phase in phases]


def _sentence(phase: str, node: NodeStatus) -> str:
    return f"{phase} node {node.name}" + (f": {node.message}" if node.message else "")


def event(state: WorkflowState, said: Said, now: float) -> Object:
    """The Event as it is to be created."""
    address, node = state.address, said.node
    parts = [address.uid, state.started_at, node.id if node else "", said.reason]
    parts += [str(said.at)] if said.at else []
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    meta: Object = {"name": f"{address.name[:NAME_BYTES_MAX]}.{digest}", "namespace": address.namespace}
    if node is not None:
        meta["annotations"] = {
            labels.NODE_NAME: node.name,
            labels.NODE_ID: node.id,
            labels.NODE_TYPE: node.type,
            labels.NODE_START_TIME: str(int(seconds(node.started_at)) * 10**9 if node.started_at else 0),
        }
    at = rfc3339(now)
    return {
        "apiVersion": "v1", "kind": "Event", "metadata": meta, "involvedObject": _about(state, node, meta),
        "type": "Normal" if said.normal else "Warning", "reason": said.reason,
        "message": said.message[:MESSAGE_MAX], "source": {"component": COMPONENT}, "reportingComponent": COMPONENT,
        "firstTimestamp": at, "lastTimestamp": at, "count": 1,
    }  # fmt: skip


def _about(state: WorkflowState, node: NodeStatus | None, meta: Object) -> Object:
    """The object that an Event is about: the workflow, or where the installation wants that the pod of the node, whose
    Event then names the workflow in its annotations (`meta`)."""
    address = state.address
    pod = state.pod_uids.get(node.id) if node is not None and node.type == "Pod" else None
    if pod is not None:
        meta["annotations"] |= {labels.WORKFLOW_NAME: address.name, labels.WORKFLOW_UID: address.uid}
        return {"apiVersion": "v1", "kind": PODS.kind, "namespace": address.namespace, "name": pod[0], "uid": pod[1]}
    return {
        "apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "namespace": address.namespace,
        "name": address.name, "uid": address.uid,
        "resourceVersion": (state.object or {}).get("metadata", {}).get("resourceVersion", ""),
    }  # fmt: skip
