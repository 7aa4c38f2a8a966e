"""A Rollout in App Mesh: targets of its VirtualRouter follow the weights, its nodes follow the versions."""

from __future__ import annotations

import copy

import pytest

from actors.rollout.traffic.appmesh import virtual_nodes, virtual_routers, virtual_services
from runtime.objects import NAMESPACES, Object, Reference
from tests.rollouts.routers import define, routed, stored, thing
from tests.rollouts.world import RolloutWorld, rollout_world, service
from tiphys.step_plugins import rollout_settings

pytestmark = pytest.mark.virtual_time

PAUSE: Object = {"pause": {}}
PATH = "spec.strategy.canary.trafficRouting.appmesh.virtualService"
ROUTING: Object = {
    "appMesh": {
        "virtualService": {"name": "svc"},
        "virtualNodeGroup": {
            "canaryVirtualNodeRef": {"name": "vn-canary"},
            "stableVirtualNodeRef": {"name": "vn-stable"},
        },
    }
}
TARGETS = [
    {"virtualNodeRef": {"name": f"vn-{side}"}, "weight": weight} for side, weight in (("canary", 0), ("stable", 100))
]
NODES = tuple(
    thing(virtual_nodes(), f"vn-{side}", {"podSelector": {"matchLabels": {"app": "r"}}})
    for side in ("canary", "stable")
)
SERVICE = thing(virtual_services(), "svc", {"provider": {"virtualRouter": {"virtualRouterRef": {"name": "vr"}}}})
ROUTER = thing(
    virtual_routers(), "vr", {"routes": [{"name": "primary", "httpRoute": {"action": {"weightedTargets": TARGETS}}}]}
)


def shares(here: RolloutWorld) -> tuple[int, int]:
    """Weights of canary and stable."""
    [route] = stored(here, virtual_routers(), "vr")["spec"]["routes"]
    canary, stable = (each["weight"] for each in route["httpRoute"]["action"]["weightedTargets"])
    return canary, stable


def selected(here: RolloutWorld) -> tuple[str, str]:
    """The hashes that the nodes of canary and stable select."""
    nodes = [stored(here, virtual_nodes(), f"vn-{side}") for side in ("canary", "stable")]
    canary, stable = (node["spec"]["podSelector"]["matchLabels"]["rollouts-pod-template-hash"] for node in nodes)
    return canary, stable


async def begin(here: RolloutWorld, steps: list[Object], *things: Object) -> None:
    await define(here, virtual_services(), virtual_routers(), virtual_nodes())
    await here.apply(service("c"), service("s"), *things, routed(steps, ROUTING, replicas=2))


@pytest.mark.spec("RO-1.6-appmesh")
async def test_AppMeshCanaryRollout() -> None:
    async with rollout_world() as here:
        await begin(here, [{"setWeight": 50}, PAUSE], SERVICE, ROUTER, *NODES)
        await here.until_phase("Healthy")
        await here.settle(1)
        assert (shares(here), selected(here)) == ((0, 100), ("canary-hash", here.hash(1)))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(1)
        assert (shares(here), selected(here)) == ((50, 50), (here.hash(2), here.hash(1)))
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(3)
        assert (shares(here), selected(here)) == ((0, 100), ("canary-hash", here.hash(2)))


@pytest.mark.spec("RO-1.6-appmesh")
async def test_a_canary_that_another_interrupts_loses_its_weight_before_its_node_selects_the_next() -> None:
    async with rollout_world() as here:
        await begin(here, [{"setWeight": 50}, PAUSE], SERVICE, ROUTER, *NODES)
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        second = here.hash(2)
        seen = here.watch(lambda: (shares(here)[0], selected(here)[0] == second))
        await here.image("v3")
        await here.until(lambda: here.phase() == "Paused" and 3 in here.sets())
        assert seen == [(50, True), (0, True), (0, False), (50, False)]
        assert selected(here) == (here.hash(3), here.hash(1))


@pytest.mark.spec("RO-1.6-appmesh")
async def test_an_edit_of_the_routers_weights_and_of_a_nodes_labels_is_undone() -> None:
    async with rollout_world() as here:
        await begin(here, [{"setWeight": 50}, PAUSE], SERVICE, ROUTER, *NODES)
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.api.patch(Reference(virtual_routers(), "default", "vr"), {"spec": ROUTER["spec"]})
        label = {"spec": {"podSelector": {"matchLabels": {"rollouts-pod-template-hash": "x"}}}}
        await here.api.patch(Reference(virtual_nodes(), "default", "vn-stable"), label)
        await here.settle(3)
        assert (shares(here), selected(here)) == ((50, 50), (here.hash(2), here.hash(1)))


@pytest.mark.spec("RO-1.6-appmesh", "RO-1.16-references")
async def test_a_service_its_router_and_its_nodes_may_come_later_and_are_asked_for_one_after_the_other() -> None:
    async with rollout_world() as here:
        await begin(here, [])
        for absent, thing_ in (
            ('virtualservices.appmesh.k8s.aws "svc" not found', SERVICE),
            ('virtualrouters.appmesh.k8s.aws "vr" not found', ROUTER),
        ):
            text = f'The Rollout "r" is invalid: {PATH}: Invalid value: "svc.default": {absent}'
            await here.until(lambda text=text: (here.condition("InvalidSpec") or {}).get("message") == text)  # type: ignore[misc]
            await here.apply(thing_)
        await here.until(lambda: "VirtualNodeNotFound" in here.events())
        assert here.events("VirtualNodeNotFound") == ["VirtualNode `vn-stable` not found in namespace `default`"]
        assert here.events("TrafficRoutingError") == ["Virtual-node is missing"]
        await here.apply(*NODES)
        await here.until_phase("Healthy")
        assert (shares(here), selected(here)) == ((0, 100), ("canary-hash", here.hash(1)))


@pytest.mark.spec("RO-1.6-appmesh")
async def test_a_virtual_router_of_another_namespace_is_followed() -> None:
    elsewhere = copy.deepcopy(ROUTER)
    elsewhere["metadata"]["namespace"] = "mesh"
    ref = {"name": "vr", "namespace": "mesh"}
    there = thing(virtual_services(), "svc", {"provider": {"virtualRouter": {"virtualRouterRef": ref}}})
    async with rollout_world() as here:
        await begin(here, [{"setWeight": 50}, PAUSE], there, *NODES)
        mesh = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mesh"}}
        await here.api.create(NAMESPACES, mesh)
        await here.api.create(virtual_routers(), elsewhere)
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        found = await here.api.get(Reference(virtual_routers(), "mesh", "vr"))
        targets = found["spec"]["routes"][0]["httpRoute"]["action"]["weightedTargets"]
        assert [each["weight"] for each in targets] == [50, 50]


@pytest.mark.spec("RO-1.6-appmesh", "RO-1.6-ambassador")
def test_an_installation_may_choose_the_versions_of_the_apis(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen() -> list[str]:
        return [rollout_settings().routers[key].resources[0].api_version for key in ("ambassador", "appMesh")]

    assert chosen() == ["getambassador.io/v2", "appmesh.k8s.aws/v1beta2"]
    monkeypatch.setenv("TIPHYS_AMBASSADOR_API_VERSION", "getambassador.io/v3alpha1")
    monkeypatch.setenv("TIPHYS_APPMESH_CRD_VERSION", "v1beta3")
    assert chosen() == ["getambassador.io/v3alpha1", "appmesh.k8s.aws/v1beta3"]
