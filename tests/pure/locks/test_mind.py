"""The actor that gives locks: limits that cannot be read, words that cross, and what a crash makes it forget."""

from __future__ import annotations

from typing import Any

import pytest

from actors.lock.mind import SETTLE_S, SETTLED, LockMind, LockSettings, LockState
from actors.lock_messages import (
    LOCKS,
    AskLocks,
    HoldsLocks,
    LockAwaited,
    LockGranted,
    LockRefused,
    ReturnLocks,
    SayAgain,
)
from actors.names.resources import WORKFLOW
from runtime.api import ApiError, Gone, Refused, Unavailable
from runtime.messages import Address, Command, Done, Failed, Message, Observed, Read, Started, Tell, Told, WakeAt, Woke
from runtime.messages import Gone as Forgotten
from runtime.objects import Reference, Resource

SEMAPHORE, MUTEX = "ns/ConfigMap/limits/k", "ns/Mutex/m"


class Room:
    """The mind with its state, told one thing after the other."""

    def __init__(self, attempt: int = 0) -> None:
        self.mind = LockMind(LockSettings(limit_cache_s=1.0, recheck_s=10.0))
        self.state: LockState = self.mind.birth(LOCKS, None)
        self.now = 0.0
        self.hear(Started(attempt))

    def hear(self, message: Message) -> list[Command]:
        return list(self.mind.receive(self.state, message, self.now))

    def sees(self, name: str, status: dict[str, Any] | None = None) -> list[Command]:
        return self.hear(Observed(reference(name), {"metadata": {"name": name}, "status": status or {}}))

    def says(self, name: str, word: Any) -> list[Any]:
        return words(self.hear(Told(workflow(name), word)))


def reference(name: str) -> Reference:
    return Reference(Resource(*WORKFLOW), "ns", name, f"uid-{name}")


def workflow(name: str) -> Address:
    return Address("workflow", "ns", name, f"uid-{name}")


def words(commands: list[Command]) -> list[Any]:
    return [command.word for command in commands if isinstance(command, Tell)]


def reads(commands: list[Command]) -> list[Read]:
    return [command for command in commands if isinstance(command, Read)]


def limit(value: str) -> dict[str, Any]:
    return {"data": {"k": value}}


@pytest.fixture
def room() -> Room:
    made = Room()
    for name in "uvw":
        made.sees(name)
    return made


def ask(room: Room, name: str, key: str, number: int = 1) -> list[Command]:
    return room.hear(Told(workflow(name), AskLocks("", (key,), number, 0, name)))


@pytest.mark.spec("SYNC-3")
def test_one_read_of_a_limit_serves_all_who_came_before_its_answer(room: Room) -> None:
    [read] = reads(ask(room, "u", SEMAPHORE))
    assert ask(room, "v", SEMAPHORE) == []
    ask(room, "w", SEMAPHORE)

    told = words(room.hear(Done(read, limit("2"))))

    assert [word for word in told if isinstance(word, LockGranted)] == [LockGranted("", 1), LockGranted("", 1)]
    [waits] = [word for word in told if isinstance(word, LockAwaited)]
    assert waits.message == f"Waiting for {SEMAPHORE} lock. Lock status: 0/2"
    assert waits.holders == ("ns/u", "ns/v")


@pytest.mark.spec("SYNC-13")
def test_an_api_server_that_does_not_answer_is_waited_for(room: Room) -> None:
    [read] = reads(ask(room, "u", SEMAPHORE))
    commands = room.hear(Failed(read, Unavailable("no answer")))
    [wake] = [command for command in commands if isinstance(command, WakeAt)]

    assert words(commands) == [
        LockAwaited("", SEMAPHORE, "Waiting to acquire the synchronization lock. no answer"),
    ]
    room.now = wake.at or 0.0
    [again] = reads(room.hear(Woke(wake.tag)))
    assert words(room.hear(Done(again, limit("1")))) == [LockGranted("", 1)]


@pytest.mark.spec("SYNC-3")
@pytest.mark.parametrize("error", [Gone('configmaps "limits" not found'), Refused("it is forbidden")])
def test_a_limit_that_never_was_refuses_those_who_wait(room: Room, error: ApiError) -> None:
    [read] = reads(ask(room, "u", SEMAPHORE))

    assert words(room.hear(Failed(read, error))) == [
        LockRefused("", f"failed to initialize semaphore {SEMAPHORE} with limit: {error.message}")
    ]
    assert not room.state.table.locks


@pytest.mark.spec("SYNC-3")
def test_a_limit_that_was_known_stays_while_its_config_map_is_replaced(room: Room) -> None:
    room.hear(Done(reads(ask(room, "u", SEMAPHORE))[0], limit("1")))
    room.now = 5.0
    [read] = reads(ask(room, "v", SEMAPHORE))
    room.hear(Failed(read, Gone("not found")))

    assert words(room.hear(Told(workflow("u"), ReturnLocks("")))) == [LockGranted("", 1)]


@pytest.mark.spec("SYNC-3")
def test_a_limit_of_zero_holds_everybody_back_until_it_is_raised(room: Room) -> None:
    room.hear(Done(reads(ask(room, "u", SEMAPHORE))[0], limit("1")))
    room.now = 5.0
    [read] = reads(ask(room, "v", SEMAPHORE))
    [waits] = words(room.hear(Done(read, limit("0"))))
    assert waits.message == f"Failed to get semaphore limit for {SEMAPHORE}"

    room.now = 10.0
    [read] = reads(room.hear(Told(workflow("u"), ReturnLocks(""))))
    assert not [word for word in words(room.hear(Done(read, limit("0")))) if isinstance(word, LockGranted)]
    room.now = 20.0
    [read] = reads(room.hear(Woke(read.tag)))
    assert words(room.hear(Done(read, limit("1")))) == [LockGranted("", 1)]


@pytest.mark.spec("SYNC-3")
@pytest.mark.parametrize(("answer", "given"), [(limit("0"), False), (limit("many"), True), (Gone("not found"), True)])
def test_the_last_limit_is_remembered_while_nobody_uses_the_semaphore(
    room: Room, answer: dict[str, Any] | Gone, *, given: bool
) -> None:
    room.hear(Done(reads(ask(room, "u", SEMAPHORE))[0], limit("1")))
    room.hear(Told(workflow("u"), ReturnLocks("")))
    room.now = 5.0
    [read] = reads(ask(room, "v", SEMAPHORE))

    found = words(room.hear(Failed(read, answer) if isinstance(answer, Gone) else Done(read, answer)))

    assert [type(word) for word in found] == [LockGranted if given else LockAwaited]


@pytest.mark.spec("SYNC-7")
def test_who_waits_behind_more_holders_than_may_be_is_told_by_how_many(room: Room) -> None:
    room.hear(Done(reads(ask(room, "u", SEMAPHORE))[0], limit("2")))
    ask(room, "v", SEMAPHORE)
    room.now = 5.0
    [read] = reads(ask(room, "w", SEMAPHORE))

    [waits] = words(room.hear(Done(read, limit("1"))))
    assert waits.message == f"Waiting for {SEMAPHORE} lock. Lock status: -1/1"


@pytest.mark.spec("SYNC-3")
def test_a_limit_is_read_again_before_a_slot_is_given_to_another(room: Room) -> None:
    room.hear(Done(reads(ask(room, "u", SEMAPHORE))[0], limit("1")))
    ask(room, "v", SEMAPHORE)
    ask(room, "w", SEMAPHORE)
    room.now = 5.0
    commands = room.hear(Told(workflow("u"), ReturnLocks("")))
    assert not words(commands)

    granted = words(room.hear(Done(reads(commands)[0], limit("2"))))

    assert granted.count(LockGranted("", 1)) == 2


@pytest.mark.spec("SYNC-6")
def test_a_grant_carries_the_number_of_what_was_asked_last(room: Room) -> None:
    ask(room, "u", MUTEX)
    ask(room, "v", MUTEX, 1)
    ask(room, "v", MUTEX, 2)

    assert room.says("u", ReturnLocks("")) == [LockGranted("", 2)]


@pytest.mark.spec("SYNC-9")
def test_what_a_finished_workflow_still_asks_is_not_heard(room: Room) -> None:
    ask(room, "u", MUTEX)
    room.hear(Forgotten(reference("u")))
    assert ask(room, "u", MUTEX) == []

    assert words(ask(room, "v", MUTEX)) == [LockGranted("", 1)]


@pytest.mark.spec("SYNC-9")
@pytest.mark.parametrize("early", [True, False], ids=["it asks before", "it asks after"])
def test_a_workflow_begun_anew_that_asks_around_the_late_word_of_its_end_says_again_what_it_wants(
    room: Room, *, early: bool
) -> None:
    if early:
        assert words(ask(room, "u", MUTEX)) == [LockGranted("", 1)]
    room.hear(Forgotten(reference("u")))
    if not early:
        assert ask(room, "u", MUTEX) == []

    assert words(room.sees("u")) == [SayAgain()]
    room.hear(Forgotten(reference("u")))
    assert words(room.sees("u")) == [], "who wanted nothing says nothing"


@pytest.mark.spec("SYNC-9")
@pytest.mark.spec("SYNC-12")
def test_what_is_on_record_is_held_before_anybody_asks() -> None:
    room = Room()
    room.sees("u", {"synchronization": {"mutex": {"holding": [{"mutex": MUTEX, "holder": "ns/u/n"}]}}})
    room.sees("v")

    [waits] = words(ask(room, "v", MUTEX))
    assert waits == LockAwaited("", MUTEX, f"Waiting for {MUTEX} lock. Lock status: 0/1", ("ns/u/n",))
    assert room.says("u", ReturnLocks("n")) == [LockGranted("", 1)]


@pytest.mark.spec("SYNC-9")
def test_after_a_crash_nothing_is_given_until_all_have_said_again_what_they_hold() -> None:
    room = Room(attempt=1)
    assert words(room.sees("u")) == [SayAgain()]
    room.sees("v")
    assert LockGranted("", 1) not in words(ask(room, "v", MUTEX))
    room.says("u", HoldsLocks("n", (MUTEX,)))
    room.now = SETTLE_S

    assert [type(word) for word in words(room.hear(Woke(SETTLED)))] == [LockAwaited]
    assert room.says("u", ReturnLocks("n")) == [LockGranted("", 1)]
