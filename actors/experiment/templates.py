"""Each template's ReplicaSet is made without pods, scaled up, and in the end down: at once, or after a delay.

A template runs when as many pods are available as it wants, and fails when its numbers stand still for longer than the
progress deadline. What it has become at its end it stays.
"""

from __future__ import annotations

from typing import Any

from actors.experiment import makes
from actors.experiment.model import ENDED, Ex, Status, Template, replicas_of, with_named
from actors.experiment.scene import Known, Plan, transition
from actors.kube_events import Said, event
from actors.names import analysis_labels as keys
from actors.names.timestamps import rfc3339, seconds
from runtime.messages import Command, Create, Delete, Patch
from runtime.objects import SERVICES, Object, reference

SET, SCALE, SERVICE = "set", "scale", "service"
COUNTS = {
    "replicas": "replicas",
    "updatedReplicas": "replicas",
    "readyReplicas": "readyReplicas",
    "availableReplicas": "availableReplicas",
}


def reconcile(known: Known, template: Template, plan: Plan, now: float) -> None:
    """See to one template."""
    ex, name = known.ex, template["name"]
    before = ex.template_status(name) or {"name": name}
    status: Status = {**before}
    wanted = ex.wanted(template)
    found = known.replica_sets.get(name)
    if found is None:
        if ex.is_to_run(name):
            _create(known, template, status, plan, now)
    else:
        _serve(known, template, status, plan, wanted)
        _scale(known, template, status, plan, now)
    progressed = _count(status, before, found)
    if progressed:
        status["lastTransitionTime"] = rfc3339(now)
    if status.get("status") not in ENDED:
        _judge(ex, status, plan, wanted, now)
    if before.get("status") != status.get("status"):
        code, message = status["status"], status.get("message") or ""
        text = transition("Template", name, before.get("status"), code, message)
        plan.said.append(Said(f"Template{code}", text, code in ("Failed", "Error")))
    plan.status["templateStatuses"] = with_named(plan.status.get("templateStatuses"), status)


def _create(known: Known, template: Template, status: Status, plan: Plan, now: float) -> None:
    name = template["name"]
    refusal = known.refusals.get((SET, name))
    collisions = known.collisions.get((SET, name), status.get("collisionCount"))
    wanted = makes.replica_set(known.ex, template, collisions)
    if refusal:
        _fail(status, f"Failed to create ReplicaSet for template '{name}': {refusal}")
        text = f'Failed to create new replica set "{wanted["metadata"]["name"]}": {refusal}'
        plan.said.append(Said("ReplicaSetCreateError", text))
        return
    if collisions:
        status["collisionCount"] = collisions
    plan.commands.append(Create(makes.REPLICA_SETS, wanted, f"{SET}/{name}"))
    status["lastTransitionTime"] = rfc3339(now)


def _fail(status: Status, message: str) -> None:
    status["status"], status["message"] = "Error", message


# ------------------------------------------------------------------------------------------------ services


def _serve(known: Known, template: Template, status: Status, plan: Plan, wanted: int) -> None:
    """A Service while pods are wanted, none when the last of them is gone."""
    name, ex = template["name"], known.ex
    replicas, found = known.replica_sets[name], known.services.get(name)
    if template.get("service") is not None and wanted:
        refusal = known.refusals.get((SERVICE, name))
        if found is not None:
            status["serviceName"] = found["metadata"]["name"]
            status["podTemplateHash"] = makes.hash_of(replicas)
        elif refusal:
            wished = makes.service_name(template, replicas)
            _fail(status, f"Failed to create Service {wished} for template '{name}': {refusal}")
        elif makes.service_ports(replicas):
            plan.commands.append(Create(SERVICES, makes.service(ex, template, replicas), f"{SERVICE}/{name}"))
        return
    if template.get("service") is not None and _number(replicas, "availableReplicas"):
        return
    if found is not None:
        plan.commands.append(Delete(reference(SERVICES, found), tag=f"{SERVICE}/{name}"))
    status.pop("serviceName", None)
    status.pop("podTemplateHash", None)


# ------------------------------------------------------------------------------------------------- scaling


def _scale(known: Known, template: Template, status: Status, plan: Plan, now: float) -> None:
    """Bring the ReplicaSet to its size; on the way down, wait until its deadline."""
    ex, name = known.ex, template["name"]
    replicas, wanted = known.replica_sets[name], ex.wanted(template)
    deadline = _deadline(replicas)
    changes: Object = {}
    if not wanted and ex.delay_s and deadline is None:
        deadline = now + ex.delay_s
        changes = {"metadata": {"annotations": {keys.SCALE_DOWN_DEADLINE: rfc3339(deadline)}}}
    elif (wanted or not ex.delay_s) and deadline is not None:  # it is wanted again, or nothing is to be waited for
        deadline = None
        changes = {"metadata": {"annotations": {keys.SCALE_DOWN_DEADLINE: None}}}
    size, have = wanted, _size(replicas)
    if have and not wanted and deadline is not None and deadline > now:  # what has no pods is not given any to hold
        size = replicas_of(template)
        plan.times.append(deadline)
    refusal = known.refusals.get((SCALE, name))
    if refusal:
        _fail(status, f"Unable to scale ReplicaSet for template '{name}' to desired replica count '{size}': {refusal}")
        return
    if size != have:
        changes["spec"] = {"replicas": size}
        status["lastTransitionTime"] = rfc3339(now)
    if changes:
        plan.commands += _change(ex, replicas, changes, f"{SCALE}/{name}")


def _change(ex: Ex, replicas: Object, changes: Object, tag: str) -> list[Command]:
    """The patch of a ReplicaSet, on the version that it was decided from."""
    meta = {**(changes.get("metadata") or {}), "resourceVersion": replicas["metadata"]["resourceVersion"]}
    return [Patch(reference(makes.REPLICA_SETS, replicas), {**changes, "metadata": meta}, tag=tag)]


def scaled(known_ex: Ex, before: Object, after: Object, now: float) -> list[Command]:
    """The Event that tells of a change of size."""
    old, new, name = _size(before), _size(after), after["metadata"]["name"]
    if old == new:
        return []
    way = "up" if new > old else "down"
    said = Said("ScalingReplicaSet", f"Scaled {way} ReplicaSet {name} from {old} to {new}")
    return [event(reference(makes.EXPERIMENTS, dict(known_ex.object)), said, now)]


def _size(replicas: Object) -> int:
    return int(replicas["spec"].get("replicas", 1))


def _deadline(replicas: Object) -> float | None:
    text = (replicas["metadata"].get("annotations") or {}).get(keys.SCALE_DOWN_DEADLINE)
    try:
        return seconds(text) if text else None
    except ValueError:
        return None  # whoever wrote it meant nothing that can be waited for


# ------------------------------------------------------------------------------------------------- judging


def _number(replicas: Object | None, field: str) -> int:
    return int(((replicas or {}).get("status") or {}).get(field) or 0)


def _count(status: Status, before: Status, replicas: Object | None) -> bool:
    """Take in the counts; whether any has moved."""
    for name, field in COUNTS.items():
        status[name] = _number(replicas, field)
    return any(before.get(name, 0) != status[name] for name in COUNTS)


def _judge(ex: Ex, status: Status, plan: Plan, wanted: int, now: float) -> None:
    """What the template is: running, on its way, at its end, or stuck."""
    if status["availableReplicas"] == wanted:
        over = ex.is_over(now) or ex.is_terminating
        status["status"] = "Successful" if over else "Running"
        return
    since: Any = status.get("lastTransitionTime")
    deadline = (seconds(since) if since else now) + ex.deadline_s
    if now > deadline:
        name = status["name"]
        status["status"] = "Failed"
        status["message"] = f"Template '{name}' exceeded its progressDeadlineSeconds ({ex.deadline_s})"
    elif ex.is_terminating:
        status["status"] = "Successful"
    else:
        status["status"] = "Progressing"
        plan.times.append(deadline + 1)
