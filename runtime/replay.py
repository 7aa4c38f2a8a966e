"""Run the minds again on what a flight recorder wrote down: the same decisions, or the first one that differs.

What came from outside is read from the recording; what actors said to each other and whom they started is produced by
the minds that are replayed, so it is the very thing they would say today. Lives that began before the recording, and
words from anybody who is not followed, cannot be replayed: those actors are left out and counted. Where settings have
changed, whoever knows what they mean is asked to change them, and says what was told from outside for that reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, NamedTuple, TypeAlias

from runtime.actor import Mind, Room
from runtime.messages import (
    OUTSIDE,
    Address,
    Ask,
    Asked,
    Command,
    Create,
    Delete,
    Message,
    Patch,
    Question,
    Read,
    ReadLog,
    Spawn,
    Stop,
    Tell,
    Told,
    WriteStatus,
)
from runtime.recorder import FORMAT
from runtime.recording import Unreadable, address_of, decisions, digest, heard, plain


class Difference(NamedTuple):
    """The first decision that is not the recorded one. `line` counts from 1, the header being the first."""

    line: int
    actor: str
    message: str
    recorded: Any
    decided: Any

    def __str__(self) -> str:
        before, after = (json.dumps(side, indent=2, sort_keys=True).splitlines() for side in self[3:])
        shown = "\n".join(unified_diff(before, after, "recorded", "decided now", lineterm="", n=2))
        return f"line {self.line}: {self.actor}, having read {self.message}\n{shown}"


class Replayed(NamedTuple):
    """How a replay ended: decisions compared, entries of actors that could not be followed, and what differs."""

    compared: int
    left_out: int
    difference: Difference | None


@dataclass
class _Life:
    mind: Mind
    state: Any
    parent: Address | None
    started: bool = False
    asked: dict[str, Command] = field(default_factory=dict)
    children: list[Address] = field(default_factory=list)


Change: TypeAlias = Callable[[Mapping[str, Any]], Iterable[tuple[Address, Any]]]
"""Put other settings into the rooms; who is told what of it from outside."""


def unchanged(about: Mapping[str, Any]) -> tuple[()]:
    """The rooms have no settings."""
    del about
    return ()


class NotFollowed(Exception):  # it says why
    """An actor whose words or beginnings are not in the recording."""


class Replay:
    """A replay under way. Feed it the entries in their order."""

    def __init__(self, rooms: Sequence[Room], change: Change = unchanged) -> None:
        self._change = change
        self._minds = {room.name: room.mind for room in rooms}
        self._lives: dict[Address, _Life] = {}
        self._said: dict[tuple[Address, Address], list[Any]] = {}
        self.compared = self.left_out = 0

    def entry(self, line: int, entry: Mapping[str, Any]) -> Difference | None:
        """Replay one entry; what differs, if anything."""
        if "about" in entry:
            for to, word in self._change(entry["about"]):
                self._said.setdefault((OUTSIDE, to), []).append(word)
            return None
        address = address_of(entry["to"])
        told = entry["message"]
        if told is None:
            self._end(address)
            return None
        if told["is"] == "Started":
            self._begin(address)
        life = self._lives.get(address)
        if life is None:
            self.left_out += 1
            return None
        try:
            message = self._message(address, life, told)
        except NotFollowed:
            self.left_out += 1
            self._end(address)
            return None
        self.compared += 1
        recorded = {"crashed": entry["crashed"]} if "crashed" in entry else entry["commands"]
        decided, commands = _decide(life, message, entry["at"])
        if decided != recorded:
            return Difference(line, str(address), _summary(told), recorded, decided)
        if isinstance(decided, dict):
            self._end(address)
        for command in commands:
            self._obey(address, life, command)
        return None

    def _begin(self, address: Address) -> None:
        life = self._lives.get(address)
        if life is not None and not life.started:
            life.started = True
            return
        self._end(address)
        mind = self._minds.get(address.room)
        if mind is not None and not address.part:  # a part is born of its parent, by Spawn
            self._lives[address] = _Life(mind, mind.birth(address, None), None, started=True)

    def _message(self, address: Address, life: _Life, told: Mapping[str, Any]) -> Message:
        if told["is"] != "Told":
            return heard(told, life.asked)
        sender = address_of(told["sender"])
        words = self._said.get((sender, address), [])
        for position, word in enumerate(words):
            if _as_json(word) == _without_number(told["word"]):
                del words[position]
                number = told["word"].get("number", 0) if isinstance(told["word"], dict) else 0
                return Told(sender, word._replace(number=number) if isinstance(word, Asked) else word)
        raise NotFollowed(f"{sender} is not known to have said this")

    def _obey(self, address: Address, life: _Life, command: Command) -> None:
        match command:
            case Tell(to, word):
                self._said.setdefault((address, to), []).append(word)
            case Question(to, word):
                self._said.setdefault((address, to), []).append(Asked(0, word))
                life.asked[digest(command)] = command
            case Spawn(child, argument) if child not in self._lives and child.room in self._minds:
                mind = self._minds[child.room]
                try:
                    self._lives[child] = _Life(mind, mind.birth(child, argument), address)
                except Exception:  # noqa: BLE001  # as in the kernel: its parent hears of it, by a message
                    return
                life.children.append(child)
            case Create() | WriteStatus() | Patch() | Delete() | Read() | ReadLog() | Ask():
                life.asked[digest(command)] = command
            case Stop():
                self._end(address)

    def _end(self, address: Address) -> None:
        stack = [address]
        while stack:
            life = self._lives.pop(stack.pop(), None)
            if life is not None:
                stack.extend(life.children)


def _decide(life: _Life, message: Message, now: float) -> tuple[Any, list[Command]]:
    try:
        commands = list(life.mind.receive(life.state, message, now))
    except Exception as error:  # noqa: BLE001  # a mind may fail in any way; whether it did is what is compared
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return {"crashed": text}, []
    obeyed = commands
    for position, command in enumerate(commands):
        if isinstance(command, Stop):
            obeyed = commands[: position + 1]
            break
    return json.loads(json.dumps(decisions(commands))), obeyed


def _as_json(word: Any) -> Any:
    return _without_number(json.loads(json.dumps(plain(word))))


def _without_number(word: Any) -> Any:
    if isinstance(word, dict) and word.get("is") == "Asked":
        return {**word, "number": 0}
    return word


def _summary(told: Mapping[str, Any]) -> str:
    what = str(told["is"])
    if what == "Told":
        word = told["word"]
        return f"Told {word.get('is') if isinstance(word, dict) else word}"
    if what in ("Observed", "Gone"):
        return f"{what} {told['ref']['resource']['kind']} {told['ref']['name']}"
    return f"{what} {told.get('command') or told.get('tag') or ''}".rstrip()


def header(first: str) -> Mapping[str, Any]:
    """What the first line of a recording says. Raises Unreadable."""
    try:
        found = json.loads(first)
    except ValueError as e:
        raise Unreadable(f"the first line is no JSON: {e}") from e
    if not isinstance(found, dict) or found.get("recording") != FORMAT:
        raise Unreadable(f"not a recording of format {FORMAT}: its first line says {str(first)[:80]!r}")
    return found


def replay(lines: Iterable[str], rooms: Sequence[Room], change: Change = unchanged) -> Replayed:
    """Replay the entries (all lines but the header) until one differs. Raises Unreadable."""
    run = Replay(rooms, change)
    for number, line in enumerate(lines, start=2):
        try:
            difference = run.entry(number, json.loads(line))
        except (KeyError, TypeError, ValueError) as e:
            raise Unreadable(f"line {number}: {type(e).__name__}: {e}") from e
        if difference is not None:
            return Replayed(run.compared, run.left_out, difference)
    return Replayed(run.compared, run.left_out, None)
