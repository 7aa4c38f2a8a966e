"""What is particular to one router: the texts and shapes that its own controller reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.rollout.traffic.alb import Alb
from actors.rollout.traffic.apisix import ROUTES, Apisix
from actors.rollout.traffic.gateway import GRPC, HTTP, TCP, Gateway
from actors.rollout.traffic.nginx import INGRESSES
from actors.rollout.traffic.protocol import Refusal
from actors.rollout.traffic.smi import SPLITS, Smi
from tests.pure.traffic.cases import CASES, cluster, gateway_route, ingress, rollout, shift, thing

ALB = "alb.ingress.kubernetes.io"
NOTES = "rollouts.argoproj.io/managed-alb-annotations"


def annotations(found: Any) -> dict[str, str]:
    notes: dict[str, str] = found.one(INGRESSES, "in")["metadata"]["annotations"]
    return notes


@pytest.mark.spec("RO-1.6-alb")
def test_albs_action_is_the_text_that_upstream_writes() -> None:
    sticky = {"enabled": True, "durationSeconds": 300}
    ro = rollout({"alb": {"ingress": "in", "servicePort": 443, "rootService": "root", "stickinessConfig": sticky}})
    known = cluster(ingress("root"))
    known.apply(Alb().plan(ro, known, shift(10)))
    assert annotations(known)[f"{ALB}/actions.root"] == (
        '{"Type":"forward","ForwardConfig":{"TargetGroups":['
        '{"ServiceName":"canary","ServicePort":"443","Weight":10},'
        '{"ServiceName":"stable","ServicePort":"443","Weight":90}],'
        '"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":300}}}'
    )
    assert json.loads(annotations(known)[NOTES]) == {"demo": [f"{ALB}/actions.root"]}


@pytest.mark.spec("RO-1.6-alb-header")
def test_albs_header_route_is_an_action_a_condition_and_a_path_above_the_others() -> None:
    ro = rollout({"alb": {"ingress": "in", "servicePort": 80}})
    known = cluster(ingress("stable"))
    match = [{"headerName": "a", "headerValue": {"exact": text}} for text in ("1", "2")]
    known.apply(Alb().plan(ro, known, shift(10, header_route={"name": "first", "match": match})))
    notes = annotations(known)
    condition = '[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"a","values":["1","2"]}}]'
    assert notes[f"{ALB}/conditions.first"] == condition
    assert json.loads(notes[f"{ALB}/actions.first"])["ForwardConfig"]["TargetGroups"] == [
        {"ServiceName": "canary", "ServicePort": "80", "Weight": 100}
    ]
    paths = known.one(INGRESSES, "in")["spec"]["rules"][0]["http"]["paths"]
    assert [path["backend"]["service"]["name"] for path in paths] == ["first", "stable"]
    assert paths[0]["backend"]["service"]["port"] == {"name": "use-annotation"}


def test_several_rollouts_share_an_ingress_of_alb() -> None:
    shared = ingress("stable")
    shared["metadata"]["annotations"][NOTES] = '{"other":["x"]}'
    known = cluster(shared)
    known.apply(CASES["alb"].plan(known, shift(10)))
    assert json.loads(annotations(known)[NOTES])["other"] == ["x"]


@pytest.mark.parametrize(("seconds", "fits"), [(0, False), (1, True), (604800, True), (604801, False)])
def test_albs_stickiness_lasts_a_second_to_a_week(seconds: int, fits: bool) -> None:
    sticky = {"enabled": True, "durationSeconds": seconds}
    ro = rollout({"alb": {"ingress": "in", "stickinessConfig": sticky}})
    assert (Alb().check(ro, cluster(ingress("stable"))) == []) is fits


@pytest.mark.parametrize("alb", [{}, {"ingress": "in", "ingresses": ["in"]}])
def test_alb_wants_one_way_to_name_ingresses(alb: dict[str, Any]) -> None:
    (fault,) = Alb().check(rollout({"alb": {"servicePort": 80, **alb}}), {})
    assert fault.message.startswith("Either Ingress or Ingresses must be configured.")


@pytest.mark.spec("RO-1.6-smi")
def test_smis_split_is_owned_and_its_weights_are_quantities() -> None:
    known = cluster()
    known.apply(CASES["smi"].plan(known, shift(10)))
    split = known.one(SPLITS, "demo")
    assert split["spec"] == {
        "service": "stable",
        "backends": [{"service": "canary", "weight": "10"}, {"service": "stable", "weight": "90"}],
    }
    assert split["metadata"]["ownerReferences"][0]["uid"] == "ro"


def test_a_split_of_somebody_else_is_left_alone() -> None:
    known = cluster(thing(SPLITS, "demo", {}))
    assert Smi().plan(rollout({"smi": {}}), known, shift(1)) == Refusal("Rollout does not own TrafficSplit `demo`")


@pytest.mark.spec("RO-1.6-apisix")
def test_apisixs_header_route_stands_above_its_base_and_leads_to_the_canary() -> None:
    case = CASES["apisix"]
    known = case.cluster()
    match = [{"headerName": "x", "headerValue": {"prefix": "a"}}, {"headerName": "y", "headerValue": {"exact": "b"}}]
    known.apply(case.plan(known, shift(10, header_route={"name": "first", "match": match})))
    rule = known.one(ROUTES, "first")["spec"]["http"][0]
    assert rule["priority"] == 1
    assert rule["backends"] == [{"serviceName": "canary", "servicePort": 80, "weight": 100}]
    assert rule["match"]["exprs"] == [
        {"subject": {"scope": "Header", "name": "x"}, "op": "RegexMatch", "value": "^a.*"},
        {"subject": {"scope": "Header", "name": "y"}, "op": "Equal", "value": "b"},
    ]


def test_a_route_of_apisix_that_somebody_else_made_is_not_taken_for_a_header_route() -> None:
    case = CASES["apisix"]
    known = case.cluster() | cluster(thing(ROUTES, "first", {}))
    answer = Apisix().plan(case.ro, known, shift(10, header_route={"name": "first", "match": [{}]}))
    assert isinstance(answer, Refusal)


@pytest.mark.spec("RO-1.6-gateway")
def test_a_gateway_rollout_may_name_routes_of_every_kind_and_only_some_take_header_routes() -> None:
    plugin = {"httpRoutes": [{"name": "route", "useHeaderRoutes": True}], "grpcRoute": "route", "tcpRoute": "route"}
    ro = rollout({"plugins": {"argoproj-labs/gatewayAPI": plugin}})
    known = cluster(*(gateway_route(kind) for kind in (HTTP, GRPC, TCP)))
    match = [{"headerName": "x", "headerValue": {"exact": "1"}}]
    known.apply(Gateway().plan(ro, known, shift(30, header_route={"name": "first", "match": match})))
    sizes = {kind.kind: len(known.one(kind, "route")["spec"]["rules"]) for kind in (HTTP, GRPC, TCP)}
    assert sizes == {"HTTPRoute": 3, "GRPCRoute": 3, "TCPRoute": 2}
    first = known.one(HTTP, "route")["spec"]["rules"][0]
    assert first["matches"] == [
        {
            "path": {"type": "PathPrefix", "value": "/"},
            "headers": [{"name": "x", "type": "Exact", "value": "1"}],
        }
    ]
    assert [each["name"] for each in first["backendRefs"]] == ["canary"]


def test_a_route_with_traffic_for_a_canary_is_labelled_for_other_tools() -> None:
    case = CASES["gateway"]
    known = case.cluster()
    known.apply(case.plan(known, shift(30)))
    assert known.one(HTTP, "route")["metadata"]["labels"] == {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}
    known.apply(case.plan(known, shift(0)))
    assert not known.one(HTTP, "route")["metadata"].get("labels")


def test_an_unknown_traffic_router_plugin_is_a_fault_that_names_the_known_one() -> None:
    (fault,) = Gateway().check(rollout({"plugins": {"acme/router": {}}}), {})
    assert "acme/router" in fault.message
    assert "argoproj-labs/gatewayAPI" in fault.message
