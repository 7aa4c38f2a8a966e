"""A WorkflowTaskSet hands templates to the agent's pod and brings its answers back: named after the workflow, as
upstream's is.

Pure: what the object is, what fits into it, and what is patched. `spec.tasks` has the templates by node, `status.nodes`
the answers. It stays with its workflow: at the end it is empty, and its label says that no more is to come.
(KIND-6, AGENT-3)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from actors.messages import FULFILLED, TaskResult
from actors.names import labels
from actors.names.resources import WORKFLOW_TASK_SET
from actors.node.manifest_metadata import owner_reference
from runtime.messages import Address
from runtime.objects import Object, Reference, Resource

TASK_SETS = Resource(*WORKFLOW_TASK_SET)
TASKS_BYTES_MAX = 384 << 10  # of templates at a time: an object has to stay below 1.5 MB with all its answers
FORGOTTEN_MAX = 64  # answers of tasks that nobody waits for, before they are removed without another reason


def task_set_ref(workflow: Address) -> Reference:
    """The task set of a workflow."""
    return Reference(TASK_SETS, workflow.namespace, workflow.name)


def new_task_set(workflow: Address, tasks: Mapping[str, Any], instance_id: str = "") -> Object:
    """The object with its first tasks."""
    own = {labels.COMPLETED: "false", **({labels.CONTROLLER_INSTANCE_ID: instance_id} if instance_id else {})}
    meta = {
        "name": workflow.name, "namespace": workflow.namespace, "labels": own,
        "ownerReferences": [owner_reference(workflow.name, workflow.uid)],
    }  # fmt: skip
    return {
        "apiVersion": TASK_SETS.api_version, "kind": TASK_SETS.kind, "metadata": meta, "spec": {"tasks": dict(tasks)},
    }  # fmt: skip


def is_of(thing: Object, workflow: Address) -> bool:
    """Whether an object is that very workflow's; upstream's, too, whose owner is not said to be a controller."""
    return any(owner.get("uid") == workflow.uid for owner in thing["metadata"].get("ownerReferences") or ())


def is_closed(thing: Object) -> bool:
    """Whether it says that its workflow is over."""
    return (thing["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"


def closing(thing: Object) -> tuple[dict[str, Any], str] | None:
    """The next patch on the way to its end, and of which subresource; None when it is there.

    Answers go first: one that stayed behind would be taken for that of a retry.
    """
    if answers := (thing.get("status") or {}).get("nodes"):
        return {"status": {"nodes": dict.fromkeys(answers)}}, "status"
    tasks = (thing.get("spec") or {}).get("tasks") or {}
    if is_closed(thing) and not tasks:
        return None
    return {"metadata": {"labels": {labels.COMPLETED: "true"}}, "spec": {"tasks": dict.fromkeys(tasks)}}, ""


def fitting(wanted: Mapping[str, Any], listed: Iterable[str]) -> dict[str, Any]:
    """Those of the wanted tasks that are not listed yet and still fit beside those that are; at least one alone."""
    there = set(listed)
    used = sum(_size(template) for node, template in wanted.items() if node in there)
    chosen: dict[str, Any] = {}
    for node, template in wanted.items():
        if node in there:
            continue
        size = _size(template)
        if used and used + size > TASKS_BYTES_MAX:
            break
        used += size
        chosen[node] = template
    return chosen


def results(thing: Object) -> dict[str, TaskResult]:
    """The agent's answers by node; what is no answer is left out."""
    nodes = (thing.get("status") or {}).get("nodes") or {}
    return {
        node: TaskResult(
            str(entry.get("phase") or ""), str(entry.get("message") or ""), entry.get("outputs"),
            str(entry.get("progress") or ""),
        )
        for node, entry in nodes.items()
        if isinstance(entry, dict) and entry.get("phase")
    }  # fmt: skip


def is_final(result: TaskResult | None) -> bool:
    """Whether nothing more is to come of a task."""
    return result is not None and result.phase in FULFILLED


def _size(template: Any) -> int:
    return len(msgspec.json.encode(template))
