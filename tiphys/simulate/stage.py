"""Where updates are played: an embedded cluster with the real controllers. For simulations its pods are simulated and
its time is virtual."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import anyio

import crds
from actors.analysis.query import Provider
from actors.analysis.room import analysis_room
from actors.experiment.room import experiment_room
from actors.rollout.room import rollout_rooms
from actors.rollout.traffic.routers import ROUTERS
from runtime.actor import Room
from runtime.api import Api
from runtime.clock import Clock
from runtime.objects import CRDS, Object, Resource
from runtime.system import Settings as SystemSettings
from runtime.system import System
from tiphys.controllers import METRICS
from tiphys.devcluster.cluster import DevCluster, Settings
from tiphys.devcluster.controllers import rooms as built_in_rooms
from tiphys.devcluster.node import Node, NodeSettings
from tiphys.simulate.virtual_time import VirtualClock


@dataclass(frozen=True, slots=True)
class Stage:
    """A cluster, and its time."""

    cluster: DevCluster
    clock: Clock

    @property
    def api(self) -> Api:
        """Its API."""
        return self.cluster.api

    def stored(self, group: str, plural: str, namespace: str) -> list[Object]:
        """The objects of a kind, as they are stored."""
        bucket = self.cluster.server.storage.bucket(group, plural)
        return [record.object for (where, _), record in bucket.records.items() if where == namespace]


@asynccontextmanager
async def staged(measure: Provider, pods: Mapping[str, str], seed: int = 0) -> AsyncIterator[Stage]:
    """The stage; `pods` is what every pod does unless annotated otherwise (of the simulated node's annotations)."""
    clock = VirtualClock()
    with tempfile.TemporaryDirectory(prefix="tiphys-simulate-") as folder:
        settings = NodeSettings(root=Path(folder), mode="simulated", simulated_images={"*": dict(pods)})
        chosen = Settings(
            definitions=[*crds.manifests(descriptions=False), *(definition(one) for one in router_kinds())],
            node_factory=lambda api: Node(api, settings, clock=clock.wall),
            now=clock.wall,
            random=Random(seed),  # noqa: S311  names of objects, no secrets
        )
        async with DevCluster(chosen) as cluster, anyio.create_task_group() as tasks:
            stage = Stage(cluster, clock)
            await tasks.start(_system(stage, built_in_rooms(), seed + 1).run)
            ours = [*rollout_rooms(), analysis_room(measure), experiment_room()]
            await tasks.start(_system(stage, ours, seed + 2).run)
            yield stage
            tasks.cancel_scope.cancel()


def router_kinds() -> list[Resource]:
    """The kinds of routers' objects that are not Kubernetes' own."""
    found = {resource: None for router in ROUTERS.values() for resource in router.resources}
    return [resource for resource in found if resource.group not in ("", "networking.k8s.io")]


def definition(resource: Resource) -> Object:
    """A definition that takes any object of a kind: nobody checks here what a router's own controller would."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": resource.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    return {
        "apiVersion": CRDS.api_version,
        "kind": CRDS.kind,
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {"group": resource.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _system(stage: Stage, rooms: Sequence[Room], seed: int) -> System:
    settings = SystemSettings(manager="tiphys", metrics=METRICS)
    return System(stage.api, rooms, settings=settings, clock=stage.clock, dice=Random(seed))  # noqa: S311
