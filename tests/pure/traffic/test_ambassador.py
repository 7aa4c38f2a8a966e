"""Ambassador: the canary's Mapping comes with its first weight, follows it, and goes a few seconds after its last."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout.model import Ro
from actors.rollout.traffic.ambassador import API_VERSION, MAPPINGS, Ambassador, canary_name, mapping_resource
from actors.rollout.traffic.protocol import Fault, Moves, Refusal
from runtime.messages import Create, Delete, Patch
from runtime.objects import Object, Reference, Resource
from tests.pure.traffic.cases import NAMESPACE, Cluster, cluster, mapping, rollout, shift, thing

ROUTER = Ambassador()
PATH = "spec.strategy.canary.trafficRouting.ambassador.mappings"
CANARY = Reference(MAPPINGS, NAMESPACE, "echo-canary")
OWNER = {"kind": "Rollout", "name": "demo", "uid": "ro", "controller": True}


def named(*mappings: str) -> Ro:
    return rollout({"ambassador": {"mappings": list(mappings)}})


def mapped(weight: int = 20, **meta: Any) -> Cluster:
    """A Mapping and the canary's beside it."""
    return cluster(mapping(), thing(MAPPINGS, "echo-canary", {"service": "canary:8080", "weight": weight}, **meta))


def planned(known: Cluster, weight: int, *mappings: str, now: float = 0.0) -> Moves:
    answer = ROUTER.plan(named(*(mappings or ("echo",))), known, shift(weight, now=now))
    assert isinstance(answer, Moves)
    return answer


@pytest.mark.spec("RO-1.6-ambassador")
@pytest.mark.parametrize(("service", "canarys"), [
    ("stable:8080", "canary:8080"), ("stable", "canary"), ("https://stable.web:443", "https://canary.web:443"),
    ("stable.stable", "canary.stable"), ("elsewhere", "elsewhere"), (None, ""),
])  # fmt: skip
def test_the_canarys_mapping_says_what_the_first_one_says_of_the_canarys_service_with_a_weight(
    service: str | None, canarys: str
) -> None:
    base = mapping(service=service, resolver="endpoint")
    base["metadata"] |= {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    base["status"] = {"state": "Running"}
    [change] = planned(cluster(base), 13).changes
    assert isinstance(change, Create)
    assert change.resource == MAPPINGS
    [owner] = change.object["metadata"].pop("ownerReferences")
    assert (owner["kind"], owner["uid"]) == ("Rollout", "ro")
    assert change.object == {
        "apiVersion": "getambassador.io/v2",
        "kind": "Mapping",
        "metadata": {"name": "echo-canary", "namespace": NAMESPACE},
        "spec": {"prefix": "/echo", "rewrite": "/", "resolver": "endpoint", "service": canarys, "weight": 13},
    }


@pytest.mark.spec("RO-1.6-ambassador")
def test_of_a_canarys_mapping_that_is_there_only_the_weight_changes_whoever_made_it() -> None:
    answer = planned(mapped(), 13)
    [change] = answer.changes
    assert isinstance(change, Patch)
    assert (change.ref.name, change.body["spec"]) == ("echo-canary", {"weight": 13})
    assert [(said.reason, said.message) for said in answer.said] == [
        ("CanaryMappingWeightUpdate", "Set canary mapping weight to 13")
    ]
    assert planned(mapped(13), 13) == Moves()


@pytest.mark.spec("RO-1.6-ambassador")
def test_without_a_weight_no_mapping_is_made() -> None:
    assert planned(cluster(mapping()), 0) == Moves()
    assert planned(cluster(), 0) == Moves()


@pytest.mark.spec("RO-1.6-ambassador")
@pytest.mark.parametrize("weight", [20, 0])
def test_a_mapping_loses_its_weight_and_goes_when_ambassador_has_had_five_seconds(weight: int) -> None:
    """Also one whose weight somebody took away, or a controller that died before it wrote when it goes."""
    known = mapped(weight, ownerReferences=[OWNER])
    answer = planned(known, 0, now=1000.2)
    assert (known.apply(answer), known.one(MAPPINGS, "echo-canary")["spec"]["weight"]) == (1, 0)
    assert 5 <= answer.settles_s <= 6
    for now, left in ((1001.0, 5.0), (1005.5, 0.5)):
        assert planned(known, 0, now=now) == Moves(settles_s=left)
    [change] = planned(known, 0, now=1006.0).changes
    assert isinstance(change, Delete)
    assert change.ref == CANARY._replace(uid="uid-echo-canary")
    known.apply(planned(known, 0, now=1006.0))
    assert planned(known, 0, now=1006.0) == Moves()


@pytest.mark.spec("RO-1.6-ambassador")
def test_a_mapping_that_gets_a_weight_again_before_it_went_stays() -> None:
    known = mapped()
    known.apply(planned(known, 0, now=1000.0))
    known.apply(planned(known, 30, now=1002.0))
    assert known.one(MAPPINGS, "echo-canary")["metadata"].get("annotations") == {}
    assert planned(known, 30, now=1100.0) == Moves()
    assert planned(known, 0, now=1100.0).settles_s == 5


def test_a_mapping_that_is_going_is_waited_for_where_another_is_wanted_and_left_alone_where_none_is() -> None:
    known = mapped(0, deletionTimestamp="2026-01-01T00:00:00Z")
    assert planned(known, 0) == Moves()
    answer = planned(known, 30)
    assert (answer.changes, answer.settles_s > 0) == ((), True)


@pytest.mark.spec("RO-1.6-ambassador")
def test_every_mapping_gets_a_canary_of_its_own() -> None:
    known = cluster(*(mapping(name) for name in ("one", "two", "three")))
    answer = planned(known, 13, "one", "two", "three", "two")
    known.apply(answer)
    assert len(answer.said) == 1
    assert [known.one(MAPPINGS, f"{name}-canary")["spec"]["weight"] for name in ("one", "two", "three")] == [13] * 3


@pytest.mark.spec("RO-1.6-ambassador")
def test_a_mapping_that_is_not_there_or_has_a_weight_makes_the_rollout_unfit() -> None:
    assert ROUTER.check(named("echo"), cluster(mapping())) == []
    assert ROUTER.check(named("echo"), cluster(mapping(weight=20))) == [
        Fault("spec.weight", "echo", 'Ambassador mapping "echo" can not define weight')
    ]
    assert ROUTER.check(named("echo"), cluster()) == [Fault(PATH, "echo", 'mappings.getambassador.io "echo" not found')]
    [fault] = ROUTER.check(named(), cluster())
    assert (fault.path, fault.value, fault.message) == (PATH, None, "must provide at least one mapping")


@pytest.mark.spec("RO-1.6-ambassador")
@pytest.mark.parametrize(("things", "reason", "message"), [
    ([], "AmbassadorMappingNotFound", 'Ambassador mapping "echo" not found'),
    ([mapping(weight=20)], "AmbassadorMappingConfigError", 'Ambassador mapping "echo" can not define weight'),
])  # fmt: skip
def test_one_that_cannot_be_copied_is_refused_with_a_warning_of_its_own(
    things: list[Object], reason: str, message: str
) -> None:
    answer = ROUTER.plan(named("echo"), cluster(*things), shift(20))
    assert isinstance(answer, Refusal)
    assert [(said.reason, said.message, said.warning) for said in answer.warnings] == [(reason, message, True)]


@pytest.mark.spec("RO-1.6-ambassador")
def test_all_that_cannot_be_copied_are_told_together() -> None:
    answer = ROUTER.plan(named("one", "two", "three"), cluster(), shift(20))
    assert isinstance(answer, Refusal)
    assert answer.message == "3 errors found: " + "".join(
        f'[mappings.getambassador.io "{name}" not found]' for name in ("one", "two", "three")
    )


def test_a_canarys_mapping_that_belongs_to_another_is_left_alone() -> None:
    known = mapped(20, ownerReferences=[{**OWNER, "uid": "another"}])
    for weight in (0, 30):
        answer = ROUTER.plan(named("echo"), known, shift(weight))
        assert answer == Refusal("Mapping `echo-canary` is not owned by this Rollout")


@pytest.mark.spec("RO-1.6-ambassador")
def test_a_canarys_name_is_no_longer_than_a_name_may_be() -> None:
    long = "very-long-mapping-name-" * 11
    assert canary_name(long) == f"{long[:246]}-canary"
    assert len(canary_name(long)) == 253
    assert ROUTER.needs(named(long))[1].name == canary_name(long)


@pytest.mark.spec("RO-1.6-ambassador")
@pytest.mark.parametrize(("version", "resource"), [
    (API_VERSION, Resource("getambassador.io/v2", "Mapping", "mappings")),
    ("v1", Resource("getambassador.io/v1", "Mapping", "mappings")),
    ("getambassador.io/v3alpha1", Resource("getambassador.io/v3alpha1", "Mapping", "mappings")),
    ("invalid.com/v1alpha1", Resource("invalid.com/v1alpha1", "Mapping", "mappings")),
    ("x.getambassador.io/v3alpha1", Resource("x.getambassador.io/v3alpha1", "AmbassadorMapping", "ambassadormappings")),
])  # fmt: skip
def test_the_version_of_the_api_says_which_kind_mappings_are(version: str, resource: Resource) -> None:
    assert mapping_resource(version) == resource
    router = Ambassador(version)
    base = thing(resource, "echo", {"hostname": "example.com", "service": "stable:8080"})
    answer = router.plan(named("echo"), {Reference(resource, NAMESPACE, "echo"): base}, shift(13))
    assert isinstance(answer, Moves)
    [change] = answer.changes
    assert isinstance(change, Create)
    assert (change.resource, change.object["apiVersion"], change.object["kind"]) == (
        resource, resource.api_version, resource.kind
    )  # fmt: skip
    assert change.object["spec"] == {"hostname": "example.com", "service": "canary:8080", "weight": 13}


@pytest.mark.spec("RO-1.6-ambassador")
def test_it_never_confirms_a_weight_and_names_no_version_by_its_hash() -> None:
    assert ROUTER.verify(named("echo"), mapped(), shift(20)) is None
    assert ROUTER.references_hash(named("echo"), mapped(), "h1") is False
