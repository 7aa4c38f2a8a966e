"""Who is to have which group: even, wanted by one, and no more of them moved than must be."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.allotment import Notice, allot, holder, notice, shares
from runtime.lease import Record

NAMES = ("a", "b", "c", "d", "e")
members_of = st.sets(st.sampled_from(NAMES), min_size=1)
holders_of = st.lists(st.sampled_from(("", *NAMES)), min_size=1, max_size=12)


@given(members_of, holders_of)
def test_every_group_is_wanted_by_one_member_and_shares_differ_by_one_at_most(members, holders):
    wanted = allot(members, holders)
    assert len(wanted) == len(holders)
    assert set(wanted) <= members
    counts = Counter(wanted)
    sizes = [counts[member] for member in members]
    assert max(sizes) - min(sizes) <= 1


@given(members_of, holders_of)
def test_no_more_is_moved_than_must_be(members, holders):
    wanted = allot(members, holders)
    moved = sum(1 for has, gets in zip(holders, wanted, strict=True) if has in members and has != gets)
    held = Counter(who for who in holders if who in members)
    # However the larger shares are dealt out, this much is above them.
    least, larger = divmod(len(holders), len(members))
    above = sorted((held[member] for member in members), reverse=True)
    must = sum(max(0, n - least - (1 if at < larger else 0)) for at, n in enumerate(above))
    assert moved == must


@given(members_of, holders_of)
def test_what_was_allotted_stays_where_it_is(members, holders):
    wanted = allot(members, holders)
    assert allot(members, wanted) == wanted


@given(members_of, holders_of, st.data())
def test_giving_up_and_taking_in_any_order_comes_to_the_same_shares_and_moves_nothing_twice(members, holders, data):
    """Members do what is wanted one after the other, each by what it sees at that moment."""
    now, gave = list(holders), Counter()
    for _ in range(4 * len(holders)):
        wanted = allot(members, now)
        open_ = [group for group, (has, gets) in enumerate(zip(now, wanted, strict=True)) if has != gets]
        if not open_:
            break
        group = data.draw(st.sampled_from(open_))
        if now[group] in members:
            now[group], gave[group] = "", gave[group] + 1  # given up
        else:
            now[group] = wanted[group]  # taken: it was nobody's, or a dead one's
    assert tuple(now) == allot(members, now)
    assert all(times <= 1 for times in gave.values()), gave


@given(holders_of)
def test_without_members_nobody_is_to_have_anything(holders):
    assert set(allot(set(), holders)) == {""}


def test_a_newcomer_gets_its_share_and_the_others_keep_theirs():
    assert allot({"a", "b"}, ("a", "a", "a", "a")) == ("a", "a", "b", "b")
    assert allot({"a", "b", "c"}, ("a", "a", "b", "b")) == ("a", "a", "b", "c")
    assert allot({"a"}, ("a", "b", "", "b")) == ("a", "a", "a", "a")
    assert shares({"a", "b", "c"}, {"b": 2}, 4) == {"b": 2, "a": 1, "c": 1}


def record(who: str, stamp: str) -> Record:
    return Record(who, 8.0, stamp, "1", 0, "")


def test_who_has_not_changed_its_record_for_as_long_as_it_promises_holds_nothing():
    known = notice({}, {"x": record("a", "1")}, now=10.0)
    assert holder(known["x"], 17.9) == "a"
    assert holder(known["x"], 18.0) == ""
    known = notice(known, {"x": record("a", "1")}, now=17.0)
    assert known["x"].since == 10.0
    known = notice(known, {"x": record("a", "2")}, now=17.5)
    assert holder(known["x"], 25.0) == "a"
    assert notice(known, {}, now=26.0) == {}
    assert holder(None, 0.0) == ""
    assert holder(Notice(record("", "3"), 0.0), 1.0) == ""


class Walk:
    """Members that look at different moments, die, come and go; groups change hands by their leases alone."""

    def __init__(self, groups: int) -> None:
        self.owner = [""] * groups
        self.renewed = [0] * groups  # when the owner last did
        self.alive: dict[str, int] = {}  # and when it last announced itself
        self.dead: set[str] = set()
        self.last: dict[str, int] = {}  # when each was last heard of

    def members(self, now: int) -> set[str]:
        return {name for name, at in self.last.items() if now - at < 8}

    def tick(self, now: int) -> None:
        for name in self.alive:
            self.last[name] = now
            for group, who in enumerate(self.owner):
                if who == name:
                    self.renewed[group] = now

    def act(self, name: str, now: int) -> None:
        seen = [who if who in self.members(now) else "" for who in self.owner]
        wanted = allot(self.members(now), seen)
        for group, who in enumerate(self.owner):
            if who == name and wanted[group] != name:
                self.owner[group] = ""
            elif wanted[group] == name and (not who or (who != name and now - self.renewed[group] >= 8)):
                self.owner[group], self.renewed[group] = name, now


@settings(deadline=None)
@given(st.integers(1, 8), st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["come", "die"])), max_size=12))
def test_every_group_is_held_in_bounded_time_after_a_death_and_evenly(groups, history):
    walk, now = Walk(groups), 0
    walk.alive["z"] = 0
    for name, what in history:
        for _ in range(3):
            now += 1
            walk.tick(now)
            for each in sorted(walk.alive):
                walk.act(each, now)
        if what == "come":
            walk.alive[name] = now
        else:
            walk.alive.pop(name, None)
    for _ in range(12):
        now += 1
        walk.tick(now)
        for each in sorted(walk.alive):
            walk.act(each, now)
    counts = Counter(walk.owner)
    assert set(walk.owner) <= set(walk.alive), walk.owner
    assert max(counts[name] for name in walk.alive) - min(counts[name] for name in walk.alive) <= 1
