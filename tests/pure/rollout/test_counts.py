"""The arithmetic of pods: upstream's vectors, and what must hold on any walk."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.rollout.counts import (
    Basic,
    Counts,
    Fence,
    Routed,
    Setback,
    Size,
    approximate,
    basic,
    fence,
    routed,
    setback_weight,
    threshold_met,
)


@pytest.mark.spec("RO-1.3-maxSurge", "RO-2.5-fence", "RO-7-2")
def test_fence_posts_default_to_a_quarter_rounded_apart() -> None:
    found = {wished: tuple(fence(None, None, wished)) for wished in (1, 2, 3, 4, 5, 7, 8, 10, 20)}
    assert found == {
        1: (1, 0), 2: (1, 0), 3: (1, 0), 4: (1, 1), 5: (2, 1), 7: (2, 1), 8: (2, 2), 10: (3, 2), 20: (5, 5)
    }  # fmt: skip
    assert fence("0%", "1%", 2) == (0, 1)
    assert fence(1, 9, 4) == (1, 4)


APPROXIMATE = """
1 0 | 1 0/1 | 49 0/1 | 50 1/0 | 99 1/0
1 1 | 1 1/1 | 99 1/1
2 0 | 1 1/1 | 50 1/1 | 99 1/1
2 1 | 1 1/2 | 50 1/1 | 99 2/1
3 0 | 10 1/2 | 25 1/2 | 33 1/2 | 34 1/2 | 49 1/2 | 50 2/1
3 1 | 10 1/3 | 25 1/3 | 33 1/2 | 34 1/2 | 49 2/2 | 50 2/2
10 0 | 1 1/9 | 10 1/9 | 14 1/9 | 15 2/8 | 16 2/8 | 20 2/8 | 25 3/7 | 33 3/7 | 35 4/6 | 45 5/5 | 50 5/5 | 66 7/3
10 0 | 75 8/2 | 90 9/1 | 99 9/1
10 1 | 1 1/10 | 10 1/9 | 15 2/9 | 18 2/9 | 19 2/9 | 20 2/8 | 23 2/8 | 24 3/8 | 25 3/8 | 33 3/7 | 35 4/7
10 1 | 45 5/6 | 50 5/5 | 66 7/4 | 75 8/3 | 90 9/1 | 95 10/1 | 99 10/1
"""


def approximations() -> list[tuple[int, int, int, str]]:
    found = []
    for line in APPROXIMATE.strip().splitlines():
        head, *cells = (cell.strip() for cell in line.split("|"))
        wished, surge = map(int, head.split())
        found += [(wished, surge, int(cell.split()[0]), cell.split()[1]) for cell in cells]
    return found


@pytest.mark.parametrize(("wished", "surge", "weight", "wanted"), approximations())
@pytest.mark.spec("RO-2.5-weight", "RO-7-3")
def test_weights_as_pods(wished: int, surge: int, weight: int, wanted: str) -> None:
    found = approximate(wished, weight, 100, surge)
    assert f"{found.canary}/{found.stable}" == wanted


@pytest.mark.parametrize(("wished", "weight"), [(2, 75), (5, 90), (10, 95), (25, 98), (50, 99)])
def test_no_weight_between_the_extremes_leaves_the_canary_without_pods(wished: int, weight: int) -> None:
    """Upstream answers 0 here without surge; rounding down is what its rules mean."""
    assert approximate(wished, weight, 100, 0) == Counts(wished - 1, 1)
    assert approximate(wished, weight, 100, 1) == Counts(wished, 1)


SINGLE = """
10 100 3 0 | 7/8 6/3 | 7,6
10 20 2 0 | 10/10 0/0 | 10,2
10 20 20% 0% | 10/10 2/2 | 8,2
10 30 2 0 | 10/10 0/0 | 10,2
10 20 0 2 | 10/10 0/0 | 8,0
10 50 2 1 | 10/10 0/0 | 9,2
10 0 1 1 | 10/10 1/1 | 10,0
10 100 1 1 | 1/1 10/10 | 0,10
1 20 1 0 | 1/1 0/0 | 1,1
1 49 0 1 | 1/1 0/0 | 1,0
1 51 0 1 | 1/1 0/0 | 0,0
1 51 0 1 | 0/0 0/0 | 0,1
10 30 0 3 | 8/5 4/4 | 7,3
10 100 1 0 | 10/2 10/8 | 2,9
10 5 0 1 | 10/10 0/0 | 9,0
10 5 0 1 | 9/9 0/0 | 9,1
4 100 1 0 | 4/1 0/0 | 4,1
3 99 0 2 | 3/3 0/0 | 1,0
4 0 1 0 | 0/0 4/4 | 1,4
4 100 4 4 | 4/4 0/0 | 0,4
10 30 1 0 | 1/1 0/0 3 | 7,1
10 30 0 1 | 8/6 4/2 3 | 8,4
"""


def size(text: str) -> Size:
    wished, available = map(int, text.split("/"))
    return Size(wished, available)


@pytest.mark.parametrize("line", SINGLE.strip().splitlines())
@pytest.mark.spec("RO-2.5-moves")
def test_single_moves(line: str) -> None:
    head, state, wanted = (part.strip() for part in line.split("|"))
    wished, weight = map(int, head.split()[:2])
    surge, unavailable = (int(word) if word.isdecimal() else word for word in head.split()[2:])
    limits = fence(surge, unavailable, wished)
    stable, canary, *older = state.split()
    target = approximate(wished, weight, 100, limits.surge)
    found = basic(Basic(wished, limits, target, size(canary), size(stable), int(older[0]) if older else 0))
    assert f"{found.stable},{found.canary}" == wanted


SEQUENCES = [
    (10, (3, 2), [20, 40, 60, 80, 100],
     "10/0 8/0 8/2 6/2 6/4 4/4 4/6 2/6 2/8 0/8 0/10"),
    (10, (3, 2), [20, 40, 60, 0], "10/0 8/0 8/2 6/2 6/4 4/4 4/6 7/6 7/1 10/1 10/0"),
    (10, (1, 0), [10, 30, 50, 100], "10/0 10/1 9/1 9/2 8/2 8/3 7/3 7/4 6/4 6/5 5/5 "
                                    "5/6 4/6 4/7 3/7 3/8 2/8 2/9 1/9 1/10 0/10"),
    (10, (0, 1), [10, 30, 100],
     "10/0 9/0 9/1 8/1 8/2 7/2 7/3 6/3 6/4 5/4 5/5 4/5 4/6 3/6 3/7 2/7 2/8 1/8 1/9 0/9 0/10"),
    (5, (2, 1), [20, 40, 60, 80, 100], "5/0 4/0 4/1 3/1 3/2 2/2 2/3 1/3 1/4 0/4 0/5"),
    (4, (1, 0), [100], "4/0 4/1 3/1 3/2 2/2 2/3 1/3 1/4 0/4"),
    (4, (4, 1), [100], "4/0 3/0 3/4 0/4"),
    (3, (2, 0), [100, 0], "3/0 3/2 1/2 1/3 0/3 2/3 2/1 3/1 3/0"),
    (1, (1, 0), [10, 50, 100], "1/0 1/1 0/1"),
    (2, (1, 0), [10, 50, 100], "2/0 2/1 1/1 1/2 0/2"),
    (3, (1, 0), [20, 33, 50, 67, 100], "3/0 3/1 2/1 2/2 1/2 1/3 0/3"),
]  # fmt: skip


def walk(wished: int, limits: Fence, weights: list[int]) -> list[Counts]:
    """All sizes on the way, with pods that are ready before the next move; stable is applied first."""
    at = Counts(0, wished)
    found = [at]
    for weight in weights:
        target = approximate(wished, weight, 100, limits.surge)
        for _ in range(100):
            canary, stable = Size(at.canary, at.canary), Size(at.stable, at.stable)
            wanted = basic(Basic(wished, limits, target, canary, stable))
            after = at._replace(stable=wanted.stable) if wanted.stable != at.stable else wanted
            if after == at:
                break
            at = after
            found.append(at)
    return found


@pytest.mark.parametrize(("wished", "limits", "weights", "wanted"), SEQUENCES, ids=[each[3][:20] for each in SEQUENCES])
@pytest.mark.spec("RO-2.5-sequences")
def test_sequences(wished: int, limits: tuple[int, int], weights: list[int], wanted: str) -> None:
    found = [f"{at.stable}/{at.canary}" for at in walk(wished, Fence(*limits), weights)]
    assert found == wanted.split()


FENCES = st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair != (0, 0))


@given(st.integers(1, 12), FENCES, st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_any_walk_of_weights_arrives_inside_the_fence(wished: int, posts: tuple[int, int], weights: list[int]) -> None:
    limits = Fence(posts[0], min(posts[1], wished))
    if limits == (0, 0):
        return
    way = walk(wished, limits, weights)
    for at in way:
        assert at.canary + at.stable <= wished + limits.surge
        assert at.canary + at.stable >= wished - limits.unavailable
    last = approximate(wished, weights[-1], 100, limits.surge)
    assert way[-1] == last


@given(
    st.integers(1, 10), FENCES, st.integers(0, 100),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=5, max_size=40),
)  # fmt: skip
def test_readiness_that_comes_and_goes_never_costs_more_than_may_be_missing(
    wished: int, posts: tuple[int, int], weight: int, readiness: list[tuple[float, float]]
) -> None:
    """What a move takes away was not needed: after it there are as many ready pods as must be, or as there were."""
    limits = Fence(posts[0], min(posts[1], wished))
    if limits == (0, 0):
        return
    target = approximate(wished, weight, 100, limits.surge)
    at = Counts(0, wished)
    for of_canary, of_stable in readiness:
        canary, stable = Size(at.canary, round(at.canary * of_canary)), Size(at.stable, round(at.stable * of_stable))
        after = basic(Basic(wished, limits, target, canary, stable))
        at = at._replace(stable=after.stable) if after.stable != at.stable else after
        assert at.canary >= 0
        assert at.stable >= 0
        assert at.canary + at.stable <= wished + limits.surge


SIZES = st.integers(0, 12).flatmap(lambda wished: st.tuples(st.just(wished), st.integers(0, wished)))


@given(st.integers(1, 10), FENCES, st.integers(0, 100), SIZES, SIZES)
@example(2, (1, 0), 100, (3, 0), (3, 2))
@pytest.mark.spec("RO-2.5-moves")
def test_a_move_from_any_sizes_takes_no_pod_that_had_to_be_ready(
    wished: int, posts: tuple[int, int], weight: int, canary: tuple[int, int], stable: tuple[int, int]
) -> None:
    """Sizes beyond the fence too, as after the Rollout was made smaller: what goes is what is not ready, first."""
    limits = Fence(posts[0], min(posts[1], wished))
    target = approximate(wished, weight, 100, limits.surge)
    after = basic(Basic(wished, limits, target, Size(*canary), Size(*stable)))
    left = min(canary[1], after.canary) + min(stable[1], after.stable)
    assert left >= min(wished - limits.unavailable, canary[1] + stable[1])


def test_sizes_beyond_the_fence_are_brought_back_at_the_cost_of_the_side_that_is_not_ready() -> None:
    now = Basic(2, Fence(1, 0), Counts(2, 0), Size(3, 0), Size(2, 2))
    assert basic(now) == Counts(canary=1, stable=2)


@pytest.mark.spec("RO-2.5-routed")
def test_routed_counts() -> None:
    assert routed(Routed(10, 25)) == (3, 10)
    assert routed(Routed(10, 33)) == (4, 10)
    assert routed(Routed(10, 99)) == (10, 10)
    assert routed(Routed(10, 5, floor=2)) == (2, 10)
    assert routed(Routed(1, 5, floor=2)) == (1, 1)
    assert routed(Routed(4, 200)) == (8, 4)
    assert routed(Routed(10, 10, dynamic=True, actual=Counts(10, 90))) == (1, 9)
    assert routed(Routed(10, 20, dynamic=True, actual=Counts(10, 90))) == (2, 9)
    assert routed(Routed(10, 0, dynamic=True, aborted=True, actual=Counts(20, 80))) == (2, 10)


def test_an_abort_with_a_dynamic_stable_side_walks_the_weights_back() -> None:
    assert setback_weight(Setback(10, 100, (20, 60), 4, 6, canary_stays=False)) == 20
    assert setback_weight(Setback(10, 100, (20, 60), 10, 0, canary_stays=False)) == 0
    weight = setback_weight(Setback(10, 100, (20, 60), 4, 6, canary_stays=False))
    assert routed(Routed(10, weight, dynamic=True, aborted=True, actual=Counts(60, 40))) == (6, 8)
    assert setback_weight(Setback(4, 100, (10, 90), 2, 4, canary_stays=False, floor=2)) == 10
    assert setback_weight(Setback(4, 100, (10, 90), 4, 2, canary_stays=False, floor=2)) == 0


@pytest.mark.spec("RO-1.3-replicaProgressThreshold")
def test_thresholds() -> None:
    assert threshold_met("Percent", 70, Size(10, 7), 10)
    assert not threshold_met("Percent", 71, Size(10, 7), 10)
    assert threshold_met("Percent", 50, Size(0, 0), 0)
    assert threshold_met("Pods", 3, Size(10, 3), 10)
    assert not threshold_met("Pods", -1, Size(10, 9), 10)
    assert not threshold_met("", None, None, 0)


@given(st.integers(1, 30), st.integers(0, 100), st.integers(0, 100))
def test_stable_keeps_pods_for_the_traffic_that_it_gets(wished: int, weight: int, actual: int) -> None:
    found = routed(Routed(wished, weight, dynamic=True, actual=Counts(actual, 100 - actual)))
    assert found.stable * 100 >= (100 - actual) * wished
    assert found.stable * 100 >= (100 - weight) * wished
