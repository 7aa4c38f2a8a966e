"""What actors hear of each other beyond words: ends (monitors) and answers (questions)."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.actor import Room
from runtime.api import Gone, Unavailable
from runtime.messages import (
    Address,
    Answer,
    Asked,
    Done,
    Down,
    Failed,
    Message,
    Monitor,
    Question,
    Spawn,
    Stop,
    Tell,
    Told,
)
from tests.kernel.kernel import Kernel, Scripted

A = Address("a", "n", "a", "1")
B = Address("a", "n", "b", "2")
CHILD = Address("a", "n", "a", "1", "child")
OUTSIDE = Address("", "", "outside", "")


pytestmark = pytest.mark.usefixtures("quiet")


class Order(Exception):
    """A word that is the commands to give, or an exception to raise."""


def obedient(state: Any, message: Message, now: float) -> Any:
    if isinstance(message, Told) and isinstance(message.word, Exception):
        raise message.word
    if isinstance(message, Told) and isinstance(message.word, tuple) and not isinstance(message.word, Asked):
        return message.word
    return ()


def kernel() -> Kernel:
    here = Kernel(Room("a", Scripted(obedient)))
    for address in (A, B):
        here.wake(address)
    here.run()
    return here


def say(here: Kernel, to: Address, *commands: Any) -> None:
    here.registry.post(here.registry.actors[to], Told(OUTSIDE, commands))
    here.run()


def crash(here: Kernel, to: Address) -> None:
    here.registry.post(here.registry.actors[to], Told(OUTSIDE, ValueError("bug")))
    here.run()


def heard(here: Kernel, who: Address, kind: type) -> list[Any]:
    return [message for message in here.registry.actors[who].state if isinstance(message, kind)]


# ------------------------------------------------------------------------------------------- monitors


def test_who_monitors_hears_of_the_end_once_with_its_reason():
    here = kernel()
    say(here, A, Monitor(B))
    say(here, B, Stop("enough"))
    assert heard(here, A, Down) == [Down(B, "enough")]
    here.wake(B)
    say(here, B, Stop())
    assert len(heard(here, A, Down)) == 1, "a successor is not monitored"


def test_a_crash_and_the_end_of_a_parent_are_told_as_such():
    here = kernel()
    say(here, B, Monitor(A), Monitor(CHILD))
    say(here, A, Spawn(CHILD))
    say(here, B, Monitor(CHILD))
    crash(here, A)
    assert heard(here, B, Down) == [Down(CHILD, "absent"), Down(CHILD, "ended"), Down(A, "crashed", "ValueError: bug")]


def test_nobody_to_monitor_is_told_at_once():
    here = kernel()
    say(here, A, Monitor(CHILD))
    assert heard(here, A, Down) == [Down(CHILD, "absent")]


def test_a_monitor_goes_with_either_life_and_can_be_taken_back():
    here = kernel()
    say(here, A, Monitor(B), Monitor(B), Monitor(B, on=False), Monitor(CHILD, on=False))
    assert len(here.lives.monitors) == 0
    say(here, A, Monitor(B))
    say(here, A, Stop())
    assert len(here.lives.monitors) == 0
    say(here, B, Stop())
    assert here.registry.dead_letters == 0


# ------------------------------------------------------------------------------------------ questions


def test_an_answer_comes_back_as_the_result_of_the_question():
    here = kernel()
    question = Question(B, "how much?", tag="t")
    say(here, A, question)
    (told,) = heard(here, B, Told)
    assert told == Told(A, Asked(1, "how much?"))
    say(here, B, Answer(told.word.number, 42))
    assert heard(here, A, Done) == [Done(question, 42)]
    assert len(here.timers) == len(here.lives.questions) == 0


def test_a_question_has_a_limit_of_time():
    here = kernel()
    say(here, A, Question(B, "?", limit_s=5.0))
    here.pass_time(4.9)
    assert heard(here, A, Failed) == []
    here.pass_time(0.2)
    (failed,) = heard(here, A, Failed)
    assert isinstance(failed.error, Unavailable)
    say(here, B, Answer(1, "late"))
    assert heard(here, A, Done) == []
    assert here.registry.dead_letters == 1


def test_a_question_to_nobody_or_to_somebody_who_ends_fails_at_once():
    here = kernel()
    say(here, A, Question(CHILD, "?"), Question(B, "?"))
    crash(here, B)
    errors = [failed.error for failed in heard(here, A, Failed)]
    assert [type(error) for error in errors] == [Gone, Gone]
    assert "nobody lives at" in str(errors[0])
    assert "ended before it answered" in str(errors[1])
    assert len(here.timers) == len(here.lives.questions) == 0


def test_only_who_was_asked_may_answer():
    here = kernel()
    say(here, A, Question(B, "?"))
    say(here, A, Answer(1, "myself"))
    assert heard(here, A, Done) == []


def test_the_questions_of_a_dead_actor_are_dropped():
    here = kernel()
    say(here, A, Question(B, "?"))
    say(here, A, Stop())
    assert len(here.timers) == len(here.lives.questions) == 0
    say(here, B, Answer(1, "to nobody"))
    assert here.registry.dead_letters == 1


def test_one_may_ask_oneself():
    here = kernel()
    say(here, A, Question(A, "?"))
    say(here, A, Answer(1, "!"))
    assert [done.result for done in heard(here, A, Done)] == ["!"]
    say(here, A, Question(A, "?"))
    say(here, A, Stop())
    assert len(here.lives.questions) == 0


# --------------------------------------------------------------------------------------- dead letters


def test_dead_letters_are_counted_and_the_latest_are_kept_to_be_looked_at():
    here = kernel()
    for number in range(40):
        say(here, A, Tell(CHILD, number))
    statistics = here.registry.statistics()
    assert statistics.dead_letters == 40
    assert len(statistics.latest_dead) == 32
    assert statistics.latest_dead[-1] == (CHILD, "Told int", str(A))
