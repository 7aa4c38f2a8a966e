"""Istio: subsets, protocols, and the sentences about VirtualServices that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout.release import release
from actors.rollout.traffic.istio import DESTINATION_RULES, VIRTUAL_SERVICES, Istio, virtual_services
from actors.rollout.traffic.protocol import Destination, Moves, Refusal
from runtime.messages import Patch
from runtime.objects import Reference
from tests.pure.traffic.cases import Cluster, cluster, destination, rollout, shift, thing, virtual_service

ROUTER = Istio()
HASH = "rollouts-pod-template-hash"


def subset_rollout(**rule: Any) -> Any:
    names = {"name": "dr", "canarySubsetName": "canary", "stableSubsetName": "stable", **rule}
    return rollout(
        {"istio": {"virtualService": {"name": "vs"}, "destinationRule": names}}, canaryService="", stableService=""
    )


def subset_cluster(*more: dict[str, Any]) -> Cluster:
    pair = [destination("app", 100, subset="stable"), destination("app", 0, subset="canary"), *more]
    subsets = [
        {"name": "stable", "labels": {"app": "demo"}, "trafficPolicy": {"kept": True}},
        {"name": "canary"},
        {"name": "past", "labels": {HASH: "gone"}},
        {"name": "more", "labels": {"app": "more"}},
    ]
    rule = thing(DESTINATION_RULES, "dr", {"host": "app", "subsets": subsets})
    return cluster(virtual_service(http=[{"route": pair}]), rule)


def told(canary: int, **more: Any) -> Any:
    return shift(canary, canary_service="", stable_service="", **more)


def subsets(found: Cluster) -> dict[str, Any]:
    return {each["name"]: each.get("labels") for each in found.one(DESTINATION_RULES, "dr")["spec"]["subsets"]}


def weights(found: Cluster) -> list[int]:
    return [each["weight"] for each in found.one(VIRTUAL_SERVICES, "vs")["spec"]["http"][0]["route"]]


@pytest.mark.spec("RO-1.6-istio-subsets")
def test_subsets_get_the_hashes_of_both_sides_and_keep_everything_else() -> None:
    ro, known = subset_rollout(), subset_cluster()
    known.apply(ROUTER.plan(ro, known, told(25)))
    assert subsets(known) == {"stable": {"app": "demo", HASH: "h1"}, "canary": {HASH: "h2"}}
    rule = known.one(DESTINATION_RULES, "dr")
    assert rule["spec"]["subsets"][0]["trafficPolicy"] == {"kept": True}
    assert rule["metadata"]["annotations"] == {"argo-rollouts.argoproj.io/managed-by-rollouts": "demo"}
    assert weights(known) == [75, 25]
    assert known.apply(ROUTER.plan(ro, known, told(25))) == 0


def test_subsets_that_the_rollout_lists_keep_their_weight_and_stable_gives_it_up() -> None:
    ro = subset_rollout(additionalSubsetNames=["more"])
    known = subset_cluster(destination("app", 10, subset="more"))
    known.apply(ROUTER.plan(ro, known, told(25)))
    assert weights(known) == [65, 25, 10]
    assert "more" in subsets(known)
    assert "past" not in subsets(known)


def test_a_version_of_an_experiment_gets_a_subset_for_as_long_as_it_runs() -> None:
    ro, known = subset_rollout(), subset_cluster()
    known.apply(ROUTER.plan(ro, known, told(25, additional=(Destination(5, "exp", "he"),))))
    assert subsets(known)["exp"] == {HASH: "he"}
    known.apply(ROUTER.plan(ro, known, told(25)))
    assert set(subsets(known)) == {"stable", "canary"}


def test_subsets_do_not_select_a_version_before_it_is_available_unless_it_is_given_up() -> None:
    ro, known = subset_rollout(), subset_cluster()
    answer = ROUTER.plan(ro, known, told(25, unready=frozenset({"h2"})))
    assert isinstance(answer, Refusal)
    assert "h2 is not fully available" in answer.message
    assert not isinstance(ROUTER.plan(ro, known, told(0, unready=frozenset({"h2"}), is_retreat=True)), Refusal)
    assert isinstance(ROUTER.plan(ro, known, told(0, unready=frozenset({"h1"}), is_retreat=True)), Refusal)


def test_a_canary_without_pods_loses_its_weight_before_its_hash_changes() -> None:
    ro, known = subset_rollout(), subset_cluster()
    usual = ROUTER.plan(ro, known, told(25))
    empty = ROUTER.plan(ro, known, told(25, weight_first=True))
    assert not isinstance(usual, Refusal)
    assert not isinstance(empty, Refusal)
    assert _kinds(usual.changes) == ["DestinationRule", "VirtualService"]
    assert _kinds(empty.changes) == ["VirtualService", "DestinationRule"]


def _kinds(changes: Any) -> list[str]:
    return [change.ref.resource.kind for change in changes if isinstance(change, Patch)]


@pytest.mark.spec("RO-1.6-istio-release")
def test_a_rule_that_is_given_back_has_no_hash_and_no_mark_and_keeps_the_rest() -> None:
    ro, known = subset_rollout(), subset_cluster()
    known.apply(ROUTER.plan(ro, known, told(25)))
    ref = Reference(DESTINATION_RULES, "web", "dr")
    patch = release(ref, known.one(DESTINATION_RULES, "dr"))
    assert patch is not None
    known.apply(Moves((patch,)))
    assert subsets(known) == {"stable": {"app": "demo"}, "canary": {}}
    rule = known.one(DESTINATION_RULES, "dr")
    assert rule["spec"]["subsets"][0]["trafficPolicy"] == {"kept": True}
    assert release(ref, rule) is None


def test_a_rule_says_which_versions_it_selects() -> None:
    ro, known = subset_rollout(), subset_cluster()
    assert ROUTER.references_hash(ro, known, "gone")
    assert not ROUTER.references_hash(ro, known, "h1")


@pytest.mark.spec("RO-1.6-istio-header")
def test_a_header_route_leads_to_the_rules_host_the_canarys_subset_and_the_weighted_routes_port() -> None:
    ro, known = subset_rollout(), subset_cluster()
    known.one(VIRTUAL_SERVICES, "vs")["spec"]["http"][0]["route"][0]["destination"]["port"] = {"number": 8080}
    match = [{"headerName": "x", "headerValue": {"prefix": "a"}}]
    known.apply(ROUTER.plan(ro, known, told(0, header_route={"name": "first", "match": match})))
    assert known.one(VIRTUAL_SERVICES, "vs")["spec"]["http"][0] == {
        "name": "first",
        "match": [{"headers": {"x": {"prefix": "a"}}}],
        "route": [{"destination": {"host": "app", "port": {"number": 8080}, "subset": "canary"}, "weight": 100}],
    }


def test_managed_routes_stand_above_all_others_in_their_own_order() -> None:
    ro = rollout({"istio": {"virtualService": {"name": "vs", "routes": ["main"]}}})
    pair = [destination("stable", 100), destination("canary", 0)]
    known = cluster(virtual_service(http=[{"name": "main", "route": pair}]))
    for name in ("second", "first"):
        match = [{"headerName": "x", "headerValue": {"exact": name}}]
        known.apply(ROUTER.plan(ro, known, shift(10, header_route={"name": name, "match": match})))
    routes = known.one(VIRTUAL_SERVICES, "vs")["spec"]["http"]
    assert [route["name"] for route in routes] == ["first", "second", "main"]


@pytest.mark.spec("RO-1.6-istio", "RO-1.6-istio-header", "RO-1.6-istio-mirror")
@pytest.mark.parametrize("name", ["main", None])
def test_the_only_route_that_nobody_named_in_the_wish_is_found_beside_managed_ones(name: str | None) -> None:
    """The weights of the status would be those of no route."""
    ro = rollout({"istio": {"virtualService": {"name": "vs"}}})
    route = {"route": [destination("stable", 100), destination("canary", 0)], **({"name": name} if name else {})}
    known = cluster(virtual_service(http=[route]))
    header = {"name": "first", "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]}
    mirror = {"name": "second", "match": [{"path": {"prefix": "/"}}]}
    known.apply(ROUTER.plan(ro, known, shift(10, header_route=header)))
    known.apply(ROUTER.plan(ro, known, shift(10, mirror_route=mirror)))
    known.apply(ROUTER.plan(ro, known, shift(60)))
    routes = known.one(VIRTUAL_SERVICES, "vs")["spec"]["http"]
    found = {route.get("name"): [each["weight"] for each in route["route"]] for route in routes}
    assert found == {"first": [100], "second": [40, 60], name: [40, 60]}


@pytest.mark.spec("RO-1.6-istio")
def test_tls_and_tcp_routes_are_found_by_port_and_sni_hosts() -> None:
    wish = {"name": "vs", "tlsRoutes": [{"port": 443, "sniHosts": ["a", "b"]}], "tcpRoutes": [{"port": 3000}]}
    ro = rollout({"istio": {"virtualService": wish}})
    pair = [destination("stable", 100), destination("canary", 0)]
    tls = [
        {"match": [{"port": 443, "sniHosts": ["a"]}], "route": pair},
        {"match": [{"port": 443, "sniHosts": ["b", "a"]}], "route": pair},
    ]
    tcp = [{"match": [{"port": 3000}], "route": pair}, {"match": [{"port": 3001}], "route": pair}]
    known = cluster(virtual_service(tls=tls, tcp=tcp))
    known.apply(ROUTER.plan(ro, known, shift(40)))
    spec = known.one(VIRTUAL_SERVICES, "vs")["spec"]
    assert [route["route"][1]["weight"] for route in spec["tls"] + spec["tcp"]] == [0, 40, 40, 0]


@pytest.mark.parametrize(
    ("protocols", "wish", "sentence"),
    [
        ({}, {}, "Unable to get any of the HTTP, TCP or TLS routes"),
        ({"http": [{"route": [destination("stable")]}]}, {}, "Canary Service 'canary' not found in route"),
        ({"http": [{"route": [destination("canary")]}]}, {}, "Stable Service 'stable' not found in route"),
        ({"http": []}, {"routes": ["x"]}, "HTTP Route 'x' is not found in the defined Virtual Service."),
        ({"tls": []}, {"tlsRoutes": [{"port": 1}]}, "No matching TLS routes found in the defined Virtual Service."),
        (
            {"http": [{"name": name, "route": [destination("stable"), destination("canary")]} for name in "ab"]},
            {},
            "must have exactly one route when omitting spec.strategy.canary.trafficRouting.istio.virtualService.routes",
        ),
    ],
)
def test_a_virtual_service_that_does_not_fit_is_told_in_upstreams_words(
    protocols: dict[str, Any], wish: dict[str, Any], sentence: str
) -> None:
    ro = rollout({"istio": {"virtualService": {"name": "vs", **wish}}})
    (fault,) = ROUTER.check(ro, cluster(virtual_service(**protocols)))
    assert sentence in fault.message
    assert fault.path == "spec.strategy.canary.trafficRouting.istio.virtualService.name"


def test_one_or_several_virtual_services_but_not_both_and_not_neither() -> None:
    both: dict[str, Any] = {"virtualService": {"name": "a"}, "virtualServices": [{"name": "b"}]}
    neither: dict[str, Any] = {"destinationRule": {}}
    for istio in (both, neither):
        (fault,) = ROUTER.check(rollout({"istio": istio}), {})
        assert fault.message == "either VirtualService or VirtualServices must be configured"


def test_a_virtual_service_may_be_in_another_namespace() -> None:
    names = [{"name": one} for one in ("a", "b.other", "c.d.other", "e.other.cluster.local")]
    found = virtual_services(rollout({"istio": {"virtualServices": names}}))
    assert [(one.ref.namespace, one.ref.name) for one in found] == [
        ("web", "a"),
        ("other", "b"),
        ("other", "c.d"),
        ("other", "e"),
    ]
