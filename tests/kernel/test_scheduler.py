"""Turns: who reads when, and how long."""

from __future__ import annotations

import pytest

from runtime import log
from runtime.actor import Room
from runtime.messages import Address, Started, Tell, Told
from runtime.scheduler import ACTOR_MESSAGES_KEPT, ACTOR_MESSAGES_MAX, TURN_MESSAGES_MAX, TURN_S
from tests.kernel.kernel import Kernel, Scripted

OUTSIDE = Address("outside", "", "", "")


def at(name: str) -> Address:
    return Address("a", "default", name, "")


def test_a_busy_actor_does_not_starve_its_neighbours():
    order: list[str] = []
    kernel = Kernel(Room("a", Scripted()))
    busy, calm = kernel.wake(at("busy")), kernel.wake(at("calm"))
    kernel.run()
    kernel.lives._minds["a"].react = lambda state, message, now: order.append(message.word) or ()
    for _ in range(10 * ACTOR_MESSAGES_MAX):
        kernel.registry.post(busy, Told(OUTSIDE, "busy"))
    kernel.registry.post(calm, Told(OUTSIDE, "calm"))
    kernel.run()

    assert order.index("calm") == ACTOR_MESSAGES_MAX
    assert len(order) == 10 * ACTOR_MESSAGES_MAX + 1


def test_a_turn_ends_though_two_actors_talk_for_ever():
    def receive(state, message, now):
        state.clear()
        return [Tell(at("y" if message.sender == at("y") else "x"), 0)] if isinstance(message, Told) else ()

    kernel = Kernel(Room("a", Scripted(receive)))
    kernel.registry.post(kernel.wake(at("x")), Told(at("x"), 0))

    assert TURN_MESSAGES_MAX <= kernel.scheduler.turn() <= TURN_MESSAGES_MAX + ACTOR_MESSAGES_MAX
    assert kernel.registry.ready


def test_a_turn_ends_in_the_middle_of_an_actors_mail_when_its_time_is_over():
    def receive(state, message, now):
        kernel.clock.now += TURN_S / 2
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    slow, calm = kernel.wake(at("slow")), kernel.wake(at("calm"))
    kernel.run()
    for number in range(20):
        kernel.registry.post(slow, Told(OUTSIDE, number))
    kernel.registry.post(calm, Told(OUTSIDE, "calm"))

    assert kernel.scheduler.turn() == 2
    assert len(calm.state) == 1, "not yet: the event loop comes first"
    for _ in range(ACTOR_MESSAGES_KEPT // 2):
        assert kernel.scheduler.turn() == 2
    assert len(calm.state) == 2, "though the slow one has more to read"
    kernel.run()
    assert [message.word for message in slow.state[1:]] == [*range(20)]


@pytest.mark.parametrize("messages", range(1, 8))
def test_the_end_of_a_turn_changes_nothing_about_the_order_in_which_brothers_speak(messages: int):
    """Each says what it has to say at its second message, which it sends itself; turns end after so many."""
    said: list[str] = []

    def receive(state, message, now):
        kernel.clock.now += TURN_S / messages
        own = next(name for name, actor in brothers.items() if actor.state is state)
        if isinstance(message, Told) and message.word == "begin":
            said.append(own)
        return [Tell(at(own), "begin")] if isinstance(message, Started) else ()

    kernel = Kernel(Room("a", Scripted(receive)))
    brothers = {name: kernel.wake(at(name)) for name in "abcdefghi"}
    kernel.run()

    assert said == [*brothers]


def test_an_actor_that_holds_up_everybody_is_named(monkeypatch: pytest.MonkeyPatch):
    lines: list[tuple[str, dict]] = []
    monkeypatch.setattr(log.Log, "_write", lambda self, level, event, fields: lines.append((event, fields)))

    def receive(state, message, now):
        kernel.clock.now += 0.1 if len(state) == 1 else 1.0
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    actor = kernel.wake(at("x"))
    kernel.run()
    assert lines == []
    kernel.registry.post(actor, Told(OUTSIDE, "go"))
    kernel.run()
    assert lines == [("actor.slow", {"actor": "a:default/x", "seconds": 1.0})]


def test_a_parked_actor_has_no_mailbox():
    kernel = Kernel(Room("a", Scripted()))
    actor = kernel.wake(at("x"))
    assert actor.mailbox is not None
    kernel.run()

    assert actor.mailbox is None
    assert actor.state == [Started(0)]
    assert not actor.ready


def test_a_mind_that_tells_itself_reads_it_in_the_same_turn():
    def receive(state, message, now):
        return [Tell(at("x"), "again")] if isinstance(message, Started) else ()

    kernel = Kernel(Room("a", Scripted(receive)))
    actor = kernel.wake(at("x"))
    kernel.scheduler.turn()

    assert actor.state == [Started(0), Told(at("x"), "again")]
