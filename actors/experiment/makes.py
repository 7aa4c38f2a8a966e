"""What an Experiment makes: a ReplicaSet for each template, a Service where one is asked for. Pure.

The hash of a template is mixed with the names of experiment and template: a Rollout's ReplicaSet of the very same
template must have another one, or its Services would send people to pods that are only tried out.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from actors.experiment.model import Ex, Template
from actors.names import analysis_labels as keys
from actors.names.podhash import HASH_LABEL, pod_hash, safe_hash
from actors.names.resources import EXPERIMENT
from runtime.objects import SERVICES, Object, Resource, owner_uid

EXPERIMENTS: Final = Resource(*EXPERIMENT)
REPLICA_SETS: Final = Resource("apps/v1", "ReplicaSet", "replicasets")


def owner(ex: Ex) -> Object:
    """The reference that makes a thing the experiment's."""
    return {
        "apiVersion": EXPERIMENTS.api_version,
        "kind": EXPERIMENTS.kind,
        "name": ex.name,
        "uid": ex.meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def template_hash(ex: Ex, template: Template, collisions: int | None) -> str:
    """The hash that tells the pods of a template from all others."""
    return safe_hash(f"{ex.name}/{template['name']}/{pod_hash(_bare(template), collisions)}".encode())


def replica_set(ex: Ex, template: Template, collisions: int | None = None) -> Object:
    """The ReplicaSet of a template, without pods yet; after a collision its name has the number of it."""
    found = template_hash(ex, template, collisions)
    pod = _bare(template)
    labels = {**((pod.get("metadata") or {}).get("labels") or {}), HASH_LABEL: found}
    pod["metadata"] = {**(pod.get("metadata") or {}), "labels": labels}
    selector = copy.deepcopy(dict(template["selector"]))
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: found}
    spec: Object = {"replicas": 0, "selector": selector, "template": pod}
    if template.get("minReadySeconds"):
        spec["minReadySeconds"] = template["minReadySeconds"]
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{ex.name}-{template['name']}" + (f"-{collisions}" if collisions else ""),
            "namespace": ex.meta["namespace"],
            "labels": labels,
            "annotations": _whose(ex, template),
            "ownerReferences": [owner(ex)],
        },
        "spec": spec,
    }


def _bare(template: Template) -> Object:
    """The pod template without the hash of the Rollout that it was copied from."""
    pod: Object = copy.deepcopy(dict(template.get("template") or {}))
    labels = (pod.get("metadata") or {}).get("labels") or {}
    labels.pop(HASH_LABEL, None)
    return pod


def _whose(ex: Ex, template: Template) -> dict[str, str]:
    return {keys.EXPERIMENT_NAME: ex.name, keys.EXPERIMENT_TEMPLATE: template["name"]}


def template_of(ex: Ex, thing: Object) -> str:
    """Which template a ReplicaSet or Service of this experiment was made for; empty when it is not one of its."""
    notes = thing["metadata"].get("annotations") or {}
    if owner_uid(thing) != ex.meta["uid"] or notes.get(keys.EXPERIMENT_NAME) != ex.name:
        return ""
    return str(notes.get(keys.EXPERIMENT_TEMPLATE) or "")


def is_same_set(ex: Ex, wanted: Object, existing: Object) -> bool:
    """Whether a ReplicaSet of the wanted name is the wanted one, made before: the hash says what it is made of."""
    mine = wanted["metadata"]["annotations"][keys.EXPERIMENT_TEMPLATE]
    return template_of(ex, existing) == mine and hash_of(existing) == hash_of(wanted)


def service_ports(replicas: Object) -> list[Object]:
    """A Service port for every port of the pods' containers."""
    ports: list[Object] = []
    for container in replicas["spec"]["template"].get("spec", {}).get("containers") or ():
        for port in container.get("ports") or ():
            entry: Object = {"port": port["containerPort"], "targetPort": port["containerPort"]}
            entry["protocol"] = port.get("protocol") or "TCP"
            if port.get("name"):
                entry["name"] = port["name"]
            ports.append(entry)
    return ports


def service_name(template: Template, replicas: Object) -> str:
    """The name of a template's Service: its own, or that of the ReplicaSet."""
    return str((template.get("service") or {}).get("name") or replicas["metadata"]["name"])


def service(ex: Ex, template: Template, replicas: Object) -> Object:
    """The Service in front of a template's pods."""
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {
            "name": service_name(template, replicas),
            "namespace": ex.meta["namespace"],
            "annotations": _whose(ex, template),
            "ownerReferences": [owner(ex)],
        },
        "spec": {"selector": dict(replicas["metadata"]["labels"]), "ports": service_ports(replicas)},
    }


def hash_of(thing: Mapping[str, Any]) -> str:
    """The hash that a ReplicaSet bears."""
    return str((thing["metadata"].get("labels") or {}).get(HASH_LABEL) or "")
