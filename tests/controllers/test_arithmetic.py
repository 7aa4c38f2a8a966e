"""The numbers of the built-in controllers, as properties: surge, availability, shares, indexes, back-off, names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.objects import Object
from tests.virtual_time import WALL_START
from tiphys.devcluster.controllers.conditions import Condition, with_condition
from tiphys.devcluster.controllers.deployment.bounds import Bounds, bounds, resolved
from tiphys.devcluster.controllers.deployment.proportional import Share, shares
from tiphys.devcluster.controllers.deployment.revisions import same_template, template_hash
from tiphys.devcluster.controllers.deployment.rolling import SetCounts, new_replicas, old_replicas
from tiphys.devcluster.controllers.job import indexes
from tiphys.devcluster.controllers.job.staffing import wanted
from tiphys.devcluster.controllers.job.tally import Tally
from tiphys.devcluster.controllers.job.workers import next_attempt_at
from tiphys.devcluster.controllers.podstate import least_missed_first
from tiphys.devcluster.controllers.statuses import difference
from tiphys.devcluster.controllers.suffixes import ALPHABET, fnv32a, free_names
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.patches import apply_patch

small = st.integers(0, 12)
NOW = WALL_START
quietly = settings(deadline=None)  # a slow machine is no finding


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [("25%", 10, 3, 2), ("25%", 4, 1, 1), ("0%", 9, 0, 0), ("100%", 3, 3, 3), (2, 9, 2, 2)],
)
def test_percentages_are_rounded_as_asked(value: Any, total: int, up: int, down: int) -> None:
    assert resolved(value, total, round_up=True) == up
    assert resolved(value, total, round_up=False) == down


def test_what_is_no_number_and_no_percentage_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'many' is neither a number nor a percentage"):
        resolved("many", 3, round_up=True)


@quietly
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 50))
def test_a_rolling_update_can_always_move(surge: int, unavailable: int, wished: int) -> None:
    limits = bounds(f"{surge}%", f"{unavailable}%", wished)
    assert limits.surge + limits.unavailable > 0
    assert limits.surge * 100 >= surge * wished
    assert limits.unavailable * 100 <= unavailable * wished or limits == Bounds(0, 1)


@st.composite
def walks(draw: st.DrawFn) -> tuple[int, Bounds, list[SetCounts], list[list[bool]]]:
    wished = draw(st.integers(1, 8))
    limits = Bounds(draw(st.integers(0, 4)), draw(st.integers(0, 4)))
    if limits == Bounds(0, 0):
        limits = Bounds(0, 1)
    limits = Bounds(limits.surge, min(limits.unavailable, wished))
    left = wished + limits.surge
    old = []
    for number in range(draw(st.integers(1, 3))):
        pods = draw(st.integers(0, left))
        left -= pods
        old.append(SetCounts(str(number), pods, pods, draw(st.integers(0, pods))))
    readiness = draw(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), max_size=30))
    return wished, limits, old, readiness


@quietly
@given(walks())
def test_along_any_walk_of_readiness_surge_holds_and_availability_is_never_cut(
    walk: tuple[int, Bounds, list[SetCounts], list[list[bool]]],
) -> None:
    wished, limits, old, readiness = walk
    new = SetCounts("new", 0, 0, 0)
    for ready in [*readiness, *[[True] * 12] * 60]:
        grown = new_replicas(wished, limits, new.wished, new.pods + sum(each.pods for each in old))
        assert grown >= new.wished
        if grown != new.wished:
            new = new._replace(wished=grown, existing=grown)
        else:
            before = new.available + sum(each.available for each in old)
            sizes = old_replicas(wished, limits, new, old)
            old = [_shrunk(each, sizes.get(each.name, each.wished)) for each in old]
            after = new.available + sum(each.available for each in old)
            assert after == before or after >= wished - limits.unavailable
        assert new.pods + sum(each.pods for each in old) <= wished + limits.surge
        dice = iter(ready)
        new = _changed(new, dice)
        old = [_changed(each, dice) for each in old]
    assert (new.wished, [each.wished for each in old]) == (wished, [0] * len(old))


def _shrunk(each: SetCounts, replicas: int) -> SetCounts:
    """Pods that are not available go first, as a replica set ranks them."""
    return SetCounts(each.name, replicas, replicas, min(each.available, replicas))


def _changed(each: SetCounts, dice: Any) -> SetCounts:
    """One pod more or less is available; at the end of the walk all come to be."""
    up = next(dice, True)
    return each._replace(available=min(each.wished, each.available + 1) if up else max(0, each.available - 1))


def test_a_set_counts_with_the_pods_it_still_has() -> None:
    leaving = SetCounts("old", 1, 3, 3)
    assert new_replicas(3, Bounds(1, 0), 1, 1 + leaving.pods) == 1


def test_pods_that_never_serve_do_not_hold_up_the_way_back() -> None:
    stuck = [SetCounts("stuck", 3, 3, 0)]
    assert old_replicas(4, Bounds(1, 1), SetCounts("good", 2, 2, 2), stuck) == {"stuck": 1}


@quietly
@given(st.lists(st.tuples(small, small), min_size=1, max_size=5), st.integers(0, 20), st.integers(0, 5))
def test_shares_add_up_to_what_is_allowed(sets: list[tuple[int, int]], wished: int, surge: int) -> None:
    given_sets = [Share(str(number), pods, most) for number, (pods, most) in enumerate(sets)]
    sizes = shares(given_sets, wished, surge)
    assert all(size >= 0 for size in sizes.values())
    allowed = wished + surge if wished else 0
    if all(most >= sum(pods for pods, _ in sets) for _, most in sets) or not wished:
        assert sum(sizes.values()) == allowed


def test_a_scaled_roll_out_keeps_its_proportions() -> None:
    assert shares([Share("new", 5, 13), Share("old", 8, 13)], 15, 3) == {"new": 7, "old": 11}


@quietly
@given(st.sets(st.integers(0, 60)))
def test_indexes_are_read_as_written(some: set[int]) -> None:
    assert indexes.parsed(indexes.written(some)) == some


def test_indexes_are_written_in_runs() -> None:
    assert indexes.written({0, 1, 3, 4, 5, 9}) == "0,1,3-5,9"


def _pod(name: str, **facts: Any) -> Object:
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(NOW - facts["ready_for"])}]
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": stamp(NOW - facts.get("age", 100)),
            "annotations": {"controller.kubernetes.io/pod-deletion-cost": str(facts.get("cost", 0))},
        },
        "spec": {"nodeName": facts.get("node", "n")},
        "status": {
            "phase": facts.get("phase", "Running"),
            "conditions": conditions if facts["ready_for"] else [],
            "containerStatuses": [{"restartCount": facts.get("restarts", 0)}],
        },
    }


@quietly
@given(st.permutations(range(9)))
def test_scaling_down_takes_first_who_is_missed_least(order: list[int]) -> None:
    ranked = [
        _pod("unassigned", node="", phase="Pending", ready_for=0),
        _pod("pending", phase="Pending", ready_for=0),
        _pod("not ready", ready_for=0),
        _pod("cheap", ready_for=1000, age=2000, cost=-1),
        _pod("crowded", ready_for=1000, age=2000),
        _pod("fresh", ready_for=3, age=2000, node="other"),
        _pod("restarted", ready_for=1000, restarts=2, age=2000, node="third"),
        _pod("young", ready_for=1000, age=1001, node="fourth"),
        _pod("old", ready_for=1000, age=90000, node="fifth"),
    ]
    found = least_missed_first([ranked[index] for index in order], NOW)
    assert [pod["metadata"]["name"] for pod in found] == [pod["metadata"]["name"] for pod in ranked]


@quietly
@given(st.integers(0, 12))
def test_the_back_off_doubles_from_ten_seconds_to_ten_minutes(failures: int) -> None:
    pods = [
        {
            "metadata": {"name": str(number), "creationTimestamp": stamp(NOW)},
            "status": {
                "phase": "Failed",
                "containerStatuses": [{"state": {"terminated": {"finishedAt": stamp(NOW + number)}}}],
            },
        }
        for number in range(failures)
    ]
    at = next_attempt_at({"spec": {}}, pods)
    assert at == (NOW + failures - 1 + min(10 * 2 ** (failures - 1), 600) if failures else 0)
    success = {
        "metadata": {},
        "status": {"phase": "Succeeded", "conditions": [{"lastTransitionTime": stamp(NOW + 99)}]},
    }
    assert next_attempt_at({"spec": {}}, [*pods, success]) == 0


@quietly
@given(st.text(max_size=8), st.integers(0, 40))
def test_free_names_are_new_repeatable_and_made_of_the_alphabet(uid: str, wanted: int) -> None:
    names = free_names("web-", uid, (), wanted)
    assert names == free_names("web-", uid, (), wanted)
    assert len(set(names)) == wanted
    assert all(set(name.removeprefix("web-")) <= set(ALPHABET) for name in names)
    assert free_names("web-", uid, names[:-1], 1)[:wanted] == names[-1:]


def test_the_hash_is_fnv_1a() -> None:
    assert (fnv32a(b""), fnv32a(b"a"), fnv32a(b"foobar")) == (0x811C9DC5, 0xE40C292C, 0xBF9CF968)


def test_a_template_is_the_same_whatever_its_hash_label_says() -> None:
    one: Object = {"metadata": {"labels": {"a": "b"}, "creationTimestamp": None}, "spec": {"x": 1}}
    other: Object = {"metadata": {"labels": {"a": "b", "pod-template-hash": "h"}}, "spec": {"x": 1}}
    assert same_template(one, other)
    assert template_hash(one, 0) == template_hash(other, 0) != template_hash(one, 1)
    assert not same_template(one, {**other, "spec": {"x": 2}})


json = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3)
)
objects = st.dictionaries(st.text(max_size=2), json | st.lists(st.integers(), max_size=3), max_size=4)


@quietly
@given(objects, objects)
def test_a_difference_applied_gives_the_new_status(old: Object, new: Object) -> None:
    assert apply_patch("merge", old, difference(old, new), custom=True) == new


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    said = Condition("Ready", "True", "A", "a")
    first = with_condition({}, said, NOW, "lastUpdateTime")
    assert with_condition({"conditions": first}, said, NOW + 5, "lastUpdateTime") == first
    again = with_condition({"conditions": first}, said._replace(reason="B"), NOW + 5, "lastUpdateTime")
    assert (again[0]["lastTransitionTime"], again[0]["lastUpdateTime"]) == (stamp(NOW), stamp(NOW + 5))
    changed = with_condition({"conditions": again}, said._replace(status="False"), NOW + 9, "lastUpdateTime")
    assert changed[0]["lastTransitionTime"] == stamp(NOW + 9)


@quietly
@given(small, st.none() | small, small, small, st.booleans())
def test_a_job_wants_no_more_pods_than_may_run_and_than_are_left_to_do(
    parallelism: int, completions: int | None, active: int, succeeded: int, suspend: bool
) -> None:
    spec = {"parallelism": parallelism, "completions": completions, "suspend": suspend}
    number = wanted({"spec": spec}, active, Tally(succeeded=succeeded))
    left = max(0, completions - succeeded) if completions is not None else parallelism
    assert 0 <= number <= min(parallelism, left)
    if suspend:
        assert number == 0
    elif completions is not None:
        assert number == min(parallelism, left)
    elif succeeded:
        assert number <= active  # a work queue is emptied by those who work at it
    else:
        assert number == parallelism


@quietly
@given(small, small, small)
def test_completed_indexes_are_never_given_out_again(completions: int, done: int, wished: int) -> None:
    finished = set(range(0, done, 2))
    found = indexes.first_pending(completions, finished, wished)
    assert not finished & set(found)
    assert found == [index for index in range(completions) if index not in finished][:wished]
