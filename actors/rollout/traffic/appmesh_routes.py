"""Routes of an App Mesh VirtualRouter: which of them are weighted, with which targets, and what is wrong with them.

A route is of one kind (`httpRoute`, `tcpRoute`, …), and its action shares requests among virtual nodes by their names.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from runtime.objects import Object

KINDS: Final = ("httpRoute", "tcpRoute", "http2Route", "grpcRoute")
MALFORMED: Final = "not well-formed"
UNSUPPORTED: Final = "Route has unsupported route type"
ROUTES: Final = "spec.routes"


class Problem(NamedTuple):
    """What is wrong, and where in the VirtualRouter."""

    path: str
    message: str


class Malformed(Exception):
    """A VirtualRouter cannot be weighted."""

    def __init__(self, path: str, message: str = MALFORMED) -> None:
        super().__init__(f"{path}: {message}")
        self.problem = Problem(path, message)


class Shares(NamedTuple):
    """The weights, by the names of virtual nodes in one namespace; only of those routes, unless none is named."""

    weights: Mapping[str, int]
    namespace: str
    routes: frozenset[str] = frozenset()


def problem(router: Object) -> Problem | None:
    """The first thing that makes a VirtualRouter unfit: every route, also one that is not weighted, has two targets."""
    name = router["metadata"]["name"]
    routes = (router.get("spec") or {}).get("routes")
    if not isinstance(routes, list) or not routes:
        return Problem(ROUTES, f"No routes defined for AppMesh virtual-router {name}")
    found = (_route_problem(route, index, name) for index, route in enumerate(routes))
    return next((each for each in found if each is not None), None)


def _route_problem(route: Any, index: int, router: str) -> Problem | None:
    path = f"{ROUTES}[{index}]"
    if not isinstance(route, dict):
        return Problem(path, f"Invalid route was found for AppMesh virtual-router {router} at index {index}")
    whose = f"AppMesh virtual-router {router} and route {route.get('name')}"
    kind = kind_of(route)
    if kind is None:
        return Problem(path, f"Error getting route details for {whose}. Error: {UNSUPPORTED}")
    path, targets = f"{path}.{kind}.action.weightedTargets", _targets(route[kind])
    if targets is None:
        return Problem(path, f"Invalid route action found for {whose}")
    if len(targets) != 2:
        return Problem(path, f"Invalid number of weightedTargets ({len(targets)}) for {whose}, expected 2")
    return None


def kind_of(route: Object) -> str | None:
    """The first of the kinds that a route has; None for none, and for one that holds no settings."""
    kind = next((each for each in KINDS if each in route), None)
    return kind if kind is not None and isinstance(route[kind], dict) else None


def _targets(rule: Object) -> list[Any] | None:
    action = rule.get("action")
    targets = action.get("weightedTargets") if isinstance(action, dict) else None
    return targets if isinstance(targets, list) else None


def weighted(router: Object, shares: Shares) -> Object:
    """The VirtualRouter with these weights; targets that are neither side keep theirs. Raises Malformed."""
    wanted = copy.deepcopy(router)
    routes = (wanted.get("spec") or {}).get("routes")
    if not isinstance(routes, list):
        raise Malformed(ROUTES, "No routes found")
    for index, route in enumerate(routes):
        _weigh_route(route, f"{ROUTES}[{index}]", shares)
    return wanted


def _weigh_route(route: Any, path: str, shares: Shares) -> None:
    if not isinstance(route, dict):
        raise Malformed(path)
    name = route.get("name")
    if not isinstance(name, str):
        raise Malformed(f"{path}.name")
    if shares.routes and name not in shares.routes:
        return
    kind = kind_of(route)
    if kind is None:
        raise Malformed(path)
    path, targets = f"{path}.{kind}.action.weightedTargets", _targets(route[kind])
    if targets is None:
        raise Malformed(path)
    for index, target in enumerate(targets):
        _weigh_target(target, f"{path}[{index}]", shares)


def _weigh_target(target: Any, path: str, shares: Shares) -> None:
    if not isinstance(target, dict):
        raise Malformed(path)
    node, weight = target.get("virtualNodeRef"), target.get("weight")
    if not isinstance(node, dict):
        raise Malformed(f"{path}.virtualNodeRef")
    if not isinstance(weight, int | float) or isinstance(weight, bool):
        raise Malformed(f"{path}.weight")
    wanted = shares.weights.get(str(node.get("name") or ""))
    is_here = (node.get("namespace") or shares.namespace) == shares.namespace
    if is_here and wanted is not None and int(weight) != wanted:
        target["weight"] = wanted
