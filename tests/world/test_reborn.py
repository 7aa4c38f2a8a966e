"""After its crash a workflow's actor looks at what the server has; what the cache shows meanwhile may be newer."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from actors.names import labels
from actors.turn_messages import QUEUE, AskTurn, TurnGiven
from actors.workflow import writing
from actors.workflow.mind import WorkflowMind
from actors.workflow.state import WORKFLOWS
from runtime.api import Gone as GoneError
from runtime.messages import (
    Address,
    Command,
    Done,
    Failed,
    Gone,
    Observed,
    Read,
    Started,
    Stop,
    Tell,
    Told,
    WriteStatus,
)
from runtime.objects import Object, reference
from tests.world.test_late_pods import ADDRESS, FINISHED, NOW


def at(version: str, *, over: bool) -> Object:
    """The workflow as it ended, or as somebody has opened it again (OP-4)."""
    made = {"creationTimestamp": "2027-01-15T07:59:00Z", "resourceVersion": version}
    meta = {**FINISHED["metadata"], **made}
    if over:
        return {**FINISHED, "metadata": meta}
    status = {**FINISHED["status"], "phase": "Running", "finishedAt": None}
    return {**FINISHED, "metadata": {**meta, "labels": {labels.COMPLETED: "false"}}, "status": status}


@pytest.mark.spec("OP-4")
@pytest.mark.parametrize(("read", "shown"), [("9", "12"), ("12", "9")], ids=["the cache's", "the server's"])
def test_the_newer_of_what_was_read_and_what_was_shown_meanwhile_is_believed(read: str, shown: str) -> None:
    """An answer may be older than what the cache shows before it arrives, and the cache shows that only once."""
    mind = WorkflowMind()
    state = mind.birth(ADDRESS, None)
    first, later = at("8", over=True), at(shown, over=int(read) > int(shown))
    list(mind.receive(state, Started(1), NOW))
    (look,) = mind.receive(state, Observed(reference(WORKFLOWS, first), first), NOW)
    assert isinstance(look, Read)
    assert list(mind.receive(state, Observed(reference(WORKFLOWS, later), later), NOW)) == []

    list(mind.receive(state, Done(look, at(read, over=int(shown) > int(read))), NOW + 1))
    assert state.object is not None
    assert state.object["metadata"]["resourceVersion"] == "12"
    assert not state.ended


@pytest.mark.spec("OP-4")
@pytest.mark.spec("PAR-1")
def test_who_has_asked_for_a_turn_before_the_cache_knew_that_it_runs_again_asks_once_more_then() -> None:
    """Until the cache shows an unfinished workflow the room that gives turns may not be there, and hears nothing."""
    mind = WorkflowMind()
    state = mind.birth(ADDRESS, None)
    first, opened = at("8", over=True), at("12", over=False)
    opened["status"] = {**opened["status"], "phase": ""}
    list(mind.receive(state, Started(1), NOW))
    (look,) = mind.receive(state, Observed(reference(WORKFLOWS, first), first), NOW)

    def asked(commands: Iterable[Command]) -> list[Address]:
        return [each.to for each in commands if isinstance(each, Tell) and isinstance(each.word, AskTurn)]

    assert asked(mind.receive(state, Done(look, opened), NOW)) == [QUEUE]
    assert asked(mind.receive(state, Observed(reference(WORKFLOWS, opened), opened), NOW)) == [QUEUE]
    list(mind.receive(state, Told(QUEUE, TurnGiven()), NOW))
    assert asked(mind.receive(state, Observed(reference(WORKFLOWS, opened), opened), NOW)) == []


def test_what_the_cache_shows_of_a_workflow_that_is_gone_is_late() -> None:
    """Pods made for it would do again what had been done; the cache says itself when it has heard."""
    mind = WorkflowMind()
    state = mind.birth(ADDRESS, None)
    list(mind.receive(state, Started(1), NOW))
    old, late = at("8", over=False), at("9", over=False)
    (look,) = mind.receive(state, Observed(reference(WORKFLOWS, old), old), NOW)

    assert list(mind.receive(state, Failed(look, GoneError("not found")), NOW)) == []
    assert list(mind.receive(state, Observed(reference(WORKFLOWS, late), late), NOW)) == []
    assert list(mind.receive(state, Gone(reference(WORKFLOWS, late), late), NOW)) == [Stop()]


@pytest.mark.parametrize("command", [WriteStatus, Read])
def test_a_workflow_that_the_api_server_no_longer_has_is_left_at_once(command: type[WriteStatus | Read]) -> None:
    """The cache may hear of it much later; until then its pods would be made again as fast as they are collected."""
    mind = WorkflowMind()
    state = mind.birth(ADDRESS, None)
    thing = at("9", over=False)
    ref = reference(WORKFLOWS, thing)
    write = WriteStatus(ref, {}, "9") if command is WriteStatus else Read(ref, writing.REREAD)
    gone = GoneError("not found", status={"details": {"name": thing["metadata"]["name"]}})

    assert list(mind.receive(state, Failed(write, gone), NOW)) == [Stop("deleted")]
    again = mind.birth(ADDRESS, None)
    assert list(mind.receive(again, Started(0), NOW)) == []
    assert list(mind.receive(again, Observed(ref, thing), NOW)) == []
    assert list(mind.receive(again, Gone(ref, thing), NOW)) == [Stop()]


def test_a_server_that_does_not_know_the_kind_yet_has_not_lost_the_workflow() -> None:
    mind = WorkflowMind()
    state = mind.birth(ADDRESS, None)
    ref = reference(WORKFLOWS, at("9", over=False))

    assert list(mind.receive(state, Failed(WriteStatus(ref, {}, "9"), GoneError("404 page not found")), NOW)) == []
    assert list(mind.receive(state, Observed(ref, at("9", over=False)), NOW)) != []
