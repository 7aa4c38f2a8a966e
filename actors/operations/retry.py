"""A workflow that has ended begins again where it failed; what succeeded keeps its outputs. (OP-4)

The snapshot of templates in its status stays: a retry runs what the first run ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.names import ids, labels
from actors.names.timestamps import rfc3339
from actors.operations.cut import Cut, daemons_in
from actors.operations.family import Family
from actors.operations.record import FAILED, Node, nodes_in, pod_format, runnable_spec, status_of, with_nodes
from actors.operations.refusal import Refusal
from actors.operations.selector import Term, matches


def retry(
    workflow: Mapping[str, Any],
    now: float,
    *,
    parameters: Mapping[str, str] | None = None,
    restart_successful: bool = False,
    selector: Sequence[Term] = (),
) -> tuple[dict[str, Any], list[str]]:
    """The workflow as it begins again, and the names of the pods to delete before that is written.

    With `restart_successful`, the nodes that `selector` picks run again whatever became of them. Raises Refusal when
    the workflow has not failed, or when the selector picks nothing."""
    chosen = list(selector) if restart_successful else []
    _may_begin_again(workflow, chosen)
    name = workflow["metadata"]["name"]
    nodes = nodes_in(workflow)
    cut = _cut(workflow, nodes, chosen, anew=bool(parameters))
    taken = {node_id for node_id, node in nodes.items() if cut.family.is_exit_handler(node.get("name", ""))} | cut.gone
    kept = {
        node_id: _kept(_opened(node, now) if node_id in cut.opened else node, taken)
        for node_id, node in nodes.items()
        if node_id not in taken
    }
    form = pod_format(workflow)
    pods = sorted({pod_of(name, nodes[node_id], form) for node_id in taken if nodes[node_id].get("type") == "Pod"})
    return _begun_again(workflow, kept, parameters or {}, now), pods


def pod_of(workflow: str, node: Mapping[str, Any], form: str = "v2") -> str:
    """The name of a Pod node's pod."""
    if form == "v1":
        return str(node.get("id", ""))
    template = (node.get("templateRef") or {}).get("template") or node.get("templateName") or ""
    return ids.pod_name(workflow, str(node.get("name", "")), template)


def _may_begin_again(workflow: Mapping[str, Any], selector: Sequence[Term]) -> None:
    phase = status_of(workflow).get("phase") or ""
    if phase == "Succeeded" and not selector:
        raise Refusal("To retry a succeeded workflow, set the options --restart-successful and --node-field-selector")
    if phase not in FAILED | {"Succeeded"}:
        raise Refusal(f"Cannot retry a workflow in phase {phase or 'Pending'}: it has not ended")


def _cut(workflow: Mapping[str, Any], nodes: Mapping[str, Node], selector: Sequence[Term], *, anew: bool) -> Cut:
    name = workflow["metadata"]["name"]
    cut = Cut(Family(name, nodes))
    picked = [node_id for node_id, node in nodes.items() if selector and matches(node, selector)]
    if selector and not picked:
        raise Refusal("no node matches the node field selector")
    for node_id in picked:
        cut.take_away(node_id)
    if name in nodes and nodes[name].get("phase") in FAILED and name not in cut.gone:
        cut.failed(name)
    for node_id, node in nodes.items():  # hooks of the workflow itself are inside nothing
        if node.get("phase") in FAILED and cut.family.hangs_on_workflow(node.get("name", "")):
            cut.gone |= cut.family.with_inside(node_id)
    cut.serve_again(daemons_in(workflow, nodes))
    if anew:
        cut.expand_again()
    return cut


def _opened(node: Node, now: float) -> Node:
    """A composite under way again: what its end had brought is gone."""
    ended = ("finishedAt", "message", "outputs", "outboundNodes", "synchronizationStatus")
    kept = {key: value for key, value in node.items() if key not in ended}
    return {**kept, "phase": "Running", "startedAt": rfc3339(now)}


def _kept(node: Node, taken: set[str]) -> Node:
    changed = dict(node)
    for field in ("children", "outboundNodes"):
        if changed.get(field):
            changed[field] = [other for other in changed[field] if other not in taken]
            if not changed[field]:
                del changed[field]
    return changed


def _begun_again(
    workflow: Mapping[str, Any], nodes: Mapping[str, Node], parameters: Mapping[str, str], now: float
) -> dict[str, Any]:
    """The object with nothing left of its end."""
    ended = ("phase", "message", "finishedAt", "persistentVolumeClaims", "synchronization")
    status = {key: value for key, value in status_of(workflow).items() if key not in ended}
    conditions = [
        entry for entry in status.get("conditions") or () if entry.get("type") not in {"Completed", "PodRunning"}
    ]
    status |= {"startedAt": rfc3339(now), "conditions": [*conditions, {"type": "Completed", "status": "False"}]}
    stored = status.get("storedWorkflowTemplateSpec")
    if stored:
        status["storedWorkflowTemplateSpec"] = runnable_spec(stored, parameters)
    meta = dict(workflow["metadata"])
    over = {labels.COMPLETED, labels.ARCHIVING_STATUS}
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key not in over}
    spec = runnable_spec(workflow.get("spec") or {}, parameters)
    return {**workflow, "metadata": meta, "spec": spec, "status": with_nodes(status, nodes)}
