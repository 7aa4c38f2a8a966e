"""Rollouts and their ReplicaSets as plain values, for decisions that need no cluster."""

from __future__ import annotations

import copy
from typing import Any

from actors.rollout.decide import scene_of
from actors.rollout.model import Ro
from actors.rollout.scene import Scene, World
from actors.rollout.traffic.routers import ROUTERS
from runtime.objects import Object, Reference

TEMPLATE: Object = {
    "metadata": {"labels": {"app": "r"}},
    "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
}


def rollout(strategy: Object, status: Object | None = None, replicas: int = 1) -> Object:
    """A Rollout of `TEMPLATE`."""
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "r"}},
        "template": copy.deepcopy(TEMPLATE),
        "strategy": strategy,
    }
    meta = {"name": "r", "namespace": "d", "uid": "u", "generation": 1}
    return {"metadata": meta, "spec": spec, "status": status or {}}


def version(value: str, wished: int = 1, available: int = 0, *, replicas: int | None = None, **meta: Any) -> Object:
    """A ReplicaSet of that hash; `replicas` is the Rollout's size that it was told, by default its own."""
    labels = {"app": "r", "rollouts-pod-template-hash": value}
    notes = {"rollout.argoproj.io/desired-replicas": str(wished if replicas is None else replicas)}
    template = copy.deepcopy(TEMPLATE)
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = value
    own = {"name": f"r-{value}", "namespace": "d", "uid": value, "labels": labels, "annotations": notes}
    return {
        "metadata": {**own, **meta},
        "spec": {"replicas": wished, "template": template},
        "status": {"replicas": wished, "availableReplicas": available},
    }


def scene(thing: Object, *versions: Object, known: dict[Reference, Object] | None = None) -> Scene:
    """The scene before anything is decided."""
    world = World(thing, tuple(versions), known=known or {}, routers=ROUTERS)
    return scene_of(Ro(thing), world, 1e9)
