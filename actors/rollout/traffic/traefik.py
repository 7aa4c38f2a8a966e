"""Traefik: a weighted TraefikService, written by somebody else, shares requests among Kubernetes Services."""

from __future__ import annotations

import copy
from typing import Final

from actors.rollout.model import Ro
from actors.rollout.traffic.edit import edited, entries, settings
from actors.rollout.traffic.protocol import WEIGHT, Fault, Moves, Objects, Refusal, Router, Shift
from runtime.objects import Object, Reference, Resource

SERVICES: Final = Resource("traefik.io/v1alpha1", "TraefikService", "traefikservices")
PATH: Final = "spec.strategy.canary.trafficRouting.traefik.weightedTraefikServiceName"


class Traefik(Router):
    """The router."""

    key = "traefik"
    title = "Traefik"
    abilities = frozenset({WEIGHT})
    resources: tuple[Resource, ...] = (SERVICES,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The weighted service."""
        return (_reference(ro),)

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """It has to be named; upstream looks at the object only when it moves traffic."""
        del objects
        return [] if _name(ro) else [Fault(PATH, None, "a weighted TraefikService has to be named")]

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Give both Services their weights."""
        known = objects.get(_reference(ro))
        if known is None:
            return Refusal(f'traefikservices.traefik.io "{_name(ro)}" not found: create it, or name another in {PATH}')
        wanted = copy.deepcopy(known)
        weights = {shift.canary_service: shift.canary, shift.stable_service: shift.stable}
        for service, weight in weights.items():
            entry = _entry(wanted, service)
            if entry is None:
                return Refusal(f"TraefikService {_name(ro)} has no service {service!r} in spec.weighted.services")
            entry["weight"] = weight
        change = edited(SERVICES, known, wanted)
        return Moves((change,) if change else ())


def _name(ro: Ro) -> str:
    return str(settings(ro, "traefik").get("weightedTraefikServiceName") or "")


def _reference(ro: Ro) -> Reference:
    return Reference(SERVICES, ro.namespace, _name(ro))


def _entry(service: Object, name: str) -> Object | None:
    return next((each for each in entries(service, "spec", "weighted", "services") if each.get("name") == name), None)
