"""Every way a watch can go, as a table of states and inputs."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.api import Expired, Gone, ObjectList, Refused, Throttled, Unavailable, WatchEvent
from runtime.watch import (
    ABSENT_LONGEST_S,
    OLDER_LISTS_MAX,
    Broke,
    Closed,
    Dropped,
    Elapsed,
    Heard,
    Listed,
    Listing,
    Paged,
    Put,
    Waiting,
    Watching,
    ordinary,
    step,
)

DICE = Random(7)


def thing(name: str, version: str) -> dict:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": version}}


def test_pages_are_gathered_and_told_as_one_list():
    state, output = step(Listing(), Paged(ObjectList([thing("a", "1")], "5", "next")), DICE)
    assert state == Listing("next", (thing("a", "1"),))
    assert output is None
    state, output = step(state, Paged(ObjectList([thing("b", "2")], "5")), DICE)
    assert state == Watching("5")
    assert output == Listed((thing("a", "1"), thing("b", "2")))


@pytest.mark.parametrize(("kind", "output"), [("ADDED", Put), ("MODIFIED", Put), ("DELETED", Dropped)])
def test_an_event_changes_the_store_and_is_where_to_resume(kind, output):
    after = step(Watching("5"), Heard(WatchEvent(kind, thing("a", "9"))), DICE)
    assert after == (Watching("9", heard=True), output(thing("a", "9")))


@given(
    st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]),
    st.sampled_from(["", "opaque", "0"]) | st.integers(1, 1200).map(str),
    st.sampled_from([Watching("opaque"), Listing()]) | st.integers(1, 1200).map(lambda n: Watching(str(n), 2)),
)
def test_the_short_way_of_an_ordinary_event_leads_where_the_long_one_does(kind, version, state):
    event = WatchEvent(kind, thing("a", version))
    after = ordinary(state, event)
    if after is None:
        numbers = isinstance(state, Watching) and version.isdecimal() and state.version.isdecimal()
        is_newer = numbers and int(version) > int(state.version)
        assert kind in ("DELETED", "BOOKMARK") or not is_newer
    else:
        assert step(state, Heard(event), DICE) == (after, Put(event.object))


def test_a_bookmark_moves_only_the_version():
    after = step(Watching("5", failures=3), Heard(WatchEvent("BOOKMARK", thing("", "12"))), DICE)
    assert after == (Watching("12", heard=True), None)


def test_a_watch_closed_in_good_time_is_reopened_at_once():
    assert step(Watching("5", heard=True), Closed(0.1), DICE).state == Watching("5")
    assert step(Watching("5"), Closed(290.0), DICE).state == Watching("5")


def test_a_server_that_hangs_up_without_a_word_gets_a_growing_rest():
    state = Watching("5")
    delays = []
    for _ in range(8):
        waiting = step(state, Closed(0.0), DICE).state
        assert isinstance(waiting, Waiting)
        delays.append(waiting.delay_s)
        state = step(waiting, Elapsed(), DICE).state
        assert isinstance(state, Watching)
    assert delays[-1] > 10 * delays[0]


def test_an_expired_version_means_list_again_at_once_and_later_with_a_rest():
    state = step(Watching("5"), Broke(Expired("too old")), DICE).state
    assert state == Listing(failures=1, known="5")
    assert isinstance(step(state, Broke(Expired("again")), DICE).state, Waiting)


def test_a_list_older_than_what_is_known_is_asked_for_again():
    state = Listing(failures=1, known="5")
    state, output = step(state, Paged(ObjectList([thing("a", "1")], "4")), DICE)
    assert isinstance(state, Waiting)
    assert output is None
    state, output = step(step(state, Elapsed(), DICE).state, Paged(ObjectList([thing("a", "6")], "6")), DICE)
    assert (state, output) == (Watching("6"), Listed((thing("a", "6"),)))


def test_a_server_that_stays_older_than_what_is_known_was_restored_and_is_believed():
    state, lists = Listing(known="50"), 0
    while not isinstance(state, Watching):
        state = state.then if isinstance(state, Waiting) else step(state, Paged(ObjectList([], "4")), DICE).state
        lists += isinstance(state, Waiting)
    assert (state, lists) == (Watching("4"), OLDER_LISTS_MAX)


def test_an_expired_page_starts_the_list_over():
    state = step(Listing("page 7", (thing("a", "1"),)), Broke(Expired("token")), DICE).state
    assert state == Listing(failures=1)


def test_a_broken_watch_resumes_where_it_was():
    state = step(Watching("5", heard=True), Broke(Unavailable("reset")), DICE).state
    assert isinstance(state, Waiting)
    assert state.then == Watching("5", failures=1)


def test_a_broken_list_goes_on_with_the_same_page():
    state = step(Listing("page 2", (thing("a", "1"),)), Broke(Unavailable("reset")), DICE).state
    assert isinstance(state, Waiting)
    assert state.then == Listing("page 2", (thing("a", "1"),), failures=1)


def test_a_resource_that_is_not_served_has_no_objects_and_is_asked_for_again():
    state, output = step(Listing(), Broke(Gone("no such resource")), DICE)
    assert isinstance(state, Waiting)
    assert state.then == Listing(failures=1)
    assert output == Listed((), served=False)


def test_a_kind_that_is_installed_late_is_found_within_seconds_however_long_it_was_absent():
    state = step(Listing(failures=1000), Broke(Gone("no such resource")), DICE).state
    assert isinstance(state, Waiting)
    assert 0 < state.delay_s <= ABSENT_LONGEST_S <= 15
    other = step(Listing(failures=1000), Broke(Unavailable("down")), DICE).state
    assert isinstance(other, Waiting)
    assert other.delay_s > ABSENT_LONGEST_S


def test_a_throttling_server_is_given_the_time_it_wants():
    state = step(Listing(), Broke(Throttled("slow down", after_s=120.0)), DICE).state
    assert isinstance(state, Waiting)
    assert state.delay_s == 120.0


states = st.sampled_from(
    [
        Listing(),
        Listing("p", (thing("a", "1"),), 3),
        Watching("5"),
        Watching("5", 2, heard=True),
        Waiting(1.0, Listing()),
        Waiting(1.0, Watching("5", 1)),
    ]
)
inputs = st.sampled_from(
    [
        Paged(ObjectList([], "9")),
        Paged(ObjectList([thing("b", "2")], "9", "more")),
        Heard(WatchEvent("ADDED", thing("c", "11"))),
        Heard(WatchEvent("BOOKMARK", thing("", "12"))),
        Heard(WatchEvent("DELETED", thing("c", "13"))),
        Closed(0.0),
        Closed(300.0),
        Elapsed(),
        Broke(Expired("x")),
        Broke(Gone("x")),
        Broke(Refused("x")),
        Broke(Unavailable("x")),
        Broke(Throttled("x")),
    ]
)


@given(states, st.lists(inputs, max_size=30), st.integers())
def test_any_history_leaves_a_state_that_can_go_on(state, history, seed):
    """Total: no input is unexpected; and every failure of an active state leads to rest or to a fresh list."""
    dice = Random(seed)
    for happened in history:
        before = state
        state, output = step(state, happened, dice)
        assert isinstance(state, Listing | Watching | Waiting)
        if isinstance(happened, Broke) and not isinstance(before, Waiting):
            assert isinstance(state, Waiting | Listing)
        if isinstance(state, Waiting):
            assert 0 < state.delay_s <= 60.0
        if isinstance(output, Put | Dropped):
            assert isinstance(before, Watching)
