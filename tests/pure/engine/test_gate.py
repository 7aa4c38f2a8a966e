"""A gate never lets in more than its limit, and nobody is forgotten."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.gate import Gate


class GateWalk(RuleBasedStateMachine):
    """Random askers and leavers."""

    @initialize(limit=st.none() | st.integers(0, 3), fail_fast=st.booleans())
    def begin(self, limit: int | None, fail_fast: bool) -> None:
        self.gate = Gate(limit, fail_fast)
        self.inside: set[str] = set()
        self.asked: list[str] = []

    def _admitted(self, admitted: list[str]) -> None:
        assert self.asked[: len(admitted)] == admitted, "first come, first served"
        self.asked = self.asked[len(admitted) :]
        self.inside |= set(admitted)

    @rule(who=st.sampled_from("abcdefgh"))
    def ask(self, who: str) -> None:
        if who not in self.inside and who not in self.asked:
            self.asked.append(who)
        self._admitted(self.gate.ask(who))

    @rule(failed=st.booleans())
    def leave(self, failed: bool) -> None:
        if self.inside:
            who = sorted(self.inside)[0]
            self.inside.discard(who)
            self._admitted(self.gate.leave(who, failed=failed))

    @rule(failed=st.booleans())
    def pause(self, failed: bool) -> None:
        """Who stays is let in again at once, unless nobody is any more."""
        if self.inside:
            who = sorted(self.inside)[-1]
            self._admitted(self.gate.leave(who, failed=failed, stays=True))
            if self.gate.closed:
                self.inside.discard(who)
                return
            assert self.gate.ask(who) == [who]
            self._admitted(self.gate.ask(who))

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.gate.held = held
        self._admitted(self.gate.admit())

    @invariant()
    def limits_hold_and_nobody_waits_in_vain(self) -> None:
        if not hasattr(self, "gate"):
            return
        assert self.gate.inside == self.inside
        if self.gate.limit is not None:
            assert len(self.inside) <= self.gate.limit
        room = self.gate.limit is None or len(self.inside) < self.gate.limit
        if room and not self.gate.held and not self.gate.closed:
            assert not self.gate.waiting


TestGateWalk = pytest.mark.spec("PAR-4")(GateWalk.TestCase)


class PatientWalk(RuleBasedStateMachine):
    """Likewise, of a gate that lets in by the order of a tree, when all have asked who do so at one time."""

    @initialize(limit=st.integers(0, 3))
    def begin(self, limit: int) -> None:
        self.gate = Gate(limit, patient=True)
        self.waiting: dict[str, tuple[int, ...]] = {}
        self.inside: set[str] = set()

    @rule(who=st.sampled_from("abcdefgh"), order=st.lists(st.integers(0, 2), max_size=3))
    def ask(self, who: str, order: list[int]) -> None:
        assert self.gate.ask(who, order=tuple(order)) == []
        if who not in self.inside:
            self.waiting.setdefault(who, tuple(order))

    @rule(who=st.sampled_from("abcdefgh"))
    def leave(self, who: str) -> None:
        assert self.gate.leave(who) == []
        self.inside.discard(who)
        self.waiting.pop(who, None)

    @rule(limit=st.integers(0, 3))
    def edit(self, limit: int) -> None:
        self.gate.limit = limit
        assert self.gate.admit() == []

    @rule()
    def let_in(self) -> None:
        admitted = self.gate.let_in()
        orders = [self.waiting.pop(who) for who in admitted]
        assert orders == sorted(orders)
        assert all(orders[-1] <= order for order in self.waiting.values() if orders)
        self.inside |= set(admitted)
        assert len(self.inside) <= (self.gate.limit or 0) or not admitted

    @invariant()
    def who_could_go_in_is_called(self) -> None:
        if hasattr(self, "gate") and self.waiting and len(self.inside) < (self.gate.limit or 0):
            assert self.gate.due


TestPatientWalk = pytest.mark.spec("PAR-3")(PatientWalk.TestCase)


@pytest.mark.spec("FF-2")
def test_after_a_failure_a_gate_that_fails_fast_lets_nobody_in() -> None:
    gate = Gate(1, fail_fast=True)
    assert gate.ask("a") == ["a"]
    assert gate.ask("b") == []

    assert gate.leave("a", failed=True) == []
    assert gate.closed


@pytest.mark.spec("PAR-3")
def test_a_place_kept_over_a_restart_is_free_once_what_it_was_kept_for_is_over() -> None:
    gate = Gate(1)
    gate.restore({"later": "w.later"})
    assert gate.ask("before") == []

    assert gate.vacate("later") == ["before"]
    assert gate.ask("later") == ["later"], "it had been let in before"
    assert gate.vacate("later") == [], "who has asked again gives its place back itself"
    assert gate.leave("before") == []
    assert gate.ask("another") == []


@pytest.mark.spec("PAR-3")
def test_who_stood_below_a_crashed_node_gives_back_what_it_had_and_waits_no_more() -> None:
    gate = Gate(2)
    below = {"pod": "w[0].a[1].b", "attempts": "w[0].a(0)"}
    assert [gate.ask(who, name) for who, name in below.items()] == [["pod"], ["attempts"]]
    for who, name in {"late": "w[0].a.T", "hook": "w[0].a.onExit", "other": "w[0].ab", "more": "w[1].c"}.items():
        assert gate.ask(who, name) == []

    assert gate.forsake("w[0].a") == ["hook", "other"], "a hook is not below, nor is who is only called alike"
    assert gate.leave("hook") == ["more"], "who waited below waits no more"
    assert gate.forsake("w[0].a") == [], "twice is once"


@pytest.mark.spec("PAR-3")
def test_who_crashes_before_it_has_asked_again_gives_back_the_place_that_was_kept_for_it() -> None:
    gate = Gate(1)
    gate.restore({"hook": "w.hooks.running"})
    assert gate.ask("after", "w.T") == []

    assert gate.forsake("w.hooks.running") == ["after"]
    assert gate.leave("after") == []


@pytest.mark.spec("PAR-3")
def test_who_crashed_itself_waits_no_more() -> None:
    gate = Gate(1)
    for who, name in {"a": "w[0].a", "b": "w[0].b", "c": "w[0].c"}.items():
        gate.ask(who, name)

    assert gate.forsake("w[0].b") == []
    assert gate.forsake("w[0].a") == ["c"]
    assert gate.forsake("w") == [] == sorted(gate.inside)


@pytest.mark.spec("PAR-3")
def test_a_place_on_record_that_was_given_to_others_meanwhile_is_theirs_and_who_had_it_is_the_next() -> None:
    """It had left and another had been let in, and of both only the pod of the other shows: the limit is the limit."""
    gate = Gate(2)
    gate.restore({"recorded": "w.recorded", "one": "w.one"}, doubtful=True)
    gate.restore({"one": "w.one", "two": "w.two"})
    assert gate.ask("late") == []
    assert gate.ask("recorded") == []
    assert gate.ask("one") == ["one"], "who works stays"
    assert gate.leave("one") == ["recorded"]
    assert gate.leave("two") == ["late"]


@pytest.mark.spec("PAR-3")
def test_who_needs_its_place_only_to_tell_of_an_end_waits_for_nobody() -> None:
    gate = Gate(1)
    gate.restore({"over": "w.over"}, doubtful=True)
    gate.restore({"works": "w.works"})
    gate.owed.add("over")
    assert gate.ask("over") == ["over"]


@pytest.mark.spec("PAR-3")
def test_a_limit_of_zero_holds_everybody_back() -> None:
    assert Gate(0).ask("a") == []


class Counted(str):
    """A name that counts how often any is compared with another."""

    __slots__ = ()
    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)


@pytest.mark.spec("PAR-3")
def test_who_asks_and_leaves_is_not_compared_with_all_who_wait() -> None:
    gate, names = Gate(1), [f"node-{number}" for number in range(1000)]
    for name in names:
        gate.ask(Counted(name))
    for name in names[::-1]:  # who gives up, from the end: all others still wait
        gate.leave(Counted(name))

    assert not gate.waiting
    assert Counted.compared < 20 * len(names)
