"""The ring keeps the latest, says what it dropped, and writes down values, not whose they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from runtime.actor import Room
from runtime.api import Gone as Absent
from runtime.api import LogOptions, Throttled
from runtime.messages import (
    Address,
    Answer,
    Asked,
    Create,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Question,
    ReadLog,
    Spawn,
    Started,
    Tell,
    Told,
    Woke,
)
from runtime.objects import CONFIGMAPS, PODS, Reference
from runtime.recorder import Recorder
from runtime.recording import Unreadable, address_of, digest, heard, plain, told, written
from runtime.replay import replay
from tests.kernel.kernel import Kernel, Scripted

A = Address("a", "n", "a", "1")
B = Address("a", "n", "b", "2")
REF = Reference(PODS, "n", "p", "u")


class Colour(Enum):
    RED = "red"


@dataclass
class Shared:
    """Somebody's state: not a value."""


@dataclass(frozen=True)
class Word:
    text: str
    numbers: tuple[int, ...]
    chosen: frozenset[str]
    shared: Shared


def test_values_are_written_whole_and_states_by_name():
    word = Word("x", (1, 2), frozenset({"b", "a"}), Shared())
    assert plain(word) == {"is": "Word", "text": "x", "numbers": [1, 2], "chosen": ["a", "b"], "shared": "<Shared>"}
    assert plain([Colour.RED, b"\x00", None, 1.5]) == ["red", {"is": "bytes", "base64": "AA=="}, None, 1.5]
    assert written(Spawn(A, word)) == {"is": "Spawn", "address": list(A), "argument": "<Word>"}


@pytest.mark.parametrize(
    "message",
    [
        Started(2),
        Woke("t"),
        Observed(REF, {"a": [1]}),
        Gone(REF, None),
        Down(A, "crashed", "bug"),
        Done(Create(PODS, {"metadata": {"name": "p"}}), {"kind": "Pod"}),
        Done(ReadLog(REF, LogOptions()), b"\xff"),
        Failed(Create(PODS, {"metadata": {"name": "p"}}), Absent("gone", code=404, reason="NotFound")),
        Failed(Create(PODS, {"metadata": {}}), Throttled("slow", after_s=3.0)),
    ],
)
def test_what_comes_from_outside_is_read_back(message: Message):
    command = getattr(message, "command", None)
    asked = {} if command is None else {digest(command): command}
    again = heard(json.loads(json.dumps(told(message))), asked)
    if isinstance(message, Failed):
        assert isinstance(again, Failed)
        assert type(again.error) is type(message.error)
        assert (again.command, str(again.error)) == (message.command, str(message.error))
        assert getattr(again.error, "after_s", 0) == getattr(message.error, "after_s", 0)
    else:
        assert again == message


def test_what_cannot_be_read_back_says_so():
    for entry in ({"is": "Done", "command": "Create:1", "result": None}, {"is": "Odd"}):
        with pytest.raises(Unreadable):
            heard(entry, {})
    with pytest.raises(Unreadable):
        address_of([1])
    failed = {
        "is": "Failed",
        "command": "c",
        "error": {"is": "Odd", "message": "", "code": 0, "reason": "", "status": {}},
    }
    with pytest.raises(Unreadable, match="Odd"):
        heard(failed, {"c": Create(PODS, {})})


def test_a_full_ring_drops_the_oldest_and_says_how_many():
    recorder = Recorder({"version": 1}, entries_max=3)
    for number in range(5):
        recorder.read(A, Woke(str(number)), float(number), ())
    first, *rest = map(json.loads, recorder.lines())
    assert first == {"recording": 1, "dropped": 2, "about": {"version": 1}}
    assert [entry["message"]["tag"] for entry in rest] == ["2", "3", "4"]


def answering(state: Any, message: Message, now: float) -> Any:
    """A asks B when told to go; B answers; who is told to crash does."""
    match message:
        case Woke("go"):
            return [Question(B, "how much?"), Tell(B, ("word", 1)), Spawn(A._replace(part="c"), "argument")]
        case Told(_, Asked(number, _)):
            return [Answer(number, 42)]
        case Woke("crash"):
            raise ValueError("bug")
    return ()


def test_conversations_children_and_crashes_are_replayed():
    kernel = Kernel(Room("a", Scripted(answering)))
    kernel.lives.recorder = recorder = Recorder()
    kernel.cache[A] = [Observed(Reference(CONFIGMAPS, "n", "a", "1"), {})]
    for address in (A, B):
        kernel.wake(address)
    kernel.registry.post(kernel.registry.actors[A], Woke("start"))
    kernel.run()
    kernel.registry.post(kernel.registry.actors[A], Woke("go"))
    kernel.run()
    kernel.registry.post(kernel.registry.actors[B], Woke("crash"))
    kernel.run()
    rooms = [Room("a", Scripted(answering))]
    lines = list(recorder.lines())[1:]
    found = replay(lines, rooms)
    assert found.difference is None
    assert (found.compared, found.left_out) == (len(lines), 0)


def test_words_of_somebody_who_is_not_in_the_recording_end_what_can_be_followed():
    kernel = Kernel(Room("a", Scripted(answering)))
    kernel.lives.recorder = recorder = Recorder()
    kernel.wake(A)
    kernel.registry.post(kernel.registry.actors[A], Told(B, "nobody knows why"))
    kernel.registry.post(kernel.registry.actors[A], Woke("go"))
    kernel.run()
    found = replay(list(recorder.lines())[1:], [Room("a", Scripted(answering))])
    assert found.difference is None
    assert (found.compared, found.left_out) == (1, 4)
