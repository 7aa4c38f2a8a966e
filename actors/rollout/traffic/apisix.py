"""Apisix: rules of an ApisixRoute share requests among Services; a header route is another ApisixRoute above it."""

from __future__ import annotations

import copy
from typing import Any, Final

from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.traffic.edit import edited, entries, managed_names, settings
from actors.rollout.traffic.protocol import HEADER, WEIGHT, Change, Fault, Moves, Objects, Refusal, Router, Shift
from runtime.messages import Create, Delete
from runtime.objects import Object, Reference, Resource, owner_uid, reference

ROUTES: Final = Resource("apisix.apache.org/v2", "ApisixRoute", "apisixroutes")
PATH: Final = "spec.strategy.canary.trafficRouting.apisix.route"


class Apisix(Router):
    """The router."""

    key = "apisix"
    title = "Apisix"
    abilities = frozenset({WEIGHT, HEADER})
    resources: tuple[Resource, ...] = (ROUTES,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The route, and those that may be made above it."""
        names = [_name(ro), *managed_names(ro)]
        return tuple(Reference(ROUTES, ro.namespace, name) for name in names if name)

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """A route has to be named."""
        del objects
        return [] if _name(ro) else [Fault(f"{PATH}.name", None, "an ApisixRoute has to be named")]

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Give the rules' backends their weights; make or take away header routes."""
        known = objects.get(Reference(ROUTES, ro.namespace, _name(ro)))
        if known is None:
            return Refusal(f'apisixroutes.apisix.apache.org "{_name(ro)}" not found: create it, or name another')
        wanted = _weighted(ro, known, shift)
        if isinstance(wanted, Refusal):
            return wanted
        changes: list[Change] = []
        if change := edited(ROUTES, known, wanted):
            changes.append(change)
        if shift.removes_managed:
            changes += _removed(ro, objects, managed_names(ro))
        elif shift.header_route is not None:
            more = _header_route(ro, objects, known, shift)
            if isinstance(more, Refusal):
                return more
            changes += more
        return Moves(tuple(changes))


def _name(ro: Ro) -> str:
    return str((settings(ro, "apisix").get("route") or {}).get("name") or "")


def _rules(ro: Ro) -> list[str]:
    rules: list[str] = (settings(ro, "apisix").get("route") or {}).get("rules") or [_name(ro)]
    return rules


def _weighted(ro: Ro, known: Object, shift: Shift) -> Object | Refusal:
    wanted = copy.deepcopy(known)
    for name in _rules(ro):
        rule = _rule(wanted, name)
        if rule is None:
            return Refusal(f"Apisix http route rule {name} not found in ApisixRoute {_name(ro)}")
        for service, weight in ((shift.canary_service, shift.canary), (shift.stable_service, shift.stable)):
            backend = _backend(rule, service)
            if backend is None:
                return Refusal(f"apisix route {service} backend was not found in rule {name} of {_name(ro)}")
            backend["weight"] = weight
    return wanted


def _rule(route: Object, name: str) -> Object | None:
    return next((each for each in entries(route, "spec", "http") if each.get("name") == name), None)


def _backend(rule: Object, service: str) -> Object | None:
    return next((each for each in entries(rule, "backends") if each.get("serviceName") == service), None)


# ------------------------------------------------------------------------------------------------ header routes


def _header_route(ro: Ro, objects: Objects, base: Object, shift: Shift) -> list[Change] | Refusal:
    step = shift.header_route or {}
    name = str(step.get("name") or "")
    if not step.get("match"):
        return _removed(ro, objects, [name])
    spec = copy.deepcopy(base["spec"])
    for rule_name in _rules(ro):
        rule = _rule({"spec": spec}, rule_name)
        if rule is None:
            return Refusal(f"Apisix http route rule {rule_name} not found in ApisixRoute {_name(ro)}")
        backend = _backend(rule, shift.canary_service)
        rule["backends"] = [] if backend is None else [{**backend, "weight": 100}]
        rule["priority"] = int(rule.get("priority") or 0) + 1
        rule["match"] = {**(rule.get("match") or {}), "exprs": _expressions(step["match"])}
    known = objects.get(Reference(ROUTES, ro.namespace, name))
    if known is None:
        meta = {"name": name, "namespace": ro.namespace, "ownerReferences": [owner(ro)]}
        return [Create(ROUTES, {"apiVersion": ROUTES.api_version, "kind": ROUTES.kind, "metadata": meta, "spec": spec})]
    if owner_uid(known) != ro.uid:
        return Refusal(f"duplicate ApisixRoute [{name}] already exists: it is not this Rollout's")
    change = edited(ROUTES, known, {**known, "spec": spec})
    return [change] if change else []


def _removed(ro: Ro, objects: Objects, names: list[str]) -> list[Change]:
    found = [objects.get(Reference(ROUTES, ro.namespace, name)) for name in names]
    return [Delete(reference(ROUTES, each)) for each in found if each is not None and owner_uid(each) == ro.uid]


def _expressions(matches: list[Object]) -> list[Any]:
    found = []
    for match in matches:
        value = match.get("headerValue") or {}
        subject = {"scope": "Header", "name": match.get("headerName")}
        if value.get("exact"):
            found.append({"subject": subject, "op": "Equal", "value": value["exact"]})
        if value.get("regex"):
            found.append({"subject": subject, "op": "RegexMatch", "value": value["regex"]})
        if value.get("prefix"):
            found.append({"subject": subject, "op": "RegexMatch", "value": f"^{value['prefix']}.*"})
    return found
