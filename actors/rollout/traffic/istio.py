"""Istio: routes of VirtualServices share requests between Services, or between subsets of a DestinationRule.

What a route holds is in `istio_routes`, what a subset holds in `istio_subsets`; here is which objects there are, and in
what order they change.
"""

from __future__ import annotations

import copy
from typing import Final, NamedTuple

from actors.kube_events import Said
from actors.rollout.model import Ro
from actors.rollout.traffic import istio_routes, istio_subsets
from actors.rollout.traffic.edit import edited, settings
from actors.rollout.traffic.istio_routes import PROTOCOLS, Parties
from actors.rollout.traffic.protocol import (
    EXPERIMENT,
    HEADER,
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

VIRTUAL_SERVICES: Final = Resource("networking.istio.io/v1alpha3", "VirtualService", "virtualservices")
DESTINATION_RULES: Final = Resource("networking.istio.io/v1alpha3", "DestinationRule", "destinationrules")
PATH: Final = "spec.strategy.canary.trafficRouting.istio"


class Named(NamedTuple):
    """A VirtualService that the Rollout names, with what it says of its routes."""

    ref: Reference
    wish: Object


class Istio(Router):
    """The router."""

    key = "istio"
    title = "Istio"
    abilities = frozenset({WEIGHT, HEADER, MIRROR, EXPERIMENT, PING_PONG})
    resources: tuple[Resource, ...] = (VIRTUAL_SERVICES, DESTINATION_RULES)
    abroad: tuple[Resource, ...] = (VIRTUAL_SERVICES,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The VirtualServices, and the DestinationRule."""
        rule = rule_reference(ro)
        return (*(named.ref for named in virtual_services(ro)), *((rule,) if rule else ()))

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """One way to name VirtualServices; each is there, with the routes that are named and both sides in them."""
        istio = settings(ro, "istio")
        several = istio.get("virtualServices") is not None
        if several == bool(istio.get("virtualService")):
            return [Fault(PATH, None, "either VirtualService or VirtualServices must be configured")]
        path = f"{PATH}.{'virtualServices' if several else 'virtualService'}.name"
        faults = []
        for ref, wish in virtual_services(ro):
            known = objects.get(ref)
            if known is None:
                faults.append(Fault(path, ref.name, f'virtualservices.networking.istio.io "{ref.name}" not found'))
                continue
            faults += [Fault(path, ref.name, text) for text in istio_routes.problems(ro, known, wish, parties(ro))]
        rule = rule_reference(ro)
        if rule and objects.get(rule) is None:
            text = f'destinationrules.networking.istio.io "{rule.name}" not found'
            faults.append(Fault(f"{PATH}.destinationRule.name", rule.name, text))
        return faults

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Subsets first, then weights; the other way round when a canary without pods has to lose its weight."""
        switched = _subsets(ro, objects, shift)
        if isinstance(switched, Refusal):
            return switched
        routed = _routes(ro, objects, shift)
        if isinstance(routed, Refusal):
            return routed
        first, second = (routed, switched) if shift.weight_first else (switched, routed)
        return Moves(first.changes + second.changes, first.said + second.said)

    def references_hash(self, ro: Ro, objects: Objects, value: str) -> bool:
        """Subsets select pods by their hash."""
        ref = rule_reference(ro)
        known = objects.get(ref) if ref else None
        return known is not None and value in istio_subsets.hashes(known)


def virtual_services(ro: Ro) -> list[Named]:
    """The VirtualServices, `name` or `name.namespace`."""
    istio = settings(ro, "istio")
    wishes: list[Object] = istio.get("virtualServices") or [istio.get("virtualService") or {}]
    found = []
    for wish in wishes:
        text = str(wish.get("name") or "").removesuffix(".cluster.local")
        name, dot, namespace = text.rpartition(".")
        ref = Reference(VIRTUAL_SERVICES, namespace if dot else ro.namespace, name if dot else namespace)
        if ref.name:
            found.append(Named(ref, wish))
    return found


def rule_reference(ro: Ro) -> Reference | None:
    """The DestinationRule, when there is one."""
    name = (settings(ro, "istio").get("destinationRule") or {}).get("name")
    return Reference(DESTINATION_RULES, ro.namespace, str(name)) if name else None


def parties(ro: Ro, shift: Shift | None = None) -> Parties:
    """Who shares the traffic, by Service and by subset."""
    canary, rule = ro.canary or {}, settings(ro, "istio").get("destinationRule") or {}
    ping_pong = canary.get("pingPong") or {}
    return Parties(
        canary=shift.canary_service
        if shift
        else str(canary.get("canaryService") or ping_pong.get("pongService") or ""),
        stable=shift.stable_service
        if shift
        else str(canary.get("stableService") or ping_pong.get("pingService") or ""),
        canary_subset=str(rule.get("canarySubsetName") or ""),
        stable_subset=str(rule.get("stableSubsetName") or ""),
        more_subsets=tuple(rule.get("additionalSubsetNames") or ()),
        uses_subsets=bool(rule),
    )


def _routes(ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
    changes: list[Change] = []
    said: list[Said] = []
    rule = rule_reference(ro)
    known_rule = objects.get(rule) if rule else None
    who = parties(ro, shift)._replace(rule_host=str(((known_rule or {}).get("spec") or {}).get("host") or ""))
    for ref, wish in virtual_services(ro):
        known = objects.get(ref)
        if known is None:
            return Refusal(f"VirtualService `{ref.name}` not found: create it, or name another one in {PATH}")
        problem = next(iter(istio_routes.problems(ro, known, wish, who)), "")
        if problem:
            return Refusal(problem)
        wanted = copy.deepcopy(known)
        for protocol in PROTOCOLS:
            if protocol in wanted["spec"]:
                wanted["spec"][protocol] = istio_routes.routed(
                    ro, wanted["spec"][protocol], protocol, (wish, who, shift)
                )
        change = edited(VIRTUAL_SERVICES, known, wanted)
        if change:
            changes.append(change)
            text = f"VirtualService `{ref.name}` set to desiredWeight '{shift.canary}'"
            said.append(Said("Updated VirtualService", text))
    return Moves(tuple(changes), tuple(said))


def _subsets(ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
    ref = rule_reference(ro)
    if ref is None:
        return Moves()
    waits = _waits_for(ro, shift)
    if waits:
        return Refusal(f"delaying destination rule switch: the ReplicaSet of hash {waits} is not fully available")
    known = objects.get(ref)
    if known is None:
        return Refusal(f"DestinationRule `{ref.name}` not found: create it, or name another one in {PATH}")
    who = parties(ro, shift)
    change = edited(DESTINATION_RULES, known, istio_subsets.switched(ro, known, who, shift))
    if change is None:
        return Moves()
    sides = f"{who.canary_subset}: {shift.canary_hash}, {who.stable_subset}: {shift.stable_hash}"
    return Moves((change,), (Said("UpdatedDestinationRule", f"DestinationRule {ref.name} subset updated ({sides})"),))


def _waits_for(ro: Ro, shift: Shift) -> str:
    """The version whose pods a subset must not select yet; Services, where there are any, wait for themselves."""
    canary = ro.canary or {}
    if canary.get("canaryService") or canary.get("stableService"):
        return ""
    needed = (shift.stable_hash,) if shift.is_retreat else (shift.canary_hash, shift.stable_hash)
    return next((value for value in needed if value and value in shift.unready), "")
