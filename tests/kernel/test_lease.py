"""The lease as a table: what a candidate does about what it sees, by its own clock alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.lease import (
    TERMS,
    Look,
    Record,
    Seen,
    Unwritten,
    View,
    Write,
    Written,
    claim,
    deposed,
    holds,
    micro_time,
    parse,
    release,
    step,
)
from runtime.objects import LEASES, Reference

REF = Reference(LEASES, "argo", "workflow-controller")
ME, OTHER = "me", "other"


def record(holder: str, stamp: str = "1", lease_s: float = 8.0) -> Record:
    return Record(holder, lease_s, stamp, stamp, 0, "")


def after(view: View, happened: object, now: float) -> tuple[View, object]:
    return step(view, happened, now, ME, TERMS)  # type: ignore[arg-type]  # any of the union


def test_what_nobody_holds_is_taken_at_once():
    assert after(View(), Seen(None), 5.0)[1] == Write()
    assert after(View(), Seen(record("")), 5.0)[1] == Write()


def test_a_restarted_container_takes_its_own_lease_back_at_once():
    view, next_ = after(View(), Seen(record(ME)), 5.0)
    assert next_ == Write()
    assert not holds(view, 5.0, ME, TERMS), "not before a write of this very life was acknowledged"


def test_somebody_elses_lease_is_over_when_it_has_not_changed_for_as_long_as_it_promises():
    view, next_ = after(View(), Seen(record(OTHER, lease_s=15.0)), 100.0)
    assert next_ == Look(TERMS.look_s)
    view, next_ = after(view, Seen(record(OTHER, lease_s=15.0)), 114.8)
    assert next_ == Look(pytest.approx(0.2))
    assert after(view, Seen(record(OTHER, lease_s=15.0)), 115.0)[1] == Write()


def test_a_change_of_the_record_starts_the_wait_anew():
    view, _ = after(View(), Seen(record(OTHER, "1")), 0.0)
    view, _ = after(view, Seen(record(OTHER, "2")), 7.9)
    assert after(view, Seen(record(OTHER, "2")), 15.8)[1] == Look(pytest.approx(0.1))


def test_the_times_in_the_record_are_not_looked_at():
    """A machine whose clock is a day ahead neither keeps a lease for a day nor loses it at once."""
    lease = {"metadata": {}, "spec": {"holderIdentity": OTHER, "leaseDurationSeconds": 8, "renewTime": micro_time(0.0)}}
    assert after(View(), Seen(parse(lease, TERMS)), 1e9)[1] == Look(TERMS.look_s)


def test_a_holder_renews_every_two_seconds_counted_from_the_beginning_of_its_write():
    view, next_ = after(View(), Written(record(ME), 10.0), 10.5)
    assert next_ == Write(pytest.approx(1.5))
    assert view.reign == 1
    assert after(view, Written(record(ME, "2"), 12.0), 12.1)[0].reign == 1


def test_who_has_not_renewed_for_five_seconds_writes_nothing():
    view, _ = after(View(), Written(record(ME), 10.0), 12.0)
    assert holds(view, 14.9, ME, TERMS)
    assert not holds(view, 15.0, ME, TERMS)
    view, _ = after(view, Unwritten(), 15.0)
    assert not deposed(view, ME), "perhaps nobody else has taken it"
    view, _ = after(view, Written(record(ME, "2"), 20.0), 20.1)
    assert holds(view, 20.1, ME, TERMS)
    assert view.reign == 1, "the same reign goes on"


def test_the_record_of_somebody_else_ends_the_reign_and_the_next_one_has_another_number():
    view, _ = after(View(), Written(record(ME), 10.0), 10.0)
    view, next_ = after(view, Unwritten(contested=True), 12.0)
    assert next_ == Look(0.0)
    view, _ = after(view, Seen(record(OTHER, "2")), 12.0)
    assert deposed(view, ME)
    view, _ = after(view, Seen(record(ME, "3")), 30.0)  # a write of ours whose answer was lost
    assert after(view, Written(record(ME, "4"), 30.0), 30.0)[0].reign == 2


def test_a_claim_counts_transitions_and_a_renewal_keeps_the_time_of_acquisition():
    taken = claim(REF, Record(OTHER, 8.0, "1", "7", 4, "t"), ME, 0.0, TERMS)
    assert taken["metadata"]["resourceVersion"] == "7"
    assert taken["spec"]["leaseTransitions"] == 5
    renewed = claim(REF, Record(ME, 8.0, "1", "8", 5, "t"), ME, 2.0, TERMS)
    assert (renewed["spec"]["leaseTransitions"], renewed["spec"]["acquireTime"]) == (5, "t")
    assert renewed["spec"]["renewTime"] == "1970-01-01T00:00:02.000000Z"


def test_a_released_lease_is_nobodys():
    freed = release(REF, record(ME), 0.0)
    assert parse(freed, TERMS).holder == ""
    assert after(View(), Seen(parse(freed, TERMS)), 0.0)[1] == Write()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["seen me", "seen other", "seen none", "written", "failed", "contested"]),
            st.floats(0.0, 9.0),
            st.floats(0.0, 2.0),
        ),
        max_size=30,
    )
)
def test_whatever_happens_the_fence_is_open_only_shortly_after_an_acknowledged_write(history):
    view, now, last_begun = View(), 0.0, None
    for number, (what, passed, took) in enumerate(history):
        now += passed
        stamp = str(number)
        begun = max(0.0, now - took)
        happened = {
            "seen me": Seen(record(ME, stamp)),
            "seen other": Seen(record(OTHER, stamp)),
            "seen none": Seen(None),
            "written": Written(record(ME, stamp), begun),
            "failed": Unwritten(),
            "contested": Unwritten(contested=True),
        }[what]
        view, next_ = after(view, happened, now)
        last_begun = begun if what == "written" else last_begun
        assert next_.after_s >= 0
        if holds(view, now, ME, TERMS):
            assert last_begun is not None
            assert now - last_begun < TERMS.fence_s
            assert not deposed(view, ME)
