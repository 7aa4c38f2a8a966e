"""A workflow is submitted once more under a new name; memoized, it takes over what had succeeded. (OP-5)

Memoized, nodes get the ids of their new names, and a pod that succeeded becomes a Skipped node that keeps its outputs
and names the node it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.names import ids, labels
from actors.names.timestamps import rfc3339
from actors.operations.record import FAILED, Node, nodes_in, runnable_spec, status_of
from actors.operations.refusal import Refusal
from actors.operations.retry import retry

NOT_CARRIED = frozenset(
    {
        labels.CREATOR, labels.CREATOR_EMAIL, labels.CREATOR_PREFERRED_USERNAME, labels.PHASE, labels.COMPLETED,
        labels.ARCHIVING_STATUS,
    }
)  # fmt: skip
SNAPSHOTS = ("storedTemplates", "storedWorkflowTemplateSpec", "artifactRepositoryRef")


def resubmit(
    workflow: Mapping[str, Any],
    suffix: str,
    now: float,
    *,
    memoized: bool = False,
    parameters: Mapping[str, str] | None = None,
    priority: int | None = None,
) -> dict[str, Any]:
    """The new Workflow, named by what the old one's name was generated from (or its name) and `suffix`.

    Raises Refusal when a memoized resubmission is asked of a workflow that has not failed."""
    phase = status_of(workflow).get("phase") or ""
    if memoized and phase not in FAILED:
        raise Refusal(f"workflow must be Failed/Error to resubmit in memoized mode; it is {phase or 'Pending'}")
    old = workflow["metadata"]
    prefix = old.get("generateName") or f"{old['name']}-"
    name = prefix + suffix
    spec = runnable_spec(workflow.get("spec") or {}, parameters or {})
    if priority is not None:
        spec["priority"] = priority
    new = {
        "apiVersion": workflow.get("apiVersion", "argoproj.io/v1alpha1"),
        "kind": "Workflow",
        "metadata": {**_metadata(old, name), "generateName": prefix},
        "spec": spec,
    }
    return {**new, "status": _memory(workflow, name, parameters or {}, now)} if memoized else new


def _metadata(old: Mapping[str, Any], name: str) -> dict[str, Any]:
    kept = {key: value for key, value in (old.get("labels") or {}).items() if key not in NOT_CARRIED}
    meta: dict[str, Any] = {"name": name, "labels": {**kept, labels.RESUBMITTED_FROM: old["name"]}}
    for field in ("namespace", "annotations", "ownerReferences"):
        if old.get(field):
            meta[field] = old[field]
    return meta


def _memory(workflow: Mapping[str, Any], name: str, parameters: Mapping[str, str], now: float) -> dict[str, Any]:
    """The status that the new workflow begins with."""
    begun, _ = retry(workflow, now, parameters=parameters)
    old, nodes = workflow["metadata"]["name"], nodes_in(begun)
    renamed = {node_id: name + str(node.get("name", ""))[len(old) :] for node_id, node in nodes.items()}
    numbers = {node_id: ids.node_id(name, text) for node_id, text in renamed.items()}
    found = {
        numbers[node_id]: _moved(_copied({**node, "name": renamed[node_id]}, numbers, node_id, now), old, name)
        for node_id, node in nodes.items()
    }
    kept = {key: value for key, value in status_of(workflow).items() if key in SNAPSHOTS}
    return {**kept, "conditions": [{"type": "Completed", "status": "False"}], "nodes": found}


def _moved(node: Node, old: str, new: str) -> Node:
    return {**node, "templateScope": f"local/{new}"} if node.get("templateScope") == f"local/{old}" else node


def _copied(node: Node, numbers: Mapping[str, str], old_id: str, now: float) -> Node:
    copied = {**node, "id": numbers[old_id]}
    if copied.get("displayName") == old_id:  # the first node is called as its workflow
        copied["displayName"] = copied["name"]
    if copied.get("boundaryID"):
        copied["boundaryID"] = numbers.get(copied["boundaryID"], copied["boundaryID"])
    for field in ("children", "outboundNodes"):
        if copied.get(field):
            copied[field] = [numbers[other] for other in copied[field] if other in numbers]
    if copied.get("phase") != "Running":
        copied |= {"startedAt": rfc3339(now), "finishedAt": rfc3339(now)}
    if copied.get("type") == "Pod" and copied.get("phase") == "Succeeded":
        copied |= {"type": "Skipped", "phase": "Skipped", "message": f"original pod: {old_id}"}
        copied.pop("progress", None)
        copied.pop("resourcesDuration", None)
    return copied
