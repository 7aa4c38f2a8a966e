"""Gateway API: backend references of HTTPRoutes, GRPCRoutes, TLSRoutes and TCPRoutes, without any plugin.

The settings are those of upstream's plugin, under `plugins: {argoproj-labs/gatewayAPI: …}`, so manifests need no
change. What a rule holds is in `gateway_rules`; here is which routes there are.
"""

from __future__ import annotations

import copy
from typing import Any, Final, NamedTuple

from actors.kube_events import Said
from actors.rollout.model import Ro
from actors.rollout.traffic import gateway_rules
from actors.rollout.traffic.edit import edited
from actors.rollout.traffic.protocol import (
    EXPERIMENT,
    HEADER,
    MAX_WEIGHT,
    MIRROR,
    PING_PONG,
    WEIGHT,
    Change,
    Fault,
    Moves,
    Objects,
    Refusal,
    Router,
    Shift,
)
from runtime.objects import Object, Reference, Resource

NAME: Final = "argoproj-labs/gatewayAPI"
PATH: Final = f"spec.strategy.canary.trafficRouting.plugins.{NAME}"
IN_PROGRESS: Final = ("rollouts.argoproj.io/gatewayapi-canary", "in-progress")

HTTP: Final = Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
GRPC: Final = Resource("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes")
TLS: Final = Resource("gateway.networking.k8s.io/v1alpha2", "TLSRoute", "tlsroutes")
TCP: Final = Resource("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "tcproutes")
KINDS: Final = (("httpRoute", HTTP), ("grpcRoute", GRPC), ("tlsRoute", TLS), ("tcpRoute", TCP))
WITH_HEADERS: Final = (HTTP, GRPC)


class Route(NamedTuple):
    """A route that the Rollout names."""

    ref: Reference
    takes_headers: bool  # whether header and mirror routes are added to it


class Gateway(Router):
    """The router."""

    key = "plugins"
    title = "Gateway API"
    abilities = frozenset({WEIGHT, HEADER, MIRROR, EXPERIMENT, MAX_WEIGHT, PING_PONG})
    resources: tuple[Resource, ...] = (HTTP, GRPC, TLS, TCP)
    abroad: tuple[Resource, ...] = (HTTP, GRPC, TLS, TCP)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The routes."""
        return tuple(route.ref for route in routes(ro))

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """The plugin is this one, names at least one route by its name, and each is there with both Services."""
        named = (ro.routing or {}).get("plugins") or {}
        path = "spec.strategy.canary.trafficRouting.plugins"
        known = f"the only traffic router plugin here is {NAME}"
        faults = [Fault(path, name, f"unknown plugin {name!r}: {known}") for name in named if name != NAME]
        if NAME not in named:
            return faults
        settings = _settings(ro)
        for field, _ in KINDS:
            if settings.get(f"{field}Selector"):
                faults.append(Fault(f"{PATH}.{field}Selector", None, f"name the routes in {field}s: no selectors here"))
        if not routes(ro) and not faults:
            faults.append(Fault(PATH, None, "one of httpRoute, grpcRoute, tlsRoute, tcpRoute has to be named"))
        missing = [route.ref for route in routes(ro) if objects.get(route.ref) is None]
        return faults + [Fault(PATH, ref.name, f"{ref.resource.kind} {ref.name} not found") for ref in missing]

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Give the backends of every rule their weights; add or take away header and mirror rules."""
        changes: list[Change] = []
        said: list[Said] = []
        for route in routes(ro):
            known = objects.get(route.ref)
            what = f"{route.ref.resource.kind} {route.ref.name}"
            if known is None:
                return Refusal(f"{what} not found: create it, or name another one in {PATH}")
            wanted = copy.deepcopy(known)
            rules = gateway_rules.shared(ro, wanted["spec"].get("rules") or [], shift)
            if rules is None:
                return Refusal(f"{what} has no rule with backends {shift.canary_service} and {shift.stable_service}")
            grpc = route.ref.resource == GRPC
            wanted["spec"]["rules"] = gateway_rules.added(ro, rules, shift, grpc=grpc) if route.takes_headers else rules
            _mark(wanted, _settings(ro), shift)
            change = edited(route.ref.resource, known, wanted)
            if change:
                changes.append(change)
                said.append(Said("UpdatedGatewayRoute", f"{what} set to desiredWeight '{shift.canary}'"))
        return Moves(tuple(changes), tuple(said))


def routes(ro: Ro) -> list[Route]:
    """The routes, each once. With the plural form only those with useHeaderRoutes take header and mirror routes."""
    settings = _settings(ro)
    namespace = str(settings.get("namespace") or ro.namespace)
    found: dict[Reference, Route] = {}
    for field, resource in KINDS:
        single = settings.get(field)
        wishes: list[dict[str, Any]] = [{"name": single, "useHeaderRoutes": True}] if single else []
        for wish in (*wishes, *(settings.get(f"{field}s") or ())):
            ref = Reference(resource, namespace, str(wish.get("name") or ""))
            takes = resource in WITH_HEADERS and bool(wish.get("useHeaderRoutes"))
            found.setdefault(ref, Route(ref, takes))
    return list(found.values())


def _settings(ro: Ro) -> Object:
    found: Object = ((ro.routing or {}).get("plugins") or {}).get(NAME) or {}
    return found


def _mark(route: Object, settings: Object, shift: Shift) -> None:
    """A label while a canary has traffic, for tools that would otherwise set the weights back."""
    if settings.get("disableInProgressLabel"):
        return
    key = settings.get("inProgressLabelKey") or IN_PROGRESS[0]
    labels = dict(route["metadata"].get("labels") or {})
    if shift.canary:
        labels[key] = settings.get("inProgressLabelValue") or IN_PROGRESS[1]
    else:
        labels.pop(key, None)
    if labels != (route["metadata"].get("labels") or {}):
        route["metadata"]["labels"] = labels
