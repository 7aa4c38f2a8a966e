"""How often something may crash, and how long it then stays aside."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import delay_s
from runtime.restarts import QUARANTINE_LONGEST_S, Budget, History, crashed, released, within

BUDGET = Budget(intensity=3, period_s=60.0)


def test_restarts_within_the_budget_are_immediate():
    history = History()
    for number in range(3):
        history, delay = crashed(history, 100.0 + number, BUDGET)
        assert delay == 0.0
    assert history.attempts == 3


def test_one_crash_more_is_put_aside():
    history = History()
    for number in range(4):
        history, delay = crashed(history, 100.0 + number, BUDGET)
    assert delay == 10.0
    assert history.quarantines == 1


def test_old_crashes_do_not_count():
    history = History()
    for number in range(20):
        history, delay = crashed(history, 100.0 + 25 * number, BUDGET)
        assert delay == 0.0
    assert history.attempts == 20


def test_a_budget_of_nothing_means_no_restart():
    assert within((), 0.0, Budget(0, 60.0)) is None


def test_the_time_aside_doubles_up_to_ten_minutes():
    history, now, delays = History(), 0.0, []
    for _ in range(20):
        history, delay = crashed(history, now, BUDGET)
        if delay:
            delays.append(delay)
            now += delay
            history = released(history, now)
        now += 1.0
    assert delays[:4] == [10.0, 20.0, 40.0, 80.0]
    assert delays[-1] == QUARANTINE_LONGEST_S


def test_a_healthy_period_after_quarantine_gives_the_budget_back():
    assert crashed(History(quarantines=4, released_at=1000.0), 1060.0, BUDGET)[1] == 0.0
    assert crashed(History(quarantines=4, released_at=1000.0), 1059.0, BUDGET)[1] == 160.0


def test_nobody_comes_back_more_often_than_the_budget_allows():
    """The last crash before quarantine decides; a release because the object changed is still on probation."""
    assert crashed(released(History(quarantines=1, released_at=500.0), 400.0), 401.0, BUDGET)[1] == 20.0


@given(st.lists(st.floats(0.0, 100.0), max_size=50), st.integers(0, 5))
def test_immediate_restarts_never_exceed_the_intensity_in_any_period(gaps, intensity):
    budget, history, now, restarts = Budget(intensity, 60.0), History(), 0.0, []
    for gap in gaps:
        now += gap
        history, delay = crashed(history, now, budget)
        if delay:
            assert delay <= QUARANTINE_LONGEST_S
            now += delay
            history = released(history, now)
        else:
            restarts.append(now)
    for end in restarts:
        assert sum(end - 60.0 < at <= end for at in restarts) <= intensity


@given(st.integers(0, 2000), st.integers())
def test_a_back_off_is_jittered_growing_and_bounded(failures, seed):
    delay = delay_s(failures, Random(seed))
    assert 0.25 <= delay <= 30.0
    assert delay >= min(30.0, 0.5 * 2.0 ** min(max(failures, 1) - 1, 32)) / 2
