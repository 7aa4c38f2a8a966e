"""Routes of a VirtualService: which of them a Rollout weights, and what they say at given weights. Pure lists of dicts.

A destination belongs to a side by the first label of its host, or by its subset. Whatever else stands in a weighted
route is a destination of an experiment that is over, and goes; subsets listed as additional keep their weight, and
stable gives it up.
"""

from __future__ import annotations

import copy
from typing import Final, NamedTuple, TypeAlias

from actors.rollout.model import Ro
from actors.rollout.traffic.edit import entries, managed_names
from actors.rollout.traffic.protocol import Shift
from runtime.objects import Object

PROTOCOLS: Final = ("http", "tls", "tcp")
WISHES: Final = {"http": "routes", "tls": "tlsRoutes", "tcp": "tcpRoutes"}


class Parties(NamedTuple):
    """Who shares the traffic."""

    canary: str
    stable: str
    canary_subset: str = ""
    stable_subset: str = ""
    more_subsets: tuple[str, ...] = ()
    uses_subsets: bool = False
    rule_host: str = ""  # of the DestinationRule: where routes of our own lead

    def side(self, destination: Object) -> str:
        """canary, stable, additional, or empty for anybody else."""
        where = destination.get("destination") or {}
        host, subset = host_of(destination), where.get("subset") or ""
        if (host and host == self.canary) or (subset and subset == self.canary_subset):
            return "canary"
        if (host and host == self.stable) or (subset and subset == self.stable_subset):
            return "stable"
        return "additional" if subset and subset in self.more_subsets else ""


Told: TypeAlias = tuple[Object, Parties, Shift]
"""What the Rollout says of a VirtualService, who shares, and how."""


def host_of(destination: Object) -> str:
    """The first label of a destination's host."""
    return str((destination.get("destination") or {}).get("host") or "").partition(".")[0]


def problems(ro: Ro, virtual_service: Object, wish: Object, who: Parties) -> list[str]:
    """What makes a VirtualService unfit, in upstream's words."""
    spec = virtual_service.get("spec") or {}
    if not any(protocol in spec for protocol in PROTOCOLS):
        return ["Unable to get any of the HTTP, TCP or TLS routes for the Istio VirtualService"]
    found = []
    for protocol in PROTOCOLS:
        if protocol in spec:
            problem = _problem(ro, entries(spec, protocol), wish, (protocol, who))
            if problem:
                found.append(f"Istio VirtualService has invalid {protocol.upper()} routes. Error: {problem}")
    return found


def _problem(ro: Ro, routes: list[Object], wish: Object, about: tuple[str, Parties]) -> str:
    protocol, who = about
    wished = wish.get(WISHES[protocol]) or []
    for each in wished:
        if not _found(routes, each, protocol):
            if protocol == "http":
                return f"HTTP Route '{each}' is not found in the defined Virtual Service."
            return f"No matching {protocol.upper()} routes found in the defined Virtual Service."
    for index in chosen(routes, wished, protocol):
        problem = _destinations_problem(entries(routes[index], "route"), who)
        if problem:
            return problem
    managed = managed_names(ro)
    own = [route for route in routes if route.get("name") not in managed] if protocol == "http" else routes
    if not wished and len(own) > 1:
        field = f"spec.strategy.canary.trafficRouting.istio.virtualService.{WISHES[protocol]}"
        where = f"spec.{protocol}[] should be set in VirtualService"
        return f"{where} and it must have exactly one route when omitting {field}"
    return ""


def _destinations_problem(destinations: list[Object], who: Parties) -> str:
    if who.uses_subsets:
        subsets = {(each.get("destination") or {}).get("subset") for each in destinations}
        for side, name in (("Canary", who.canary_subset), ("Stable", who.stable_subset)):
            if name not in subsets:
                return f"{side} DestinationRule subset '{name}' not found in route"
        return ""
    hosts = {host_of(each) for each in destinations}
    for side, name in (("Canary", who.canary), ("Stable", who.stable)):
        if name not in hosts:
            return f"{side} Service '{name}' not found in route"
    return ""


# ------------------------------------------------------------------------------------------------ which routes


def chosen(routes: list[Object], wished: list[Object], protocol: str) -> list[int]:
    """The routes that are weighted, by index. Without a wish: the only one, or for HTTP the first one without name."""
    if wished:
        return [index for each in wished for index in _found(routes, each, protocol)]
    if not routes:
        return []
    if protocol != "http" or len(routes) == 1:
        return [0]
    return [index for index, route in enumerate(routes) if not route.get("name")][:1]


def _found(routes: list[Object], wished: Object | str, protocol: str) -> list[int]:
    if protocol == "http":
        return [index for index, route in enumerate(routes) if route.get("name") == wished][:1]
    assert isinstance(wished, dict)
    return [index for index, route in enumerate(routes) if _matches(route, wished)]


def _matches(route: Object, wished: Object) -> bool:
    """By port, and for TLS by exactly these SNI hosts; a route for several ports is nobody's."""
    matches = entries(route, "match")
    ports = {int(each.get("port") or 0) for each in matches}
    hosts = {str(host) for each in matches for host in each.get("sniHosts") or ()}
    if len(ports) > 1 or next(iter(ports), 0) != int(wished.get("port") or 0):
        return False
    return hosts == set(wished.get("sniHosts") or ())


# ------------------------------------------------------------------------------------------------ what they say


def routed(ro: Ro, routes: list[Object], protocol: str, told: Told) -> list[Object]:
    """The routes at the shift's weights, with header and mirror routes added or taken away, in order of precedence."""
    wish, who, shift = told
    managed = managed_names(ro)
    if protocol == "http":
        wish = _with_only_route(wish, routes, managed)
        told = wish, who, shift
    made = [copy.deepcopy(route) for route in routes]
    if protocol == "http" and shift.removes_managed:
        made = [route for route in made if route.get("name") not in managed]
    weighted = set(chosen(made, wish.get(WISHES[protocol]) or [], protocol))
    for index, route in enumerate(made):
        is_mirror = protocol == "http" and "mirror" in route and route.get("name") in managed
        if index in weighted or is_mirror:
            route["route"] = _destinations(entries(route, "route"), who, shift)
    if protocol != "http":
        return made
    if shift.header_route is not None and not shift.removes_managed:
        made = _with_header_route(made, told)
    if shift.mirror_route is not None and not shift.removes_managed:
        made = _with_mirror_route(made, told)
    rank = {name: at for at, name in enumerate(managed)}
    return sorted(made, key=lambda route: rank.get(str(route.get("name")), len(rank)))


def _with_only_route(wish: Object, routes: list[Object], managed: list[str]) -> Object:
    """A wish for no route is one for the user's only route, also while managed routes stand beside it.

    Upstream finds it there only if it has no name: one with a name keeps its weights while the status tells others."""
    own = [str(route.get("name") or "") for route in routes if route.get("name") not in managed]
    if wish.get("routes") or len(own) != 1 or not own[0]:
        return wish
    return {**wish, "routes": own}


def _destinations(destinations: list[Object], who: Parties, shift: Shift) -> list[Object]:
    extra = {each.service: each.weight for each in shift.additional}
    given = sum(int(each.get("weight") or 0) for each in destinations if who.side(each) == "additional")
    weights = {"canary": shift.canary, "stable": max(shift.stable - given, 0)}
    found = []
    for each in destinations:
        side, host = who.side(each), host_of(each)
        if side in weights:
            found.append({**each, "weight": weights[side]})
        elif host in extra:
            found.append({**each, "weight": extra.pop(host)})
        elif side == "additional":
            found.append(each)
    return found + [{"destination": {"host": host}, "weight": weight} for host, weight in sorted(extra.items())]


def _with_header_route(routes: list[Object], told: Told) -> list[Object]:
    shift = told[2]
    step = shift.header_route or {}
    rest = [route for route in routes if route.get("name") != step.get("name")]
    if not step.get("match"):
        return rest
    match = [
        {
            "headers": {
                each["headerName"]: {kind: text for kind, text in (each.get("headerValue") or {}).items() if text}
            }
        }
        for each in step["match"]
    ]
    destination = {"destination": _own_destination(rest, told), "weight": 100}
    return [*rest, {"name": step.get("name"), "match": match, "route": [destination]}]


def _with_mirror_route(routes: list[Object], told: Told) -> list[Object]:
    wish, _, shift = told
    step = shift.mirror_route or {}
    rest = [route for route in routes if route.get("name") != step.get("name")]
    if not step.get("match"):
        return rest
    match = [
        {
            key: each[name]
            for key, name in (("method", "method"), ("uri", "path"), ("headers", "headers"))
            if each.get(name)
        }
        for each in step["match"]
    ]
    base = chosen(rest, wish.get("routes") or [], "http")
    share = step.get("percentage")
    made = {
        "name": step.get("name"),
        "match": match,
        "route": copy.deepcopy(entries(rest[base[0]], "route")) if base else [],
        "mirror": _own_destination(rest, told),
        "mirrorPercentage": {"value": 100 if share is None else share},
    }
    return [made, *rest]


def _own_destination(routes: list[Object], told: Told) -> Object:
    """The canary, on the port that the weighted route uses."""
    wish, who, _ = told
    made: Object = {"host": who.rule_host or who.canary}
    base = chosen(routes, wish.get("routes") or [], "http")
    first = next(iter(entries(routes[base[0]], "route")), {}) if base else {}
    port = (first.get("destination") or {}).get("port")
    if port:
        made["port"] = dict(port)
    if who.canary_subset:
        made["subset"] = who.canary_subset
    return made
