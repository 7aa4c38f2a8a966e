"""Recorded histories give the same decisions today; a mind that was changed is found and shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from runtime.actor import Room
from runtime.messages import Command, Create, Message
from runtime.objects import PODS
from runtime.recording import Unreadable
from runtime.replay import Replayed, header, replay
from tests.golden.record import SCENARIOS, read, record
from tiphys.controller.recordings import rooms_of
from tiphys.devcluster.inprocess import InProcessApi

pytestmark = pytest.mark.virtual_time

AGAIN = "if it was changed on purpose: python -m tests.golden.record {}"


def replayed(name: str, rooms: list[Room] | None = None) -> Replayed:
    lines = read(name)
    return replay(lines[1:], rooms or rooms_of(header(lines[0])["about"]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_decided_is_decided_again(name: str):
    found = replayed(name)
    assert found.difference is None, f"{found.difference}\n{AGAIN.format(name)}"
    assert found.left_out == 0
    assert found.compared == len(read(name)) - 1


class Changed:
    """The node's mind with another idea of what a pod's labels are."""

    def __init__(self, mind: Any) -> None:
        self._mind = mind
        self.birth, self.waiting = mind.birth, mind.waiting

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        for command in self._mind.receive(state, message, now):
            if isinstance(command, Create) and command.resource == PODS:
                command.object["metadata"]["labels"]["new"] = "idea"
            yield command


def test_a_mind_that_was_changed_is_found_and_shown():
    about = header(read("hello-world")[0])["about"]
    rooms = [Room(room.name, Changed(room.mind) if room.name == "node" else room.mind) for room in rooms_of(about)]
    found = replayed("hello-world", rooms)
    assert found.difference is not None
    text = str(found.difference)
    assert '+          "new": "idea",' in text.replace("'", '"') or '"new": "idea"' in text
    assert found.difference.actor.startswith("node:default/w#")
    assert "line " in text


def test_a_crash_is_a_decision_too():
    class Broken(Changed):
        def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
            raise ZeroDivisionError("bug")

    about = header(read("hello-world")[0])["about"]
    rooms = [Room(room.name, Broken(room.mind) if room.name == "node" else room.mind) for room in rooms_of(about)]
    found = replayed("hello-world", rooms)
    assert found.difference is not None
    assert found.difference.decided == {"crashed": "ZeroDivisionError: bug"}


def test_lives_whose_beginning_was_not_kept_are_left_out():
    lines = read("retry-with-backoff")
    found = replay(lines[40:], rooms_of(header(lines[0])["about"]))
    assert found.difference is None
    assert found.left_out > 0


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "conflict-storm"])
async def test_no_fact_is_written_twice(name: str):
    """Of all calls that a run makes, no two say the same; but what lost against somebody else is said again."""
    calls: list[str] = []

    class Noting(InProcessApi):
        async def patch(self, ref: Any, body: Any, **options: Any) -> Any:
            calls.append(json.dumps(["patch", ref, body], sort_keys=True))
            return await super().patch(ref, body, **options)

        async def create(self, resource: Any, thing: Any, **options: Any) -> Any:
            calls.append(json.dumps(["create", resource, thing], sort_keys=True))
            return await super().create(resource, thing, **options)

    def noting(api: InProcessApi) -> InProcessApi:
        return Noting(api._server)

    text, script, _ = SCENARIOS[name]
    await record(text, script, noting)
    assert len(calls) > 5
    assert len(calls) == len(set(calls))


def test_a_file_that_is_no_recording_is_refused():
    with pytest.raises(Unreadable, match="no JSON"):
        header("nonsense")
    with pytest.raises(Unreadable, match="not a recording"):
        header("[1]")
    with pytest.raises(Unreadable, match="line 2"):
        replay(['{"to": 1}'], [])
