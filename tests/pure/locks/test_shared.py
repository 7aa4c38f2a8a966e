"""The lock room and its rounds with a database: what it asks, and what it makes of answers that come late or never."""

from __future__ import annotations

from typing import Any

import pytest

from actors.lock.mind import SETTLE_S, SETTLED, LockMind
from actors.lock.shared import NO_DATABASE, ROUND, SILENT, SILENT_S
from actors.lock.state import LockSettings, LockState, Polling
from actors.lock_messages import LOCKS, AskLocks, HoldsLocks, LockAwaited, LockGranted, LockRefused, ReturnLocks
from actors.lock_round import LockAnswer, LockRound, Standing, answer_of
from actors.names.resources import WORKFLOW
from runtime.api import Unavailable
from runtime.messages import Address, Ask, Command, Done, Failed, Message, Observed, Started, Tell, Told, WakeAt, Woke
from runtime.objects import Reference, Resource
from runtime.recording import plain

pytestmark = pytest.mark.spec("SYNC-4")

KEY, NAME, SEM = "ns/DatabaseMutex/m", "mtx/ns/m", "ns/Database/k"
OWN = "ns/Mutex/own"
CREATED = "2026-01-01T00:00:00Z"


class Room:
    """The mind with its state, told one thing after the other; `asked` is the round under way."""

    def __init__(self, attempt: int = 0, database: Polling | None = Polling("here")) -> None:  # noqa: B008  a value
        self.mind = LockMind(LockSettings(database=database))
        self.state: LockState = self.mind.birth(LOCKS, None)
        self.now = 100.0
        self.asked: Ask | None = None
        self.begun = self.hear(Started(attempt))
        for name in "uvw":
            ref = Reference(Resource(*WORKFLOW), "ns", name, f"uid-{name}")
            self.hear(Observed(ref, {"metadata": {"name": name}, "status": {}}))

    def hear(self, message: Message) -> list[Command]:
        commands = list(self.mind.receive(self.state, message, self.now))
        rounds = [command for command in commands if isinstance(command, Ask)]
        assert len(rounds) <= 1
        assert not (rounds and self.asked), "one round at a time"
        self.asked = rounds[0] if rounds else self.asked
        return commands

    def wants(self, name: str, *keys: str) -> list[Any]:
        return words(self.hear(Told(workflow(name), AskLocks("", keys, 1, 0, CREATED))))

    def answers(self, *granted: str, limit: int | None = 1, holders: tuple[str, ...] = (), life: int = 1) -> list[Any]:
        """The database answers the round under way; whoever is given nothing waits for all of its locks."""
        asked, self.asked = self.asked, None
        assert asked is not None
        query: LockRound = asked.query
        obstacles = {one.holder: one.names for one in query.wanted if one.holder not in granted}
        locks = {name: Standing(limit, holders or granted) for one in query.wanted for name in one.names}
        return words(self.hear(Done(asked, LockAnswer(life, granted, obstacles, locks))))

    @property
    def query(self) -> LockRound:
        assert self.asked is not None
        query: LockRound = self.asked.query
        return query


def workflow(name: str) -> Address:
    return Address("workflow", "ns", name, f"uid-{name}")


def words(commands: list[Command]) -> list[Any]:
    return [(command.to.name, command.word) for command in commands if isinstance(command, Tell)]


def wakes(commands: list[Command], tag: str) -> list[float | None]:
    return [command.at for command in commands if isinstance(command, WakeAt) and command.tag == tag]


@pytest.fixture
def room() -> Room:
    return Room()


def test_what_is_asked_for_while_a_round_is_under_way_is_in_the_next(room: Room) -> None:
    room.wants("u", KEY)
    room.wants("v", KEY)
    assert [one.holder for one in room.query.wanted] == ["ns/u"]

    assert room.answers("ns/u") == [("u", LockGranted("", 1))]

    assert (room.query.held, [one.holder for one in room.query.wanted]) == ((("ns/u", (NAME,)),), ["ns/v"])
    assert room.query.life == 1
    [(who, waits)] = room.answers(holders=("ns/u",))
    text = "Waiting for ns/Database/m lock (mtx/ns/m). Lock status: 1/1"
    assert (who, waits) == ("v", LockAwaited("", KEY, text, ("ns/u",)))


@pytest.mark.spec("SYNC-3")
@pytest.mark.parametrize(("limit", "status"), [(0, "0/0"), (None, "0/2")])
def test_the_last_limit_is_remembered_while_nobody_uses_the_semaphore(
    room: Room, limit: int | None, status: str
) -> None:
    room.wants("u", SEM)
    room.answers("ns/u", limit=2)
    room.hear(Told(workflow("u"), ReturnLocks("")))
    room.answers()
    room.wants("v", SEM)

    told = room.answers(limit=limit)

    assert [type(word) for _, word in told] == [LockAwaited]
    room.hear(Woke(ROUND))
    assert room.query.known == {"sem/ns/k": 0 if limit == 0 else 2}
    assert told[0][1].message.endswith(status)


def test_what_is_given_back_is_said_at_once_and_again_until_it_is_heard(room: Room) -> None:
    room.wants("u", KEY)
    room.answers("ns/u")
    room.hear(Told(workflow("u"), ReturnLocks("")))
    assert room.query.held == ()
    failed, room.asked = room.asked, None
    assert failed is not None

    told = room.hear(Failed(failed, Unavailable("away")))

    assert wakes(told, ROUND) == [room.now + 5.0]
    room.hear(Woke(ROUND))
    assert room.query.held == ()


def test_who_waits_is_polled_for_and_else_only_the_heart_beats(room: Room) -> None:
    room.wants("u", KEY)
    asked, room.asked = room.asked, None
    assert asked is not None
    told = room.hear(Done(asked, LockAnswer(1, (), {"ns/u": (NAME,)}, {NAME: Standing(1, ("x/y",))})))
    assert wakes(told, ROUND) == [room.now + 5.0]
    room.hear(Woke(ROUND))
    asked, room.asked = room.asked, None
    assert asked is not None
    told = room.hear(Done(asked, LockAnswer(1, ("ns/u",), {}, {NAME: Standing(1, ("ns/u",))})))
    assert wakes(told, ROUND) == [room.now + 60.0]


def test_what_the_database_gives_to_somebody_who_is_gone_is_given_back(room: Room) -> None:
    room.wants("u", KEY)
    room.hear(Told(workflow("u"), ReturnLocks("")))

    assert room.answers("ns/u") == []

    assert (room.query.held, room.query.wanted) == ((), ())


def test_what_was_taken_here_meanwhile_is_not_had_there_either(room: Room) -> None:
    room.wants("u", KEY, OWN)
    assert room.query.wanted[0].others == (OWN,)
    assert room.query.room == {OWN: 1}
    higher = AskLocks("", (OWN,), 1, 9, CREATED)
    assert words(room.hear(Told(workflow("v"), higher))) == [("v", LockGranted("", 1))]

    told = room.answers("ns/u")

    assert not [word for _, word in told if isinstance(word, LockGranted)]
    [wanted] = room.query.wanted
    assert (room.query.held, wanted.ready) == ((), False)
    room.answers()
    room.hear(Told(workflow("v"), ReturnLocks("")))
    assert room.query.wanted[0].ready, "the lock here is free again: that is said at once"


@pytest.mark.spec("SYNC-13")
def test_a_database_that_is_silent_or_away_is_spoken_of_once(room: Room) -> None:
    told = room.hear(Told(workflow("u"), AskLocks("", (KEY,), 1, 0, CREATED)))
    assert wakes(told, SILENT) == [room.now + SILENT_S]
    text = "Waiting to acquire the synchronization lock. the database has not answered yet"
    assert words(room.hear(Woke(SILENT))) == [("u", LockAwaited("", KEY, text))]
    failed, room.asked = room.asked, None
    assert failed is not None
    text = "Waiting to acquire the synchronization lock. away"
    assert words(room.hear(Failed(failed, Unavailable("away")))) == [("u", LockAwaited("", KEY, text))]
    assert "away" in room.mind.waiting(room.state)
    room.hear(Woke(ROUND))
    failed, room.asked = room.asked, None
    assert failed is not None
    assert words(room.hear(Failed(failed, Unavailable("away")))) == []

    room.hear(Woke(ROUND))

    assert room.answers("ns/u") == [("u", LockGranted("", 1))]
    assert "away" not in room.mind.waiting(room.state)


@pytest.mark.spec("SYNC-3")
@pytest.mark.parametrize(
    ("limit", "why"), [(None, "the database has no limit ns/k; make one: "), (0, 'the limit "0" is not a whole number')]
)
def test_a_semaphore_that_never_had_a_limit_is_refused(room: Room, limit: int | None, why: str) -> None:
    room.wants("u", SEM)

    [(_, refused)] = [one for one in room.answers(limit=limit, holders=("x/y",)) if isinstance(one[1], LockRefused)]

    assert refused.message.startswith(f"failed to initialize semaphore ns/Database/k with limit: {why}")
    assert room.query.wanted == ()


def test_a_limit_that_becomes_zero_lets_nobody_in_and_refuses_nobody(room: Room) -> None:
    room.wants("u", SEM)
    room.answers("ns/u", limit=1)
    room.wants("v", SEM)

    [(_, waits)] = room.answers(limit=0, holders=("ns/u",))

    assert waits.message == "Waiting for ns/Database/k lock (sem/ns/k). Lock status: 1/0"


def test_nothing_is_asked_while_it_is_unknown_who_holds_what() -> None:
    room = Room(attempt=1)
    room.wants("u", KEY)
    room.hear(Told(workflow("v"), HoldsLocks("", (KEY,))))
    room.hear(Woke(ROUND))
    assert room.asked is None
    assert wakes(room.begun, SETTLED) == [room.now + SETTLE_S]

    room.hear(Woke(SETTLED))

    assert (room.query.held, room.query.life) == ((("ns/v", (NAME,)),), 0)


def test_a_life_begins_with_a_round_though_nobody_wants_a_lock() -> None:
    room = Room()
    assert wakes(room.begun, ROUND) == [room.now + SETTLE_S]

    room.hear(Woke(ROUND))

    assert (room.query.held, room.query.wanted, room.query.life) == ((), (), 0)


def test_another_database_knows_nothing_of_this_life(room: Room) -> None:
    room.wants("u", KEY)
    room.answers("ns/u", life=7)
    room.mind.settings = LockSettings(database=Polling("there"))

    room.wants("v", KEY)

    assert room.query.life == 0


def test_without_a_database_nobody_waits_for_its_locks(room: Room) -> None:
    assert Room(database=None).wants("u", KEY) == [("u", LockRefused("", NO_DATABASE))]
    room.wants("u", KEY)
    room.answers(holders=("x/y",))
    room.mind.settings = LockSettings()

    assert words(room.hear(Woke(ROUND))) == [("u", LockRefused("", NO_DATABASE))]


def test_what_a_database_cannot_write_down_is_not_told_to_it(room: Room) -> None:
    """One wish that it refuses would stop all the others."""
    long = "ns/DatabaseMutex/" + "m" * 300
    room.hear(Told(workflow("v"), HoldsLocks("", (long, KEY))))
    room.hear(Told(workflow("w"), AskLocks("n" * 300, (KEY,), 1, 0, CREATED)))
    room.hear(Told(workflow("u"), AskLocks("", (KEY,), 1, 2**40, CREATED)))

    assert room.query.held == (("ns/v", (NAME,)),)
    [wanted] = room.query.wanted
    assert (wanted.holder, wanted.priority) == ("ns/u", 2**31 - 1)


def test_an_answer_that_was_recorded_is_read_back_as_it_was() -> None:
    answer = LockAnswer(3, ("ns/u",), {"ns/v": (NAME,)}, {NAME: Standing(None, ()), "sem/ns/k": Standing(2, ("ns/u",))})

    assert answer_of(plain(answer)) == answer_of(answer) == answer
