"""One timer per owner and tag, none before its time, none after its owner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.timers import Timers


def test_timers_come_up_in_order_of_time_then_of_asking():
    timers: Timers[str] = Timers()
    timers.set("a", "late", 20.0)
    timers.set("b", "first", 10.0)
    timers.set("a", "second", 10.0)

    assert timers.next_at() == 10.0
    assert timers.due(9.999) == []
    assert timers.due(10.0) == [("b", "first"), ("a", "second")]
    assert timers.due(100.0) == [("a", "late")]
    assert timers.next_at() is None


def test_a_later_wish_of_the_same_tag_replaces_the_earlier():
    timers: Timers[str] = Timers()
    timers.set("a", "t", 10.0)
    timers.set("a", "t", 30.0)

    assert timers.due(20.0) == []
    assert timers.due(30.0) == [("a", "t")]


def test_a_cancelled_timer_never_comes():
    timers: Timers[str] = Timers()
    timers.set("a", "t", 10.0)
    timers.set("a", "u", 11.0)
    timers.cancel("a", "t")
    timers.cancel("a", "absent")
    timers.cancel("nobody", "t")

    assert timers.next_at() == 11.0
    timers.cancel_all("a")
    assert timers.next_at() is None
    assert timers.due(100.0) == []


def test_cancelled_timers_do_not_fill_the_heap():
    timers: Timers[str] = Timers()
    for number in range(10_000):
        timers.set("a", "t", 1000.0 - number / 100)

    assert len(timers) == 1
    assert len(timers._heap) < 300


moves = st.lists(
    st.tuples(
        st.sampled_from(["set", "cancel", "cancel_all", "due"]),
        st.sampled_from("abc"),
        st.sampled_from("tu"),
        st.integers(0, 50),
    ),
    max_size=80,
)


@given(moves)
def test_timers_agree_with_a_plain_dictionary(sequence):
    timers: Timers[str] = Timers()
    model: dict[tuple[str, str], int] = {}
    now = 0
    for what, owner, tag, number in sequence:
        if what == "set":
            timers.set(owner, tag, number)
            model[owner, tag] = number
        elif what == "cancel":
            timers.cancel(owner, tag)
            model.pop((owner, tag), None)
        elif what == "cancel_all":
            timers.cancel_all(owner)
            model = {key: at for key, at in model.items() if key[0] != owner}
        else:
            now = max(now, number)
            due = timers.due(now)
            expected = {key for key, at in model.items() if at <= now}
            assert set(due) == expected
            assert [model[key] for key in due] == sorted(model[key] for key in due)
            model = {key: at for key, at in model.items() if key not in expected}
        assert len(timers) == len(model)
        assert timers.next_at() == min(model.values(), default=None)
        assert timers.of("a") == {tag: at for (owner, tag), at in model.items() if owner == "a"}
