"""What routers work on, as a user has it: their kinds in the API, their objects, and the weights read back."""

from __future__ import annotations

import json
from typing import Any

from actors.rollout.traffic.apisix import ROUTES
from actors.rollout.traffic.istio import DESTINATION_RULES, VIRTUAL_SERVICES
from actors.rollout.traffic.nginx import INGRESSES
from actors.rollout.traffic.smi import SPLITS
from runtime.objects import CRDS, Object, Resource
from tests.rollouts.world import RolloutWorld, rollout

KINDS = (VIRTUAL_SERVICES, DESTINATION_RULES, SPLITS, ROUTES)
ALB = "alb.ingress.kubernetes.io"


def definition(resource: Resource) -> Object:
    """A kind that takes anything."""
    group, _, version = resource.api_version.partition("/")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    served = {"name": version, "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


async def define(here: RolloutWorld, *resources: Resource) -> None:
    """Teach the API the kinds of routers."""
    for resource in resources or KINDS:
        await here.api.create(CRDS, definition(resource))


def thing(resource: Resource, name: str, spec: Object) -> Object:
    """An object of a router."""
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}


def stored(here: RolloutWorld, resource: Resource, name: str) -> Object:
    """An object of a router, from the store."""
    found = here.server.storage.bucket(resource.group, resource.plural).records["default", name].object
    assert isinstance(found, dict)
    return found


def routed(
    steps: list[Any], routing: Object, *, replicas: int = 1, names: tuple[str, str] | None = ("c", "s"), **more: Any
) -> Object:
    """A Rollout behind routers; its pods have a port, so that versions of Experiments get Services."""
    canary: Object = {"trafficRouting": routing, "steps": steps, **more}
    if names is not None:
        canary |= {"canaryService": names[0], "stableService": names[1]}
    wanted = rollout(replicas=replicas, canary=canary)
    wanted["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 80}]
    return wanted


# ------------------------------------------------------------------------------------------------- Istio


def destinations(*pairs: tuple[str, int], **where: Any) -> list[Object]:
    """Destinations of a route, by host (or by subset of one host)."""
    host = where.get("host")
    return [
        {"destination": {"host": host, "subset": name} if host else {"host": name}, "weight": weight}
        for name, weight in pairs
    ]


def mesh(here: RolloutWorld, protocol: str = "http", at: int = 0) -> dict[str, int]:
    """Weights of a route of the VirtualService `v`, by subset or host, in their order."""
    route = stored(here, VIRTUAL_SERVICES, "v")["spec"][protocol][at]["route"]
    return {each["destination"].get("subset") or each["destination"]["host"]: each["weight"] for each in route}


def subsets(here: RolloutWorld) -> dict[str, str]:
    """The hash that each subset of the DestinationRule `d` selects; empty for none."""
    listed = stored(here, DESTINATION_RULES, "d")["spec"]["subsets"]
    return {each["name"]: (each.get("labels") or {}).get("rollouts-pod-template-hash", "") for each in listed}


# -------------------------------------------------------------------------------------------------- ALB


def alb_ingress(name: str, service: str) -> Object:
    """An Ingress whose rule leads to an action."""
    backend = {"service": {"name": service, "port": {"name": "use-annotation"}}}
    path = {"path": "/*", "pathType": "ImplementationSpecific", "backend": backend}
    return thing(INGRESSES, name, {"ingressClassName": "alb", "rules": [{"http": {"paths": [path]}}]})


def action(here: RolloutWorld, name: str, ingress: str) -> dict[str, int] | None:
    """Weights of an action by Service, in their order; None when there is no such action."""
    text = stored(here, INGRESSES, ingress)["metadata"].get("annotations", {}).get(f"{ALB}/actions.{name}")
    if text is None:
        return None
    groups = json.loads(text)["ForwardConfig"]["TargetGroups"]
    return {each["ServiceName"]: each["Weight"] for each in groups}


# ------------------------------------------------------------------------------------------ the others


def split(here: RolloutWorld) -> dict[str, int]:
    """Weights of the TrafficSplit `r`, in their order."""
    return {each["service"]: int(each["weight"]) for each in stored(here, SPLITS, "r")["spec"]["backends"]}


def apisix(here: RolloutWorld, name: str = "a") -> dict[str, int]:
    """Weights of the first rule of an ApisixRoute."""
    backends = stored(here, ROUTES, name)["spec"]["http"][0]["backends"]
    return {each["serviceName"]: each["weight"] for each in backends}
