"""For each router: a Rollout that names it, the objects it works on, and how to read the weights back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from actors.rollout.model import Ro
from actors.rollout.traffic.alb import Alb
from actors.rollout.traffic.ambassador import MAPPINGS, Ambassador
from actors.rollout.traffic.apisix import ROUTES, Apisix
from actors.rollout.traffic.appmesh import AppMesh, virtual_nodes, virtual_routers
from actors.rollout.traffic.appmesh import virtual_services as meshed_services
from actors.rollout.traffic.gateway import GRPC, HTTP, TCP, Gateway
from actors.rollout.traffic.istio import DESTINATION_RULES, VIRTUAL_SERVICES, Istio
from actors.rollout.traffic.nginx import INGRESSES, Nginx
from actors.rollout.traffic.protocol import Objects, Refusal, Router, Shift
from actors.rollout.traffic.smi import SPLITS, Smi
from actors.rollout.traffic.traefik import SERVICES, Traefik
from runtime.messages import Create, Delete, Patch
from runtime.objects import Object, Reference, Resource

NAMESPACE = "web"
MANAGED = [{"name": "first"}, {"name": "second"}]


def rollout(routing: dict[str, Any], **canary: Any) -> Ro:
    """A canary with both Services and a router."""
    strategy = {"canaryService": "canary", "stableService": "stable", **canary}
    strategy["trafficRouting"] = {"managedRoutes": MANAGED, **routing}
    return Ro(
        {"metadata": {"name": "demo", "namespace": NAMESPACE, "uid": "ro"}, "spec": {"strategy": {"canary": strategy}}}
    )


def shift(canary: int, **more: Any) -> Shift:
    """A shift between the two Services."""
    told = {"canary_hash": "h2", "stable_hash": "h1", "canary_service": "canary", "stable_service": "stable", **more}
    return Shift(canary=canary, **told)


def thing(resource: Resource, name: str, spec: dict[str, Any], **meta: Any) -> Object:
    """An object as the API has it."""
    meta = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": "7", **meta}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}


class Cluster(dict[Reference, Object | None]):
    """The known objects, on which a plan can be carried out."""

    def apply(self, answer: Any) -> int:
        """Do what a plan says; how many changes that was."""
        assert not isinstance(answer, Refusal), answer.message
        for change in answer.changes:
            self._do(change)
        return len(answer.changes)

    def _do(self, change: Create | Patch | Delete) -> None:
        if isinstance(change, Create):
            meta = change.object["metadata"]
            ref = Reference(change.resource, meta["namespace"], meta["name"])
            assert self.get(ref) is None
            made = copy.deepcopy(change.object)
            made["metadata"] |= {"uid": f"uid-{meta['name']}", "resourceVersion": "1"}
            self[ref] = made
            return
        ref = change.ref._replace(uid="")
        known = self[ref]
        assert known is not None
        assert known["metadata"]["uid"] == change.ref.uid
        if isinstance(change, Delete):
            self[ref] = None
            return
        patched = merged(known, change.body)
        patched["metadata"]["resourceVersion"] = str(int(known["metadata"]["resourceVersion"]) + 1)
        self[ref] = patched

    def one(self, resource: Resource, name: str) -> Object:
        """An object that is there."""
        found = self[Reference(resource, NAMESPACE, name)]
        assert found is not None
        return found


def merged(known: Any, patch: Any) -> Any:
    """JSON merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = dict(known) if isinstance(known, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made


def cluster(*things: Object) -> Cluster:
    """A cluster with these objects."""
    found = Cluster()
    for each in things:
        resource = next(one for one in ALL_KINDS if (one.api_version, one.kind) == (each["apiVersion"], each["kind"]))
        found[Reference(resource, each["metadata"]["namespace"], each["metadata"]["name"])] = each
    return found


MESHED = (meshed_services(), virtual_routers(), virtual_nodes())
ALL_KINDS = (
    *MESHED,
    INGRESSES,
    MAPPINGS,
    SERVICES,
    SPLITS,
    ROUTES,
    VIRTUAL_SERVICES,
    DESTINATION_RULES,
    HTTP,
    GRPC,
    TCP,
)
Weights = Callable[[Cluster], dict[str, int]]


@dataclass
class Case:
    """A router at work."""

    router: Router
    ro: Ro
    objects: list[Object]
    weights: Weights
    others: Callable[[Cluster], Any] = field(default=lambda _: None)  # what belongs to somebody else

    def cluster(self) -> Cluster:
        """Its objects, fresh."""
        return cluster(*copy.deepcopy(self.objects))

    def plan(self, known: Objects, told: Shift) -> Any:
        """What the router answers."""
        return self.router.plan(self.ro, known, told)


def backends(listed: list[Object], name: str = "name") -> dict[str, int]:
    """Weights by name."""
    return {each[name]: int(each["weight"]) for each in listed}


def ingress(*services: str) -> Object:
    """An Ingress that sends requests to Services."""
    paths = [{"path": "/", "backend": {"service": {"name": name, "port": {"number": 80}}}} for name in services]
    return thing(INGRESSES, "in", {"rules": [{"host": "demo", "http": {"paths": paths}}]}, annotations={"own": "kept"})


def destination(host: str, weight: int = 0, **where: Any) -> Object:
    """A destination of an Istio route."""
    return {"destination": {"host": host, **where}, "weight": weight}


def virtual_service(**protocols: Any) -> Object:
    """A VirtualService."""
    return thing(VIRTUAL_SERVICES, "vs", {"hosts": ["demo"], **protocols})


def _nginx_weights(found: Cluster) -> dict[str, int]:
    weight = int(
        found.one(INGRESSES, "demo-in-canary")["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]
    )
    return {"canary": weight, "stable": 100 - weight}


def _alb_weights(found: Cluster) -> dict[str, int]:
    action = json.loads(
        found.one(INGRESSES, "in")["metadata"]["annotations"]["alb.ingress.kubernetes.io/actions.stable"]
    )
    return {each["ServiceName"]: each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]}


def _istio_weights(found: Cluster) -> dict[str, int]:
    routes = found.one(VIRTUAL_SERVICES, "vs")["spec"]["http"]
    chosen = next(route for route in routes if route.get("name") == "main")
    return {each["destination"]["host"].partition(".")[0]: each["weight"] for each in chosen["route"]}


def _gateway_weights(found: Cluster) -> dict[str, int]:
    rules = found.one(HTTP, "route")["spec"]["rules"]
    return backends(next(rule for rule in rules if len(rule["backendRefs"]) > 1)["backendRefs"])


def _mapping_weights(found: Cluster) -> dict[str, int]:
    known = found.get(Reference(MAPPINGS, NAMESPACE, "echo-canary"))
    weight = int(known["spec"]["weight"]) if known is not None else 0
    return {"canary": weight, "stable": 100 - weight}


def mapping(name: str = "echo", **more: Any) -> Object:
    """A Mapping of the stable Service."""
    return thing(MAPPINGS, name, {"prefix": "/echo", "rewrite": "/", "service": "stable:8080", **more})


def _appmesh_weights(found: Cluster) -> dict[str, int]:
    route = found.one(virtual_routers(), "router")["spec"]["routes"][0]
    targets = route["httpRoute"]["action"]["weightedTargets"]
    return {each["virtualNodeRef"]["name"].removesuffix("-node"): each["weight"] for each in targets}


def app_mesh(**service: Any) -> dict[str, Any]:
    """What a Rollout says of App Mesh."""
    nodes = {f"{side}VirtualNodeRef": {"name": f"{side}-node"} for side in ("canary", "stable")}
    return {"appMesh": {"virtualService": {"name": "service", **service}, "virtualNodeGroup": nodes}}


def meshed_route(name: str = "primary", kind: str = "httpRoute") -> dict[str, Any]:
    """A route that shares requests between the two nodes."""
    pair = (("canary-node", 0), ("stable-node", 100))
    targets = [{"virtualNodeRef": {"name": node}, "weight": weight} for node, weight in pair]
    return {"name": name, kind: {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}}


def meshed(*routes: Any) -> list[Object]:
    """A VirtualService, its VirtualRouter and two VirtualNodes."""
    provider = {"virtualRouter": {"virtualRouterRef": {"name": "router"}}}
    return [
        thing(meshed_services(), "service", {"provider": provider}),
        thing(virtual_routers(), "router", {"routes": list(routes or (meshed_route(),))}),
        *(thing(virtual_nodes(), f"{side}-node", {"podSelector": {"matchLabels": {"app": "demo"}}})
          for side in ("canary", "stable")),
    ]  # fmt: skip


def gateway_route(resource: Resource = HTTP) -> Object:
    """A route with a rule for both Services, and one that is somebody else's."""
    pair = [{"name": "canary", "port": 80, "weight": 0}, {"name": "stable", "port": 80, "weight": 100}]
    rules = [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": pair},
        {"backendRefs": [{"name": "other", "port": 80, "weight": 3}]},
    ]
    return thing(resource, "route", {"parentRefs": [{"name": "gate"}], "rules": rules})


def istio_http() -> list[Object]:
    """A route by name, and one that is somebody else's."""
    pair = [destination("stable.web.svc.cluster.local", 100, port={"number": 80}), destination("canary", 0)]
    return [{"name": "main", "route": pair}, {"name": "other", "route": [destination("elsewhere", 100)]}]


CASES = {
    "nginx": Case(
        Nginx(), rollout({"nginx": {"stableIngress": "in"}}), [ingress("stable", "other")], _nginx_weights,
        lambda found: found.one(INGRESSES, "in")),
    "alb": Case(
        Alb(), rollout({"alb": {"ingress": "in", "servicePort": 80}}), [ingress("stable", "other")], _alb_weights,
        lambda found: found.one(INGRESSES, "in")["metadata"]["annotations"]["own"]),
    "smi": Case(
        Smi(), rollout({"smi": {}}), [],
        lambda found: backends(found.one(SPLITS, "demo")["spec"]["backends"], "service")),
    "ambassador": Case(
        Ambassador(), rollout({"ambassador": {"mappings": ["echo"]}}), [mapping()], _mapping_weights,
        lambda found: found.one(MAPPINGS, "echo")),
    "appMesh": Case(
        AppMesh(), rollout(app_mesh(routes=["primary"])), meshed(meshed_route(), meshed_route("other")),
        _appmesh_weights, lambda found: found.one(virtual_routers(), "router")["spec"]["routes"][1]),
    "traefik": Case(
        Traefik(), rollout({"traefik": {"weightedTraefikServiceName": "tr"}}),
        [thing(SERVICES, "tr", {"weighted": {"services": [
            {"name": "stable", "port": 80, "weight": 1}, {"name": "canary", "port": 80, "weight": 1},
            {"name": "other", "port": 80, "weight": 5}]}})],
        lambda found: backends(found.one(SERVICES, "tr")["spec"]["weighted"]["services"][:2]),
        lambda found: found.one(SERVICES, "tr")["spec"]["weighted"]["services"][2]),
    "apisix": Case(
        Apisix(), rollout({"apisix": {"route": {"name": "ar", "rules": ["main"]}}}),
        [thing(ROUTES, "ar", {"http": [
            {"name": "main", "match": {"paths": ["/*"]}, "backends": [
                {"serviceName": "stable", "servicePort": 80}, {"serviceName": "canary", "servicePort": 80}]},
            {"name": "other", "backends": [{"serviceName": "other", "servicePort": 80, "weight": 9}]}]})],
        lambda found: backends(found.one(ROUTES, "ar")["spec"]["http"][0]["backends"], "serviceName"),
        lambda found: found.one(ROUTES, "ar")["spec"]["http"][1]),
    "istio": Case(
        Istio(), rollout({"istio": {"virtualService": {"name": "vs", "routes": ["main"]}}}),
        [virtual_service(http=istio_http())], _istio_weights,
        lambda found: [r for r in found.one(VIRTUAL_SERVICES, "vs")["spec"]["http"] if r["name"] == "other"]),
    "gateway": Case(
        Gateway(), rollout({"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "route"}}}), [gateway_route()],
        _gateway_weights,
        lambda found: [r for r in found.one(HTTP, "route")["spec"]["rules"] if r["backendRefs"][0]["name"] == "other"]),
}  # fmt: skip
