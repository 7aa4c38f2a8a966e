"""App Mesh: weights of a VirtualRouter's targets, and nodes that select the pods of their version."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from actors.rollout.model import Ro
from actors.rollout.traffic.appmesh import AppMesh, virtual_nodes, virtual_routers, virtual_services
from actors.rollout.traffic.protocol import Fault, Moves, Objects, Refusal
from runtime.messages import Patch
from runtime.objects import Object, Reference
from tests.pure.traffic.cases import NAMESPACE, Cluster, app_mesh, cluster, meshed, meshed_route, rollout, shift, thing

ROUTER = AppMesh()
HASH = "rollouts-pod-template-hash"
PATH = "spec.strategy.canary.trafficRouting.appmesh.virtualService"
KINDS = ("httpRoute", "tcpRoute", "http2Route", "grpcRoute")
TARGETS = "spec.routes[0].httpRoute.action.weightedTargets"
SERVICE, VIRTUAL_ROUTER, CANARY, STABLE = (
    Reference(resource, NAMESPACE, name)
    for resource, name in (
        (virtual_services(), "service"),
        (virtual_routers(), "router"),
        (virtual_nodes(), "canary-node"),
        (virtual_nodes(), "stable-node"),
    )
)


def ro(**service: Any) -> Ro:
    return rollout(app_mesh(**service))


def weights(known: Cluster) -> dict[str, list[int]]:
    """Of the canary and of stable, by route."""
    routes = known.one(virtual_routers(), "router")["spec"]["routes"]
    kinds = [next(kind for kind in KINDS if kind in route) for route in routes]
    return {
        route["name"]: [each["weight"] for each in route[kind]["action"]["weightedTargets"]]
        for route, kind in zip(routes, kinds, strict=True)
    }


def selected(known: Cluster) -> dict[str, str]:
    """What the nodes select, by side."""
    nodes = {side: known.one(virtual_nodes(), f"{side}-node") for side in ("canary", "stable")}
    return {side: node["spec"]["podSelector"]["matchLabels"][HASH] for side, node in nodes.items()}


def refusal(known: Objects) -> Refusal:
    answer = ROUTER.plan(ro(), known, shift(55))
    assert isinstance(answer, Refusal)
    return answer


def without(ref: Reference) -> dict[Reference, Object | None]:
    return {**cluster(*meshed()), ref: None}


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_every_kind_of_route_are_weighted_and_nothing_changes_where_they_are_right(kind: str) -> None:
    known = cluster(*meshed(meshed_route(kind=kind)))
    assert ROUTER.check(ro(), known) == []
    known.apply(ROUTER.plan(ro(), known, shift(55)))
    assert weights(known) == {"primary": [55, 45]}
    assert ROUTER.plan(ro(), known, shift(55)) == Moves()


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("named", "changed"), [
    (None, ["primary", "second"]), ([], ["primary", "second"]), (["primary"], ["primary"]), (["unknown"], []),
    (["unknown", "second"], ["second"]),
])  # fmt: skip
def test_all_routes_are_weighted_or_those_that_are_named(named: list[str] | None, changed: list[str]) -> None:
    known = cluster(*meshed(meshed_route(), meshed_route("second", "grpcRoute")))
    wanted = ro(routes=named)
    known.apply(ROUTER.plan(wanted, known, shift(55)))
    assert weights(known) == {name: [55, 45] if name in changed else [0, 100] for name in ("primary", "second")}


@pytest.mark.spec("RO-1.6-appmesh")
def test_targets_of_other_nodes_and_of_other_namespaces_keep_their_weights() -> None:
    route = meshed_route()
    targets = route["httpRoute"]["action"]["weightedTargets"]
    targets[0]["virtualNodeRef"]["namespace"] = NAMESPACE
    targets += [
        {"virtualNodeRef": {"name": "canary-node", "namespace": "elsewhere"}, "weight": 7},
        {"virtualNodeRef": {"name": "another"}, "weight": 8},
    ]
    known = cluster(*meshed(route))
    known.apply(ROUTER.plan(ro(), known, shift(55)))
    assert weights(known) == {"primary": [55, 45, 7, 8]}


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("told", "before", "after"), [
    (("canary-new", "stable-new"), (None, None), ("canary-new", "stable-new")),
    (("canary-new", "stable-new"), ("canary-old", "stable-old"), ("canary-new", "stable-new")),
    (("", ""), ("canary-old", "stable-old"), ("canary-hash", "stable-hash")),
    (("12345", "12345"), ("canary-old", "stable-old"), ("canary-hash", "12345")),
])  # fmt: skip
def test_nodes_select_the_pods_of_their_version_and_never_the_same(
    told: tuple[str, str], before: tuple[str | None, str | None], after: tuple[str, str]
) -> None:
    known = cluster(*meshed())
    for side, value in zip(("canary", "stable"), before, strict=True):
        if value is not None:
            known.one(virtual_nodes(), f"{side}-node")["spec"]["podSelector"]["matchLabels"][HASH] = value
    answer = ROUTER.plan(ro(), known, shift(0, canary_hash=told[0], stable_hash=told[1]))
    assert isinstance(answer, Moves)
    assert [change.ref.name for change in answer.changes if isinstance(change, Patch)] == ["stable-node", "canary-node"]
    known.apply(answer)
    assert selected(known) == {"canary": after[0], "stable": after[1]}
    assert known.one(virtual_nodes(), "canary-node")["spec"]["podSelector"]["matchLabels"]["app"] == "demo"
    assert "annotations" not in known.one(virtual_nodes(), "canary-node")["metadata"]


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(
    "spec", [{}, {"podSelector": {}}, {"podSelector": None}, {"podSelector": {"matchLabels": None}}]
)
def test_a_node_without_labels_gets_the_hash_alone(spec: Object) -> None:
    known = cluster(*meshed())
    for ref in (CANARY, STABLE):
        known[ref] = thing(virtual_nodes(), ref.name, copy.deepcopy(spec))
    known.apply(ROUTER.plan(ro(), known, shift(0)))
    assert selected(known) == {"canary": "h2", "stable": "h1"}
    assert known.one(virtual_nodes(), "canary-node")["spec"]["podSelector"]["matchLabels"] == {HASH: "h2"}


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("weight_first", "order"), [
    (False, ["stable-node", "canary-node", "router"]), (True, ["router", "stable-node", "canary-node"]),
])  # fmt: skip
def test_nodes_come_before_weights_unless_a_canary_without_pods_loses_its_weight(
    weight_first: bool, order: list[str]
) -> None:
    answer = ROUTER.plan(ro(), cluster(*meshed()), shift(55, weight_first=weight_first))
    assert isinstance(answer, Moves)
    assert [change.ref.name for change in answer.changes if isinstance(change, Patch)] == order


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("ref", "message", "reason", "what"), [
    (SERVICE, "Virtual-service is missing", "VirtualServiceNotFound", "VirtualService `service`"),
    (VIRTUAL_ROUTER, "Virtual-router is missing", "VirtualRouterNotFound", "VirtualRouter for `service`"),
    (STABLE, "Virtual-node is missing", "VirtualNodeNotFound", "VirtualNode `stable-node`"),
    (CANARY, "Virtual-node is missing", "VirtualNodeNotFound", "VirtualNode `canary-node`"),
])  # fmt: skip
def test_what_is_not_there_is_told_with_a_warning_of_its_own(
    ref: Reference, message: str, reason: str, what: str
) -> None:
    answer = refusal(without(ref))
    warning = f"{what} not found in namespace `web`"
    assert answer.message == message
    assert [(said.reason, said.message, said.warning) for said in answer.warnings] == [(reason, warning, True)]


@pytest.mark.spec("RO-1.6-appmesh")
def test_a_service_that_leads_to_a_node_is_refused() -> None:
    known = cluster(*meshed())
    provider = {"virtualNode": {"virtualNodeRef": {"name": "canary-node"}}}
    known[SERVICE] = thing(virtual_services(), "service", {"provider": provider})
    text = "Virtual-service is not associated with virtual-router"
    assert refusal(known) == Refusal(text)
    assert ROUTER.check(ro(), known) == [Fault(PATH, "service.web", text)]
    assert ROUTER.follows(ro(), known) == ()


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("routes", "text"), [
    (None, 'spec.routes: Invalid value: "router": No routes found'),
    (["malformed-content"], 'spec.routes[0]: Invalid value: "router": not well-formed'),
    ([{"httpRoute": {}}], 'spec.routes[0].name: Invalid value: "router": not well-formed'),
    ([{"name": "primary", "badRoute": {}}], 'spec.routes[0]: Invalid value: "router": not well-formed'),
    ([{"name": "primary", "httpRoute": {}}], f'{TARGETS}: Invalid value: "router": not well-formed'),
    ([{"name": "primary", "httpRoute": {"action": {"weightedTargets": ["a"]}}}],
     f'{TARGETS}[0]: Invalid value: "router": not well-formed'),
    ([{"name": "primary", "httpRoute": {"action": {"weightedTargets": [{"weight": 1}]}}}],
     f'{TARGETS}[0].virtualNodeRef: Invalid value: "router": not well-formed'),
    ([{"name": "primary", "httpRoute": {"action": {"weightedTargets": [{"virtualNodeRef": {"name": "a"}}]}}}],
     f'{TARGETS}[0].weight: Invalid value: "router": not well-formed'),
])  # fmt: skip
def test_a_route_that_cannot_be_weighted_is_told_with_its_path(routes: list[Any] | None, text: str) -> None:
    known = cluster(*meshed())
    known[VIRTUAL_ROUTER] = thing(virtual_routers(), "router", {} if routes is None else {"routes": routes})
    assert refusal(known).message == text


def _one_of(count: int) -> Object:
    targets = [{"virtualNodeRef": {"name": f"n{at}"}, "weight": 1} for at in range(count)]
    return {"name": "primary", "httpRoute": {"action": {"weightedTargets": targets}}}


WHOSE = "AppMesh virtual-router router and route primary"
UNSUPPORTED = f"Error getting route details for {WHOSE}. Error: Route has unsupported route type"


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("routes", "path", "message"), [
    (None, "spec.routes", "No routes defined for AppMesh virtual-router router"),
    ([], "spec.routes", "No routes defined for AppMesh virtual-router router"),
    (["invalid-spec"], "spec.routes[0]", "Invalid route was found for AppMesh virtual-router router at index 0"),
    ([{"name": "primary", "badRouteType": None}], "spec.routes[0]", UNSUPPORTED),
    ([{"name": "primary", "httpRoute": {"action": None}}], TARGETS, f"Invalid route action found for {WHOSE}"),
    ([_one_of(1)], TARGETS, f"Invalid number of weightedTargets (1) for {WHOSE}, expected 2"),
    ([_one_of(3)], TARGETS, f"Invalid number of weightedTargets (3) for {WHOSE}, expected 2"),
])  # fmt: skip
def test_a_router_whose_routes_are_unfit_makes_the_rollout_unfit(
    routes: list[Any] | None, path: str, message: str
) -> None:
    """Also where the Rollout names another route."""
    known = cluster(*meshed())
    known[VIRTUAL_ROUTER] = thing(virtual_routers(), "router", {"routes": routes})
    assert ROUTER.check(ro(routes=["elsewhere"]), known) == [Fault(path, "router", message)]


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize(("ref", "message"), [
    (SERVICE, 'virtualservices.appmesh.k8s.aws "service" not found'),
    (VIRTUAL_ROUTER, 'virtualrouters.appmesh.k8s.aws "router" not found'),
])  # fmt: skip
def test_a_service_or_a_router_that_is_not_there_makes_the_rollout_unfit(ref: Reference, message: str) -> None:
    assert ROUTER.check(ro(), without(ref)) == [Fault(PATH, "service.web", message)]


@pytest.mark.parametrize(("settings", "message"), [
    ({}, "must provide virtual-service"),
    ({"virtualService": {"name": "service"}}, "must provide virtual-node-group"),
])  # fmt: skip
def test_what_is_not_named_is_asked_for(settings: Object, message: str) -> None:
    [fault] = ROUTER.check(rollout({"appMesh": settings}), {})
    assert (fault.value, fault.is_internal, fault.message) == (None, False, message)


@pytest.mark.spec("RO-1.6-appmesh")
@pytest.mark.parametrize("namespace", [None, "", "elsewhere"])
def test_the_virtual_router_is_the_one_that_the_service_names_also_in_another_namespace(namespace: str | None) -> None:
    known = cluster(*meshed())
    ref = {"name": "router"} if namespace is None else {"name": "router", "namespace": namespace}
    provider = {"virtualRouter": {"virtualRouterRef": ref}}
    known[SERVICE] = thing(virtual_services(), "service", {"provider": provider})
    assert ROUTER.follows(ro(), known) == (VIRTUAL_ROUTER._replace(namespace=namespace or NAMESPACE),)
    assert ROUTER.follows(ro(), {}) == ()


@pytest.mark.spec("RO-1.6-appmesh")
def test_the_version_of_the_api_is_that_of_all_its_kinds() -> None:
    router = AppMesh("v1beta3")
    assert {each.api_version for each in router.resources} == {"appmesh.k8s.aws/v1beta3"}
    assert [each.resource.plural for each in router.needs(ro())] == ["virtualservices", "virtualnodes", "virtualnodes"]


@pytest.mark.spec("RO-1.6-appmesh")
def test_it_never_confirms_a_weight_and_knows_the_versions_that_its_nodes_select() -> None:
    known = cluster(*meshed())
    known.apply(ROUTER.plan(ro(), known, shift(20)))
    assert ROUTER.verify(ro(), known, shift(20)) is None
    assert [ROUTER.references_hash(ro(), known, value) for value in ("h1", "h2", "gone")] == [True, True, False]
