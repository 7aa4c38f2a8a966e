"""Locks never have more holders than their limit, nobody holds a part, and nobody waits while there is room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.lock.decide import LockTable, Request

KEYS = ("a", "b", "c")
WANTED = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True).map(tuple)


def table(**limits: int | None) -> LockTable:
    made = LockTable()
    for key, limit in limits.items():
        made.lock(key, limit)
    return made


class LockWalk(RuleBasedStateMachine):
    """Random workflows and nodes that ask, end, and meet changing limits."""

    @initialize(limits=st.lists(st.integers(1, 3), min_size=3, max_size=3))
    def begin(self, limits: list[int]) -> None:
        self.table = LockTable()
        self.limits = dict(zip(KEYS, limits, strict=True))
        self.wanted: dict[str, Request] = {}
        self.holding: dict[str, Request] = {}

    def _granted(self, granted: list[Request]) -> None:
        for request in granted:
            assert self.wanted.pop(str(request.holder)) == request, "only who waits is granted, and once"
            self.holding[str(request.holder)] = request
        for key in {key for request in granted for key in request.keys}:
            lock = self.table.locks[key]
            assert not lock.closed
            assert len(lock.holders) <= self.limits[key], "a grant never goes beyond the limit"

    @rule(
        workflow=st.sampled_from("uvwxyz"), node=st.integers(0, 3), keys=WANTED,
        priority=st.integers(0, 2), created=st.sampled_from(("1", "2", "3")),
    )  # fmt: skip
    def ask(self, workflow: str, node: int, keys: tuple[str, ...], priority: int, created: str) -> None:
        holder = f"{workflow}{node}"
        for key in keys:
            self.table.lock(key, self.limits[key])
        request = Request(holder, workflow, keys, node, priority, created)
        if holder not in self.holding:
            self.wanted[holder] = request
        self._granted(self.table.ask(request))

    @rule(number=st.integers(0, 30))
    def end(self, number: int) -> None:
        everybody = sorted([*self.wanted, *self.holding])
        if everybody:
            holder = everybody[number % len(everybody)]
            self.wanted.pop(holder, None)
            self.holding.pop(holder, None)
            self._granted(self.table.free(holder))

    @rule(key=st.sampled_from(KEYS), limit=st.integers(1, 4))
    def resize(self, key: str, limit: int) -> None:
        self.limits[key] = limit
        if key in self.table.locks:
            self._granted(self.table.resize(key, limit))

    @rule(key=st.sampled_from(KEYS))
    def close(self, key: str) -> None:
        if key in self.table.locks:
            self.table.locks[key].closed = True

    @invariant()
    def all_or_nothing(self) -> None:
        if not hasattr(self, "table"):
            return
        for key, lock in self.table.locks.items():
            assert set(lock.holders) == {h for h, request in self.holding.items() if key in request.keys}
            assert {r.holder for _, r in lock.queue} == {h for h, r in self.wanted.items() if key in r.keys}
            assert sorted(entry[0] for entry in lock.queue) == [entry[0] for entry in lock.queue]
        assert set(self.table.held) == set(self.holding)

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        if not hasattr(self, "table") or not self.wanted:
            return
        for request in self.wanted.values():
            locks = [self.table.locks[key] for key in request.keys]
            free = all(not lock.closed and len(lock.holders) < self.limits[lock.key] for lock in locks)
            first = all(self._head(key).workflow == request.workflow for key in request.keys)
            assert not (free and first), f"{request} waits in vain"

    def _head(self, key: str) -> Request:
        waiting = [request for request in self.wanted.values() if key in request.keys]
        return min(waiting, key=lambda r: (-r.priority, r.created, r.workflow, self.table.waiting[r.holder][0]))


TestLockWalk = pytest.mark.spec("SYNC-6")(pytest.mark.spec("SYNC-5")(LockWalk.TestCase))


@pytest.mark.spec("SYNC-6")
@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 5)), min_size=1, max_size=12))
def test_a_mutex_goes_to_the_higher_priority_then_to_the_older_workflow(waiting: list[tuple[int, int]]) -> None:
    locks = table(m=1)
    locks.ask(Request("first", "first", ("m",)))
    for number, (priority, created) in enumerate(waiting):
        locks.ask(Request(number, f"w{number:02}", ("m",), 0, priority, str(created)))
    order = []
    holder: object = "first"
    while granted := locks.free(holder):  # type: ignore[arg-type]  # numbers and a word
        assert len(granted) == 1
        holder = granted[0].holder
        order.append(holder)

    assert order == sorted(range(len(waiting)), key=lambda n: (-waiting[n][0], waiting[n][1], n))


@pytest.mark.spec("SYNC-6")
def test_other_nodes_of_the_first_workflow_overtake_it_and_nobody_else_does() -> None:
    locks = table(m=1, s=2)
    locks.ask(Request("holder", "h", ("m",)))
    assert locks.ask(Request("w1", "w", ("m", "s"), created="1")) == []

    assert locks.ask(Request("x1", "x", ("s",), created="2")) == [], "the head of the queue is of another workflow"
    overtaking = locks.ask(Request("w2", "w", ("s",), created="1"))

    assert [request.holder for request in overtaking] == ["w2"]
    assert [request.holder for request in locks.free("holder")] == ["w1"]


@pytest.mark.spec("SYNC-6")
def test_workflows_are_compared_by_name_whatever_their_namespace() -> None:
    locks = table(m=1, s=1)
    locks.ask(Request("holder", "h", ("m",)))
    locks.ask(Request(("one", "w"), "w", ("m", "s"), created="1"))

    assert [request.holder for request in locks.ask(Request(("two", "w"), "w", ("s",), created="9"))] == [("two", "w")]


@pytest.mark.spec("SYNC-6")
def test_the_queue_moves_on_when_its_head_goes_away() -> None:
    locks = table(m=1, s=1)
    locks.ask(Request("holder", "h", ("m",)))
    locks.ask(Request("w", "w", ("m", "s"), created="1"))
    locks.ask(Request("x", "x", ("s",), created="2"))

    assert [request.holder for request in locks.free("w")] == ["x"]


@pytest.mark.spec("SYNC-5")
def test_two_that_want_the_same_locks_in_another_order_never_block_each_other() -> None:
    locks = table(a=1, b=1)
    assert locks.ask(Request("w", "w", ("a", "b")))
    assert locks.ask(Request("x", "x", ("b", "a"))) == []

    assert [request.holder for request in locks.free("w")] == ["x"]


@pytest.mark.spec("SYNC-3")
def test_a_limit_that_shrinks_takes_nothing_away_and_gives_nothing_more() -> None:
    locks = table(s=2)
    for number in range(3):
        locks.ask(Request(number, f"w{number}", ("s",), created=str(number)))

    assert locks.resize("s", 1) == []
    assert locks.free(0) == []
    assert [request.holder for request in locks.free(1)] == [2]


@pytest.mark.spec("SYNC-9")
def test_holders_on_record_count_even_beyond_the_limit() -> None:
    locks = table(m=1)
    for holder in ("one", "two"):
        locks.adopt(holder, ["m"])
    assert locks.ask(Request("w", "w", ("m",))) == []

    assert locks.free("one") == []
    assert [request.holder for request in locks.free("two")] == ["w"]


def test_nothing_is_granted_while_it_is_not_known_who_holds_what() -> None:
    locks = table(m=1)
    locks.paused = True
    assert locks.ask(Request("w", "w", ("m",))) == []
    locks.paused = False

    assert [request.holder for request in locks.grant(["m"])] == ["w"]


def test_a_lock_that_nobody_wants_is_forgotten() -> None:
    locks = table(m=1)
    locks.ask(Request("w", "w", ("m",)))
    locks.free("w")

    assert not locks.locks
