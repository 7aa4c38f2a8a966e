"""What every router promises: the weights it was told stand in its objects, once; what is others' is left alone."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rollout.traffic.protocol import EXPERIMENT, HEADER, MIRROR, Destination, Refusal
from actors.rollout.traffic.routers import ROUTERS, table
from tests.pure.traffic.cases import CASES, Case, shift

every = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@pytest.mark.spec("RO-1.6-traefik")
@every
@given(walk=st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_weights_follow_every_walk_of_shifts_and_said_twice_nothing_changes(case: Case, walk: list[int]) -> None:
    known = case.cluster()
    others = copy.deepcopy(case.others(known))
    for weight in walk:
        told = shift(weight)
        known.apply(case.plan(known, told))
        assert case.weights(known) == {"canary": weight, "stable": 100 - weight}
        assert known.apply(case.plan(known, told)) == 0
    assert case.others(known) == others


@every
def test_an_edit_by_somebody_else_is_undone(case: Case) -> None:
    known = case.cluster()
    known.apply(case.plan(known, shift(30)))
    elsewhere = copy.deepcopy(known)
    elsewhere.apply(case.plan(elsewhere, shift(90)))  # as if another hand had written 90
    assert elsewhere.apply(case.plan(elsewhere, shift(30))) > 0
    assert case.weights(elsewhere) == {"canary": 30, "stable": 70}


@every
def test_changes_of_others_objects_carry_the_version_they_were_computed_from(case: Case) -> None:
    known = case.cluster()
    answer = case.plan(known, shift(10))
    assert not isinstance(answer, Refusal)
    patches = [change for change in answer.changes if hasattr(change, "body")]
    assert all(patch.body["metadata"]["resourceVersion"] == "7" for patch in patches)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if EXPERIMENT in case.router.abilities])
def test_versions_of_an_experiment_get_their_share_from_stable_and_leave_no_trace(name: str) -> None:
    case = CASES[name]
    known = case.cluster()
    extra = (Destination(5, "exp-a", "ha"), Destination(15, "exp-b", "hb"))
    known.apply(case.plan(known, shift(20, additional=extra)))
    assert case.weights(known) == {"canary": 20, "stable": 60, "exp-a": 5, "exp-b": 15}
    case.ro.status["canary"] = {"weights": {"additional": [{"serviceName": "exp-a"}, {"serviceName": "exp-b"}]}}
    known.apply(case.plan(known, shift(20)))
    assert case.weights(known) == {"canary": 20, "stable": 80}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if HEADER in case.router.abilities])
def test_a_header_route_is_added_once_and_taken_away_by_an_empty_match_or_with_all_managed_routes(name: str) -> None:
    case = CASES[name]
    known = case.cluster()
    known.apply(case.plan(known, shift(10)))
    before = _comparable(known)
    match = [{"headerName": "x-canary", "headerValue": {"exact": "yes"}}]
    for undo in ({"header_route": {"name": "first"}}, {"removes_managed": True}):
        told = shift(10, header_route={"name": "first", "match": match})
        assert known.apply(case.plan(known, told)) > 0
        assert known.apply(case.plan(known, told)) == 0
        assert _comparable(known) != before
        assert known.apply(case.plan(known, shift(10))) == 0  # a later step leaves it
        known.apply(case.plan(known, shift(10, **undo)))
        assert _comparable(known) == before


@pytest.mark.spec("RO-1.6-istio-mirror")
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if MIRROR in case.router.abilities])
def test_a_mirror_route_is_added_once_follows_the_weights_and_goes(name: str) -> None:
    case = CASES[name]
    known = case.cluster()
    known.apply(case.plan(known, shift(10)))
    before = _comparable(known)
    match = [{"method": {"exact": "GET"}, "path": {"prefix": "/"}}]
    told = shift(10, mirror_route={"name": "second", "match": match, "percentage": 35})
    assert known.apply(case.plan(known, told)) > 0
    assert known.apply(case.plan(known, told)) == 0
    known.apply(case.plan(known, shift(40)))
    assert known.apply(case.plan(known, shift(40))) == 0
    known.apply(case.plan(known, shift(10, removes_managed=True)))
    assert _comparable(known) == before


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.objects])  # SMI's makes its own
def test_missing_objects_are_a_fault_or_a_refusal_that_names_them(name: str) -> None:
    case = CASES[name]
    nothing = dict.fromkeys(case.router.needs(case.ro))
    answer = case.plan(nothing, shift(10))
    assert isinstance(answer, Refusal)
    assert any("not found" in text for text in (answer.message, *(said.message for said in answer.warnings)))


@every
def test_objects_as_they_should_be_have_no_faults(case: Case) -> None:
    assert case.router.check(case.ro, case.cluster()) == []


def test_the_table_of_abilities_names_every_router() -> None:
    assert {case.router.key for case in CASES.values()} == set(ROUTERS)
    assert all(f"{router.title}: " in table() for router in ROUTERS.values())


def _comparable(known: dict) -> dict:  # type: ignore[type-arg]
    """What stands in the objects, without versions and empty annotations of our own."""
    found = {}
    for ref, thing in known.items():
        if thing is not None:
            made = copy.deepcopy(thing)
            made["metadata"].pop("resourceVersion")
            found[ref] = made
    return found
