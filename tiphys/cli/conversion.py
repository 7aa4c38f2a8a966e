"""Manifests of earlier releases become those of today: fields that held one thing hold a list. (CLI-15.)

`schedule` is one of `schedules`, `mutex` one of `mutexes`, `semaphore` one of `semaphores`, in a workflow and in each
of its templates, those written in place of a call among them. Everything else stays as it is, in its order.
"""

from __future__ import annotations

from typing import Any, Final

SINGULAR: Final = {"semaphore": "semaphores", "mutex": "mutexes"}
KINDS: Final = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate")


def converted(thing: Any) -> Any:
    """An object as it is written today; one of another kind is left alone."""
    if not isinstance(thing, dict) or not isinstance(thing.get("spec"), dict):
        return thing
    if thing.get("kind") == "CronWorkflow":
        return {**thing, "spec": _schedule(thing["spec"])}
    return {**thing, "spec": _workflow(thing["spec"])} if thing.get("kind") in KINDS else thing


def _schedule(spec: dict[str, Any]) -> dict[str, Any]:
    """The one schedule outranks the list, as it did."""
    found: dict[str, Any] = {}
    for key, value in spec.items():
        if key == "workflowSpec" and isinstance(value, dict):
            found[key] = _workflow(value)
        elif key == "schedule":
            if value:
                found["schedules"] = [value]
        elif key != "schedules" or not spec.get("schedule"):
            found[key] = value
    return found


def _workflow(spec: dict[str, Any]) -> dict[str, Any]:
    found = _locks(spec)
    if isinstance(found.get("templates"), list):
        found["templates"] = [_template(template) for template in found["templates"]]
    if isinstance(found.get("templateDefaults"), dict):
        found["templateDefaults"] = _template(found["templateDefaults"])
    return found


def _template(template: Any) -> Any:
    if not isinstance(template, dict):
        return template
    found = _locks(template)
    if isinstance(found.get("steps"), list):
        found["steps"] = [
            [_call(step) for step in group] if isinstance(group, list) else group for group in found["steps"]
        ]
    dag = found.get("dag")
    if isinstance(dag, dict) and isinstance(dag.get("tasks"), list):
        found["dag"] = {**dag, "tasks": [_call(task) for task in dag["tasks"]]}
    return found


def _call(call: Any) -> Any:
    return {**call, "inline": _template(call["inline"])} if isinstance(call, dict) and call.get("inline") else call


def _locks(holder: dict[str, Any]) -> dict[str, Any]:
    """A spec or template whose locks are lists: what was single comes last."""
    section = holder.get("synchronization")
    if not isinstance(section, dict):
        return dict(holder)
    locks = {key: value for key, value in section.items() if key not in SINGULAR}
    for single, several in SINGULAR.items():
        if section.get(single):
            locks[several] = [*(locks.get(several) or []), section[single]]
    return {**holder, "synchronization": locks}
