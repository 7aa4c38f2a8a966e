"""Births, ends, crashes and restarts, without an event loop."""

from __future__ import annotations

from itertools import pairwise

import pytest

from runtime.actor import Room
from runtime.mailbox import MAILBOX_SUBJECTS_MAX
from runtime.messages import (
    Address,
    Create,
    Down,
    Gone,
    Observed,
    Spawn,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import CONFIGMAPS, Reference
from runtime.registry import DEAD, STOPPED
from runtime.restarts import Budget
from tests.kernel.kernel import Kernel, Scripted

OUTSIDE = Address("outside", "", "", "")


pytestmark = pytest.mark.usefixtures("quiet")


def at(name: str, room: str = "a", part: str = "") -> Address:
    return Address(room, "default", name, "uid", part)


def state_of(name: str, version: int) -> Observed:
    meta = {"namespace": "default", "name": name, "uid": "uid", "resourceVersion": str(version)}
    return Observed(Reference(CONFIGMAPS, "default", name, "uid"), {"metadata": meta})


def words(state: list) -> list:
    return [message.word for message in state if isinstance(message, Told)]


def test_the_first_message_is_started_then_what_the_cache_has():
    kernel = Kernel(Room("a", Scripted()))
    kernel.cache[at("x")] = [state_of("x", 1)]
    actor = kernel.wake(at("x"))
    kernel.run()

    assert actor.state == [Started(0), state_of("x", 1)]


def test_a_child_is_born_from_its_argument_and_told_what_the_cache_has():
    def receive(state, message, now):
        return [Spawn(at("x", "b", "child"), 7)] if isinstance(message, Started) else ()

    kernel = Kernel(Room("a", Scripted(receive)), Room("b", Scripted()))
    kernel.cache[at("x", "b", "child")] = [state_of("pod", 1)]
    kernel.wake(at("x"))
    kernel.run()

    assert kernel.registry.actors[at("x", "b", "child")].state == [Started(0), state_of("pod", 1)]


def test_an_address_that_lives_is_left_alone_by_spawn():
    mind = Scripted()
    kernel = Kernel(Room("a", Scripted(lambda s, m, n: [Spawn(at("x", "b")), Spawn(at("x", "b"))])), Room("b", mind))
    kernel.wake(at("x"))
    kernel.run()

    assert mind.born == [at("x", "b")]


def test_children_end_before_their_parent_the_youngest_first():
    def receive(state, message, now):
        if message == Told(OUTSIDE, "stop"):
            return [Stop()]
        if isinstance(message, Started) and len(kernel.registry.actors) < 4:
            return [Spawn(at("x", part=str(len(kernel.registry.actors)))), Spawn(at("x", part="last"))]
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    root = kernel.wake(at("x"))
    kernel.run()
    assert [member.address.part for member in kernel.registry.family(root)] == ["last", "3", "1", ""]
    ended = list(kernel.registry.family(root))
    kernel.registry.post(root, Told(OUTSIDE, "stop"))
    kernel.run()

    assert not kernel.registry.actors
    assert [member.life for member in ended] == [DEAD, DEAD, DEAD, STOPPED]


def test_a_family_may_be_deeper_than_the_stack_of_python():
    def receive(state, message, now):
        depth = len(kernel.registry.actors)
        return [Spawn(at("x", part=str(depth)))] if isinstance(message, Started) and depth < 5000 else ()

    kernel = Kernel(Room("a", Scripted(receive)))
    root = kernel.wake(at("x"))
    kernel.run()
    kernel.lives.stop(root, "normal")

    assert not kernel.registry.actors


def test_the_end_of_a_child_is_told_to_its_parent():
    def child(state, message, now):
        return [Stop("done")]

    def parent(state, message, now):
        return [Spawn(at("x", "b"))] if isinstance(message, Started) else ()

    kernel = Kernel(Room("a", Scripted(parent)), Room("b", Scripted(child)))
    root = kernel.wake(at("x"))
    kernel.run()

    assert root.state == [Started(0), Down(at("x", "b"), "done")]


def test_the_crash_of_a_child_is_its_parents_business():
    def child(state, message, now):
        raise ValueError("no such luck")

    def parent(state, message, now):
        return [Spawn(at("x", "b")), Spawn(at("y", "b"), KeyError("born wrong"))] if len(state) == 1 else ()

    kernel = Kernel(Room("a", Scripted(parent)), Room("b", Scripted(child)))
    root = kernel.wake(at("x"))
    kernel.run()

    assert root.state[1:] == [
        Down(at("y", "b"), "crashed", "KeyError: 'born wrong'"),
        Down(at("x", "b"), "crashed", "ValueError: no such luck"),
    ]
    assert list(kernel.registry.actors) == [at("x")]


def test_an_objects_own_actor_is_rebuilt_from_the_cache():
    def receive(state, message, now):
        if isinstance(message, Told):
            raise RuntimeError(message.word)  # noqa: TRY004  # a bug, whatever its kind
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    kernel.cache[at("x")] = [state_of("x", 1)]
    first = kernel.wake(at("x"))
    kernel.registry.post(first, Told(OUTSIDE, "boom"))
    kernel.registry.post(first, Told(OUTSIDE, "never read"))
    kernel.run()
    second = kernel.registry.actors[at("x")]

    assert first.life == DEAD
    assert second is not first
    assert second.state == [Started(1), state_of("x", 1)]


def test_a_generator_that_raises_half_way_has_commanded_nothing():
    def receive(state, message, now):
        if message == Told(OUTSIDE, "go"):
            yield Tell(at("y"), "half")
            raise RuntimeError("the other half")

    kernel = Kernel(Room("a", Scripted(receive)))
    kernel.wake(at("y"))
    kernel.registry.post(kernel.wake(at("x")), Told(OUTSIDE, "go"))
    kernel.run()

    assert words(kernel.registry.actors[at("y")].state) == []


def test_a_crash_ends_the_children_and_the_timers_of_that_life():
    def receive(state, message, now):
        if isinstance(message, Started) and not message.attempt:
            return [Spawn(at("x", part="child")), WakeAt(now + 10)] if not len(state) > 1 else ()
        if isinstance(message, Told):
            raise RuntimeError  # noqa: TRY004  # a bug, whatever its kind
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    first = kernel.wake(at("x"))
    kernel.scheduler.turn()
    kernel.registry.post(first, Told(OUTSIDE, "boom"))
    kernel.run()
    kernel.pass_time(3600)

    assert list(kernel.registry.actors) == [at("x")]
    assert kernel.registry.actors[at("x")].state == [Started(1)]


def test_beyond_its_budget_an_actor_is_put_aside_and_seen():
    def receive(state, message, now):
        raise RuntimeError("always")

    seen = []
    kernel = Kernel(Room("a", Scripted(receive)), Room("b", Scripted()), budget=Budget(3, 60.0))
    kernel.lives.on_quarantine = seen.append
    kernel.wake(at("x"))
    neighbour = kernel.wake(at("y", "b"))
    kernel.run()

    (entry,) = kernel.lives.statistics().quarantined
    assert seen == [entry]
    assert (entry.address, entry.message, entry.error) == (at("x"), Started(3), "RuntimeError: always")
    assert entry.until - entry.since == 10.0
    assert kernel.lives.statistics().crashes == 4
    assert list(kernel.registry.actors) == [at("y", "b")]
    assert neighbour.state == [Started(0)]


def test_a_quarantined_actor_is_tried_again_later_and_later():
    def receive(state, message, now):
        tries.append(now)
        raise RuntimeError("always")

    tries: list[float] = []
    kernel = Kernel(Room("a", Scripted(receive)), budget=Budget(0, 60.0))
    kernel.wake(at("x"))
    kernel.run()
    for _ in range(3600):
        kernel.pass_time(1.0)

    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps[:6] == [10, 20, 40, 80, 160, 320]
    assert set(gaps[6:]) == {600}


def test_a_quarantined_actor_is_tried_again_when_its_object_changes():
    broken = True

    def receive(state, message, now):
        if broken:
            raise RuntimeError("not yet")
        return ()

    kernel = Kernel(Room("a", Scripted(receive)), budget=Budget(0, 60.0))
    kernel.wake(at("x"))
    kernel.run()
    broken = False
    actor = kernel.wake(at("x"))
    kernel.run()

    assert not kernel.lives.quarantined
    assert actor.state == [Started(1)]
    kernel.pass_time(3600)
    assert kernel.registry.actors[at("x")] is actor


def test_an_object_that_is_gone_needs_no_second_try():
    def receive(state, message, now):
        raise RuntimeError("always")

    kernel = Kernel(Room("a", Scripted(receive)), budget=Budget(0, 60.0))
    kernel.wake(at("x"))
    kernel.run()
    kernel.lives.forget(at("x"))
    kernel.pass_time(3600)
    assert kernel.lives.statistics().crashes == 1

    living = kernel.wake(at("y"))
    del kernel.cache[at("y")]
    kernel.registry.post(living, Gone(state_of("y", 1).ref))
    kernel.run()
    assert not kernel.registry.actors
    assert not kernel.lives.quarantined


def test_a_full_mailbox_kills_and_rebuilds():
    kernel = Kernel(Room("a", Scripted()))
    kernel.cache[at("x")] = [state_of("x", 1)]
    first = kernel.wake(at("x"))
    for number in range(MAILBOX_SUBJECTS_MAX):
        kernel.registry.post(first, Told(OUTSIDE, number))
    kernel.run()

    assert kernel.registry.actors[at("x")].state == [Started(1), state_of("x", 1)]


def test_a_change_that_a_stopping_actor_has_not_read_begins_its_next_life():
    """Somebody edits a finished workflow (retry) in the very moment its actor retires."""

    def receive(state, message, now):
        return [Stop()] if message in (Told(OUTSIDE, "retire"), state_of("x", 2)) else ()

    mind = Scripted(receive)
    kernel = Kernel(Room("a", mind))
    first = kernel.wake(at("x"))
    kernel.run()
    kernel.registry.post(first, Told(OUTSIDE, "retire"))
    kernel.cache[at("x")] = [state_of("x", 2)]
    first.news = True
    kernel.registry.post(first, state_of("x", 2))
    kernel.run()

    assert mind.born == [at("x"), at("x")], "once for the change, and not again for having read it"
    assert not kernel.registry.actors


def test_who_stops_before_reading_what_the_cache_told_at_birth_is_not_born_again():
    mind = Scripted(lambda state, message, now: [Stop()])
    kernel = Kernel(Room("a", mind))
    kernel.cache[at("x")] = [state_of("x", 1)]
    kernel.wake(at("x"))
    kernel.run()

    assert mind.born == [at("x")]


def test_what_was_asked_before_a_stop_is_still_done_and_what_was_asked_before_a_crash_is_not():
    create = Create(CONFIGMAPS, {"metadata": {"name": "c"}})

    def receive(state, message, now):
        if isinstance(message, Started) and not message.attempt:
            return [create, Stop()] if kernel.asked else [create]
        if isinstance(message, Told):
            raise RuntimeError  # noqa: TRY004  # a bug, whatever its kind
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    crashing = kernel.wake(at("x"))
    kernel.run()
    kernel.wake(at("y"))
    kernel.registry.post(crashing, Told(OUTSIDE, "boom"))
    kernel.run()

    assert [(actor.address.name, actor.life) for actor, _ in kernel.asked] == [("x", DEAD), ("y", STOPPED)]


def test_nothing_after_stop_is_performed():
    def receive(state, message, now):
        return [Tell(at("y"), 1), Stop(), Tell(at("y"), 2)] if message == Told(OUTSIDE, "go") else ()

    kernel = Kernel(Room("a", Scripted(receive)))
    other = kernel.wake(at("y"))
    kernel.registry.post(kernel.wake(at("x")), Told(OUTSIDE, "go"))
    kernel.run()

    assert words(other.state) == [1]


def test_a_wake_up_comes_at_its_time_and_once_per_tag():
    def receive(state, message, now):
        if isinstance(message, Started):
            return [WakeAt(now + 10, "a"), WakeAt(now + 5, "b"), WakeAt(now + 20, "a"), WakeAt(None, "b")]
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    actor = kernel.wake(at("x"))
    kernel.run()
    kernel.pass_time(19.0)
    assert actor.state == [Started(0)]
    kernel.pass_time(1.0)
    assert actor.state == [Started(0), Woke("a")]


def test_a_command_that_is_none_and_a_room_that_is_not_there_crash_who_asked():
    def receive(state, message, now):
        if isinstance(message, Told):
            return [Spawn(at("x", "nowhere")) if message.word == "spawn" else "nonsense"]
        return ()

    kernel = Kernel(Room("a", Scripted(receive)))
    for word in ("spawn", "nonsense"):
        kernel.registry.post(kernel.registry.actors.get(at("x")) or kernel.wake(at("x")), Told(OUTSIDE, word))
        kernel.run()

    assert kernel.lives.statistics().crashes == 2


def test_words_for_nobody_are_counted():
    kernel = Kernel(Room("a", Scripted(lambda s, m, n: [Tell(at("nobody"), 1)])))
    kernel.wake(at("x"))
    kernel.run()

    assert kernel.registry.statistics().dead_letters == 1
