"""Turns: never more than allowed, nobody waits without reason, the most urgent first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pace import Pace
from actors.queue.decide import Turns

NAMESPACES = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 15), st.integers(-2, 2)),
        st.tuples(st.just("leave"), st.integers(0, 15), st.just(0)),
        st.tuples(st.just("limit"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("own"), st.integers(0, 2), st.integers(0, 3)),
    ),
    max_size=60,
)


@pytest.mark.spec("PAR-1", "PAR-2", "PRI-1")
@given(STEPS)
def test_whatever_happens_limits_hold_and_no_place_stays_empty(steps: list[tuple[str, int, int]]) -> None:
    turns = Turns(limit=3, namespace_limit=2)
    allowed: set[object] = set()
    priorities: dict[object, int] = {}
    for what, who, number in steps:
        before = len(turns.running)
        namespace = NAMESPACES[who % 3]
        match what:
            case "ask":
                admitted = turns.ask(who, namespace, number, "")
                if who not in allowed:
                    priorities[who] = number
            case "leave":
                admitted = turns.leave(who)
                allowed.discard(who)
            case "limit":
                turns.limit, admitted = who, turns.admit() if turns.limit != who else []
                admitted += turns.admit()
            case _:
                turns.own_limits[NAMESPACES[who]] = number
                admitted = turns.admit()
        allowed |= set(admitted)
        assert set(turns.running) == allowed
        assert set(turns.running).isdisjoint(turns.waiting)
        if len(turns.running) > before:
            assert not turns.limit or len(turns.running) <= turns.limit
        for held in turns.waiting:  # only a limit holds anybody back
            own = turns.own_limits.get(NAMESPACES[held % 3], turns.namespace_limit)  # type: ignore[operator]
            full = bool(turns.limit) and len(turns.running) >= turns.limit
            assert full or (own and turns.counts[NAMESPACES[held % 3]] >= own)  # type: ignore[operator]
        for queue in turns.queues.values():
            assert [entry.place for entry in queue] == sorted(entry.place for entry in queue)


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_the_order_is_by_priority_then_age_then_arrival(asked: list[tuple[int, int]]) -> None:
    turns = Turns(limit=1)
    turns.runs("first", "a")
    for number, (priority, created) in enumerate(asked):
        assert turns.ask(number, "a", priority, f"2026-01-0{created + 1}") == []
    order, last = [], "first"
    while turns.waiting:
        (last,) = turns.leave(last)
        order.append(last)

    assert order == sorted(range(len(asked)), key=lambda at: (-asked[at][0], asked[at][1], at))


@pytest.mark.spec("PAR-5")
@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.floats(0.5, 20), st.integers(1, 6))
def test_no_second_has_more_than_its_share_and_the_burst(gaps: list[float], per_s: float, burst: int) -> None:
    pace, now, went = Pace(per_s, burst), 0.0, []
    for gap in gaps:
        now += gap
        went.append(now + pace.wait_s(now))

    assert went == sorted(went)
    for at, start in enumerate(went):
        for later in range(at + 1, len(went)):
            assert later - at + 1 <= (went[later] - start) * per_s + burst + 1e-6
