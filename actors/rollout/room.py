"""The rooms of Rollouts: their minds, and what of the cluster they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.rollout import wire
from actors.rollout.balancer_query import SERVICE as BALANCER
from actors.rollout.balancer_query import BalancerAnswer, BalancerQuery
from actors.rollout.mind import RolloutMind
from actors.rollout.plan import STEP_PLUGIN, PluginAnswer, PluginQuery
from actors.rollout.references import ROOM as REFERENCES
from actors.rollout.references import ReferencesMind, by_cluster, by_namespace, rollout_address
from actors.rollout.state import RolloutSettings
from actors.rollout.workload import RESOURCES as WORKLOADS
from runtime.actor import Room, Watch
from runtime.messages import Address
from runtime.objects import SERVICES, Object, Resource


def owned_address(thing: Object) -> Address | None:
    """What a Rollout controls is the business of that Rollout's actor."""
    meta = thing["metadata"]
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller"):
            is_ours = owner["kind"] == "Rollout" and owner["apiVersion"].startswith("argoproj.io/")
            return Address(wire.ROOM, meta["namespace"], owner["name"], owner["uid"]) if is_ours else None
    return None


async def no_plugin(query: PluginQuery) -> PluginAnswer:
    """The answer where no step plugin is installed."""
    return PluginAnswer(error=f"step plugin {query.call.name} is not installed")


async def no_balancer(query: BalancerQuery) -> BalancerAnswer:
    """The answer where nobody asks the cloud."""
    return query.failed("nobody here asks AWS")


def rollout_rooms(settings: RolloutSettings | None = None, services: Mapping[str, Any] | None = None) -> list[Room]:
    """Rollouts wake their actors; what they own and what they refer to is told to them.

    `services` may hold `step-plugin`, an async callable from PluginQuery to PluginAnswer, and `load-balancer`, one from
    BalancerQuery to BalancerAnswer."""
    chosen = settings or RolloutSettings()
    own = (
        Watch(wire.ROLLOUTS, rollout_address, wakes=True),
        Watch(wire.REPLICA_SETS, owned_address, labels=wire.HASH),
        Watch(wire.ANALYSIS_RUNS, owned_address),
        Watch(wire.EXPERIMENTS, owned_address),
    )
    routed = {resource for router in chosen.routers.values() for resource in router.resources} - {SERVICES}
    others = tuple(Watch(resource, by_namespace, optional=resource in routed) for resource in referred(chosen))
    roaming = dict.fromkeys(resource for router in chosen.routers.values() for resource in router.abroad)
    abroad = tuple(Watch(resource, by_cluster, optional=True) for resource in roaming)
    clustered = (Watch(wire.CLUSTER_TEMPLATES, by_namespace),) if chosen.whole_cluster else ()
    wakers = (Watch(wire.ROLLOUTS, by_namespace, wakes=True), Watch(wire.ROLLOUTS, by_cluster, wakes=True))
    asked = {STEP_PLUGIN: no_plugin, BALANCER: no_balancer, **(services or {})}
    return [
        Room(wire.ROOM, RolloutMind(chosen), own, asked),
        Room(REFERENCES, ReferencesMind(), (*wakers, *others, *abroad, *clustered)),
    ]


def referred(settings: RolloutSettings) -> list[Resource]:
    """The kinds of objects that Rollouts may refer to."""
    kinds = [SERVICES, wire.ANALYSIS_TEMPLATES, *WORKLOADS]
    for router in settings.routers.values():
        kinds += router.resources
    return list(dict.fromkeys(kinds))
