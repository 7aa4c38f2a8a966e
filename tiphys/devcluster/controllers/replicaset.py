"""A ReplicaSet keeps as many pods of its template as it says: adopts, releases, creates, deletes, counts."""

from __future__ import annotations

import copy

from runtime.actor import Room, Watch
from runtime.messages import Command, Create, Delete
from runtime.objects import PODS, Object, reference
from tiphys.devcluster.controllers.claims import claims
from tiphys.devcluster.controllers.conditions import Condition, with_condition, without_condition
from tiphys.devcluster.controllers.events import Said, event
from tiphys.devcluster.controllers.family import Family
from tiphys.devcluster.controllers.owners import (
    REPLICA_SETS,
    controller_reference,
    own_address,
    owner_address,
)
from tiphys.devcluster.controllers.podstate import (
    available_at,
    is_active,
    is_ready,
    is_terminating,
    least_missed_first,
)
from tiphys.devcluster.controllers.reconciler import Plan, Reconciler, Trade
from tiphys.devcluster.controllers.statuses import counted, status_write
from tiphys.devcluster.controllers.suffixes import free_names

COMPONENT = "replicaset-controller"
BURST_MAX = 500
"""Pods created or deleted in one go; the next go follows the answers."""


def plan(family: Family, now: float) -> Plan:
    """What a replica set does next."""
    own = family.own
    assert own is not None
    pods = list(family.children.values())
    written = status_write(REPLICA_SETS, own, status(family, own, now))
    commands: list[Command] = []
    if family.refusal and written:  # it is told why before it is tried again
        said = Said("FailedCreate", f"Error creating: {family.refusal}", warning=True)
        commands = [event(REPLICA_SETS, own, said, COMPONENT, now)]
    elif "deletionTimestamp" not in own["metadata"]:
        commands = claims(family) or replicas(family, own, now)
    if not commands or family.refusal:
        commands += written
    wanted = own["spec"]["replicas"]
    return Plan(commands, next_available(own, pods, now), f"for {wanted} pods to be available")


def replicas(family: Family, own: Object, now: float) -> list[Command]:
    """Create the pods that are missing, or delete those that are too many, the least missed first."""
    active = [pod for uid, pod in family.children.items() if is_active(pod) and uid not in family.deleting]
    difference = own["spec"]["replicas"] - len(active)
    commands: list[Command] = []
    if difference > 0:
        number = min(difference, BURST_MAX) if not family.refusal else 1  # one tries whether it would go well now
        meta = own["metadata"]
        for name in free_names(f"{meta['name']}-", meta["uid"], family.names(), number):
            commands.append(Create(PODS, pod(own, name)))
            said = Said("SuccessfulCreate", f"Created pod: {name}")
            commands.append(event(REPLICA_SETS, own, said, COMPONENT, now))
    victims = least_missed_first(active, now)[: min(-difference, BURST_MAX)] if difference < 0 else []
    for victim in victims:
        commands.append(Delete(reference(PODS, victim)))
        said = Said("SuccessfulDelete", f"Deleted pod: {victim['metadata']['name']}")
        commands.append(event(REPLICA_SETS, own, said, COMPONENT, now))
    return commands


def pod(own: Object, name: str) -> Object:
    """A pod of the set's template."""
    template = own["spec"]["template"]
    meta = template.get("metadata") or {}
    kept = {field: copy.deepcopy(meta[field]) for field in ("labels", "annotations", "finalizers") if meta.get(field)}
    base = own["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **kept,
            "name": name,
            "generateName": f"{base}-",
            "namespace": own["metadata"]["namespace"],
            "ownerReferences": [controller_reference(REPLICA_SETS, own)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def status(family: Family, own: Object, now: float) -> Object:
    """The counts over pods that are neither at their end nor being deleted, and whether creation fails.

    A pod whose deletion was asked for and not yet seen still exists, and serves nobody."""
    spec, old, refusal = own["spec"], own.get("status") or {}, family.refusal
    pods = list(family.children.values())
    active = [pod for pod in pods if is_active(pod)]
    kept = [pod for pod in active if pod["metadata"]["uid"] not in family.deleting]
    labels = ((spec["template"].get("metadata") or {}).get("labels") or {}).items()
    min_ready_s = int(spec.get("minReadySeconds") or 0)
    available = [at for at in (available_at(pod, min_ready_s) for pod in kept) if at is not None and at <= now]
    counts = counted(
        fullyLabeledReplicas=sum(1 for pod in active if labels <= (pod["metadata"].get("labels") or {}).items()),
        readyReplicas=sum(1 for pod in kept if is_ready(pod)),
        availableReplicas=len(available),
    )
    if refusal:
        failure = Condition("ReplicaFailure", "True", "FailedCreate", refusal)
        conditions = with_condition(old, failure, now)
    else:
        conditions = without_condition(old, "ReplicaFailure")
    result: Object = {
        "replicas": len(active),
        **counts,
        "terminatingReplicas": sum(1 for pod in pods if is_terminating(pod)),
        "observedGeneration": own["metadata"].get("generation", 1),
    }
    return {**result, "conditions": conditions} if conditions else result


def next_available(own: Object, pods: list[Object], now: float) -> float | None:
    """When the next ready pod becomes available by having been ready for long enough."""
    min_ready_s = int(own["spec"].get("minReadySeconds") or 0)
    times = [available_at(pod, min_ready_s) for pod in pods if is_active(pod)]
    return min((at for at in times if at is not None and at > now), default=None)


def room(pods: str = "") -> Room:
    """The room of replica sets; `pods` is the label selector of the pods that controllers look at."""
    watches = (
        Watch(REPLICA_SETS, own_address("replicaset"), wakes=True),
        Watch(PODS, owner_address("replicaset", REPLICA_SETS), labels=pods),
    )
    return Room("replicaset", Reconciler(Trade(REPLICA_SETS, PODS, plan)), watches)
