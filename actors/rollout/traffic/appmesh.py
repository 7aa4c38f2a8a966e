"""AWS App Mesh: a VirtualRouter shares requests between two VirtualNodes, each of which selects one version's pods.

The Rollout names a VirtualService, which says who its VirtualRouter is, and the two nodes. What a route holds is in
`appmesh_routes`; here is which objects there are, and in what order they change: nodes first, then weights.
"""

from __future__ import annotations

from typing import Final

from actors.kube_events import Said
from actors.rollout import wire
from actors.rollout.invalid import invalid
from actors.rollout.model import Ro
from actors.rollout.traffic import appmesh_routes
from actors.rollout.traffic.appmesh_routes import Malformed, Shares
from actors.rollout.traffic.edit import edited, settings
from actors.rollout.traffic.protocol import WEIGHT, Fault, Moves, Objects, Refusal, Router, Shift
from runtime.messages import Patch
from runtime.objects import Object, Reference, Resource

GROUP: Final = "appmesh.k8s.aws"
VERSION: Final = "v1beta2"
PATH: Final = "spec.strategy.canary.trafficRouting.appmesh.virtualService"
NODES_PATH: Final = "spec.strategy.canary.trafficRouting.appMesh.virtualNodeGroup"
NOT_ROUTED: Final = "Virtual-service is not associated with virtual-router"
SERVICE_MISSING: Final = "Virtual-service is missing"
ROUTER_MISSING: Final = "Virtual-router is missing"
NODE_MISSING: Final = "Virtual-node is missing"
NO_CANARY, NO_STABLE = "canary-hash", "stable-hash"
"""What a node selects that has no version: App Mesh lets no two nodes select the same pods."""


def virtual_services(version: str = VERSION) -> Resource:
    """The kind of VirtualServices in a version of the API."""
    return Resource(f"{GROUP}/{version}", "VirtualService", "virtualservices")


def virtual_routers(version: str = VERSION) -> Resource:
    """The kind of VirtualRouters."""
    return Resource(f"{GROUP}/{version}", "VirtualRouter", "virtualrouters")


def virtual_nodes(version: str = VERSION) -> Resource:
    """The kind of VirtualNodes."""
    return Resource(f"{GROUP}/{version}", "VirtualNode", "virtualnodes")


class AppMesh(Router):
    """The router."""

    key = "appMesh"
    title = "AppMesh"
    abilities = frozenset({WEIGHT})

    def __init__(self, version: str = VERSION) -> None:
        self.services, self.routers = virtual_services(version), virtual_routers(version)
        self.nodes = virtual_nodes(version)
        self.resources: tuple[Resource, ...] = (self.services, self.routers, self.nodes)
        self.abroad: tuple[Resource, ...] = (self.routers,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The VirtualService and the nodes."""
        named = [(self.services, service_name(ro)), *((self.nodes, name) for name in node_names(ro))]
        return tuple(Reference(resource, ro.namespace, name) for resource, name in named if name)

    def follows(self, ro: Ro, objects: Objects) -> tuple[Reference, ...]:
        """The VirtualRouter that the VirtualService names."""
        service = objects.get(self._service(ro))
        router = self._router(service) if service is not None else None
        return (router,) if router is not None else ()

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """The VirtualService is there and has a VirtualRouter, whose routes have two targets each."""
        name, value = service_name(ro), f"{service_name(ro)}.{ro.namespace}"
        if not name:
            return [Fault(PATH, None, "must provide virtual-service", is_internal=False)]
        if not all(node_names(ro)):
            return [Fault(NODES_PATH, None, "must provide virtual-node-group", is_internal=False)]
        service = objects.get(self._service(ro))
        if service is None:
            return [Fault(PATH, value, f'virtualservices.{GROUP} "{name}" not found')]
        ref = self._router(service)
        if ref is None:
            return [Fault(PATH, value, NOT_ROUTED)]
        router = objects.get(ref)
        if router is None:
            return [Fault(PATH, value, f'virtualrouters.{GROUP} "{ref.name}" not found')]
        problem = appmesh_routes.problem(router)
        return [Fault(problem.path, ref.name, problem.message)] if problem is not None else []

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Nodes first, then weights; the other way round when a canary without pods has to lose its weight."""
        selected = self._selected(ro, objects, shift)
        if isinstance(selected, Refusal):
            return selected
        routed = self._routed(ro, objects, shift)
        if isinstance(routed, Refusal):
            return routed
        first, second = (routed, selected) if shift.weight_first else (selected, routed)
        return Moves((*first, *second))

    def references_hash(self, ro: Ro, objects: Objects, value: str) -> bool:
        """Nodes select pods by their hash."""
        nodes = [objects.get(Reference(self.nodes, ro.namespace, name)) for name in node_names(ro)]
        return any(value == _labels(node).get(wire.HASH) for node in nodes if node is not None)

    def _selected(self, ro: Ro, objects: Objects, shift: Shift) -> list[Patch] | Refusal:
        canary, stable = node_names(ro)
        changes = []
        stable_hash = shift.stable_hash or NO_STABLE
        canary_hash = NO_CANARY if shift.canary_hash in ("", stable_hash) else shift.canary_hash
        for name, value in ((stable, stable_hash), (canary, canary_hash)):
            known = objects.get(Reference(self.nodes, ro.namespace, name))
            if known is None:
                text = f"VirtualNode `{name}` not found in namespace `{ro.namespace}`"
                return Refusal(NODE_MISSING, (Said("VirtualNodeNotFound", text, warning=True),))
            change = edited(self.nodes, known, _selecting(known, value))
            changes += [change] if change is not None else []
        return changes

    def _routed(self, ro: Ro, objects: Objects, shift: Shift) -> list[Patch] | Refusal:
        name, service = service_name(ro), objects.get(self._service(ro))
        if service is None:
            text = f"VirtualService `{name}` not found in namespace `{ro.namespace}`"
            return Refusal(SERVICE_MISSING, (Said("VirtualServiceNotFound", text, warning=True),))
        ref = self._router(service)
        if ref is None:
            return Refusal(NOT_ROUTED)
        known = objects.get(ref)
        if known is None:
            text = f"VirtualRouter for `{name}` not found in namespace `{ro.namespace}`"
            return Refusal(ROUTER_MISSING, (Said("VirtualRouterNotFound", text, warning=True),))
        canary, stable = node_names(ro)
        weights = {canary: shift.canary, stable: shift.most - shift.canary}
        try:
            wanted = appmesh_routes.weighted(known, Shares(weights, ro.namespace, _routes(ro)))
        except Malformed as error:
            return Refusal(invalid(error.problem.path, ref.name, error.problem.message).text)
        change = edited(self.routers, known, wanted)
        return [change] if change is not None else []

    def _service(self, ro: Ro) -> Reference:
        return Reference(self.services, ro.namespace, service_name(ro))

    def _router(self, service: Object) -> Reference | None:
        """The VirtualRouter that a VirtualService names; None for one that leads to a node."""
        found = service.get("spec") or {}
        for field in ("provider", "virtualRouter", "virtualRouterRef"):
            found = found.get(field) or {}
        namespace = found.get("namespace") or service["metadata"]["namespace"]
        return Reference(self.routers, str(namespace), str(found["name"])) if found.get("name") else None


def service_name(ro: Ro) -> str:
    """The VirtualService; empty when none is named."""
    return str((settings(ro, "appMesh").get("virtualService") or {}).get("name") or "")


def node_names(ro: Ro) -> tuple[str, str]:
    """The nodes of canary and stable; empty where none is named."""
    group = settings(ro, "appMesh").get("virtualNodeGroup") or {}
    canary, stable = (group.get(f"{side}VirtualNodeRef") or {} for side in ("canary", "stable"))
    return str(canary.get("name") or ""), str(stable.get("name") or "")


def _routes(ro: Ro) -> frozenset[str]:
    return frozenset((settings(ro, "appMesh").get("virtualService") or {}).get("routes") or ())


def _labels(node: Object) -> Object:
    found: Object = ((node.get("spec") or {}).get("podSelector") or {}).get("matchLabels") or {}
    return found


def _selecting(node: Object, value: str) -> Object:
    spec = node.get("spec") or {}
    selector = {**(spec.get("podSelector") or {}), "matchLabels": {**_labels(node), wire.HASH: value}}
    return {**node, "spec": {**spec, "podSelector": selector}}
