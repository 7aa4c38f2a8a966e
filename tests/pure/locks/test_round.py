"""One round with a database of locks, decided as values: limits, turns, all or none, and what a repeated round does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.lock.round import Found, Row, Settled, settle
from actors.lock_round import LockRound, Standing, Wanted

pytestmark = pytest.mark.spec("SYNC-4")

NAMES = ("sem/ns/a", "sem/ns/b", "mtx/ns/a")
ME, OTHER, DEAD = "me", "other", "dead"


def held_by(rows: tuple[Row, ...], name: str) -> int:
    return sum(row.held and row.name == name for row in rows)


@st.composite
def foreign_rows(draw: Any) -> tuple[Row, ...]:
    """Rows of other controllers that keep the limits of below."""
    rows: dict[tuple[str, str, str], Row] = {}
    for _ in range(draw(st.integers(0, 8))):
        name = draw(st.sampled_from(NAMES))
        taken = held_by(tuple(rows.values()), name)
        held = draw(st.booleans()) and taken < (2 if name.startswith("sem") else 1)
        holder = f"{draw(st.sampled_from(['ns', 'two']))}/{draw(st.sampled_from('uvw'))}"
        row = Row(
            name,
            holder,
            draw(st.sampled_from([OTHER, DEAD])),
            held,
            draw(st.integers(-1, 1)),
            draw(st.integers(0, 5)) * 1.0,
        )
        rows.setdefault(row[:3], row)
    return tuple(rows.values())


wishes = st.lists(
    st.builds(
        Wanted,
        st.sampled_from([f"ns/{name}/{node}" for name in "uvw" for node in "12"]),
        st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: tuple(sorted(names))),
        st.sampled_from([(), ("ns/Mutex/here",)]),
        st.booleans(),
        st.integers(-1, 1),
        st.integers(0, 5).map(float),
    ),
    max_size=6,
    unique_by=lambda one: one.holder,
)

LIMITS = {"sem/ns/a": 2, "sem/ns/b": 2}
ALIVE = frozenset([ME, OTHER])


def decide(rows: tuple[Row, ...], **asked: Any) -> Settled:
    question = LockRound(10.0, 1, room={"ns/Mutex/here": 1}, **asked)
    return settle(question, Found(rows, LIMITS, ALIVE), ME)


@given(foreign_rows(), wishes)
@settings(max_examples=300)
def test_no_round_gives_more_than_a_limit_or_a_part_of_what_is_wanted(
    rows: tuple[Row, ...], wanted: list[Wanted]
) -> None:
    settled = decide(rows, wanted=tuple(wanted))
    after = (*rows, *settled.rows)

    for name in NAMES:
        assert held_by(after, name) <= max(LIMITS.get(name, 1), held_by(rows, name))
    given_to = [one for one in wanted if one.holder in settled.answer.granted]
    assert all(one.ready for one in given_to)
    assert sum("ns/Mutex/here" in one.others for one in given_to) <= 1
    expected = {(name, one.holder): one in given_to for one in wanted for name in one.names}
    assert {(row.name, row.holder): row.held for row in settled.rows} == expected
    assert {row.controller for row in settled.rows} <= {ME}


@given(foreign_rows(), wishes)
@settings(max_examples=300)
def test_who_is_given_nothing_is_told_what_is_in_the_way(rows: tuple[Row, ...], wanted: list[Wanted]) -> None:
    """And a lock that has room, with nobody before him, is never in the way."""
    answer = decide(rows, wanted=tuple(wanted)).answer

    assert {*answer.granted, *answer.obstacles} == {one.holder for one in wanted}
    for one in wanted:
        alone = not rows and len(wanted) == 1
        if alone and one.ready:
            assert one.holder in answer.granted
        if one.ready and not one.others and one.holder in answer.obstacles:
            assert answer.obstacles[one.holder]


@given(foreign_rows(), wishes)
@settings(max_examples=200)
def test_a_round_that_is_said_again_with_what_it_gave_changes_no_row(
    rows: tuple[Row, ...], wanted: list[Wanted]
) -> None:
    first = decide(rows, wanted=tuple(wanted))
    granted = tuple((one.holder, one.names) for one in wanted if one.holder in first.answer.granted)
    rest = tuple(replace(one, ready=False) for one in wanted if one.holder not in first.answer.granted)

    again = decide((*rows, *first.rows), held=granted, wanted=rest)

    assert set(again.rows) == set(first.rows)
    assert again.answer.granted == ()


@given(foreign_rows(), wishes)
@settings(max_examples=200)
def test_an_answer_that_nobody_heard_is_the_same_the_next_time(rows: tuple[Row, ...], wanted: list[Wanted]) -> None:
    first = decide(rows, wanted=tuple(wanted))

    again = decide((*rows, *first.rows), wanted=tuple(wanted))

    assert (set(again.rows), again.answer) == (set(first.rows), first.answer)


@given(foreign_rows(), wishes)
@settings(max_examples=200)
def test_what_is_no_longer_held_or_wanted_leaves_no_row(rows: tuple[Row, ...], wanted: list[Wanted]) -> None:
    before = decide(rows, wanted=tuple(wanted)).rows

    assert decide((*rows, *before)).rows == ()


def one(holder: str, *names: str, **more: Any) -> Wanted:
    return Wanted(holder, names, **more)


@pytest.mark.spec("SYNC-6")
@pytest.mark.parametrize(
    ("rows", "granted"),
    [
        ((), True),
        ((Row("mtx/ns/a", "ns/v", OTHER, priority=1),), False),
        ((Row("mtx/ns/a", "ns/v", OTHER, created=1.0),), False),
        ((Row("mtx/ns/a", "ns/v", OTHER, created=3.0),), True),
        ((Row("mtx/ns/a", "ns/v", DEAD, priority=1),), True),
        ((Row("mtx/ns/a", "ns/v", DEAD, held=True),), False),
        ((Row("mtx/ns/a", "ns/u", ME, held=True),), True),
        ((Row("mtx/ns/a", "ns/u", OTHER, priority=1),), False),
    ],
    ids=[
        "alone",
        "a higher priority",
        "an older one",
        "a younger one",
        "a dead one's place",
        "a dead one's lock",
        "what I was given and did not hear of",
        "a workflow of the same name elsewhere",
    ],
)
def test_whose_turn_it_is(rows: tuple[Row, ...], granted: bool) -> None:
    answer = decide(rows, wanted=(one("ns/u", "mtx/ns/a", created=2.0),)).answer

    assert answer.granted == (("ns/u",) if granted else ())


@pytest.mark.spec("SYNC-6")
def test_another_node_of_the_first_workflow_may_overtake_the_one_that_waits_for_more() -> None:
    rows = (Row("mtx/ns/a", "ns/x", OTHER, held=True),)
    both = one("ns/u/1", "sem/ns/a", "mtx/ns/a")

    answer = decide(rows, wanted=(both, one("ns/v", "sem/ns/a", created=1.0), one("ns/u/2", "sem/ns/a"))).answer

    assert answer.granted == ("ns/u/2",)
    assert answer.obstacles == {"ns/u/1": ("mtx/ns/a",), "ns/v": ("sem/ns/a",)}


@pytest.mark.spec("SYNC-3")
def test_a_limit_that_is_gone_stays_as_it_was_and_one_that_never_was_is_none() -> None:
    found = Found((), {}, ALIVE)
    question = LockRound(10.0, 1, wanted=(one("ns/u", "sem/ns/a"), one("ns/v", "sem/ns/b")), known={"sem/ns/a": 3})

    answer = settle(question, found, ME).answer

    assert answer.granted == ("ns/u",)
    assert answer.locks == {"sem/ns/a": Standing(3, ("ns/u",)), "sem/ns/b": Standing(None, ())}


def test_a_lock_that_somebody_else_decides_about_is_given_to_nobody_now() -> None:
    question = LockRound(10.0, 1, wanted=(one("ns/u", "mtx/ns/a"), one("ns/v", "mtx/ns/b")))

    answer = settle(question, Found((), {}, ALIVE, frozenset(["mtx/ns/a"])), ME).answer

    assert answer.granted == ("ns/v",)


def test_what_is_held_keeps_its_row_as_it_was() -> None:
    before = Row("sem/ns/a", "ns/u", ME, True, 7, 3.0)
    unknown = ("ns/w", ("sem/ns/a",))

    rows = decide((before,), held=(("ns/u", ("sem/ns/a",)), unknown)).rows

    assert set(rows) == {before, Row("sem/ns/a", "ns/w", ME, True, 0, 10.0)}


def test_a_namesake_of_a_holder_has_to_wait_until_the_row_is_free() -> None:
    answer = decide((), held=(("ns/u", ("mtx/ns/a",)),), wanted=(one("ns/u", "sem/ns/a"),))

    assert answer.answer.granted == ()
