"""Attempts of a retried call after a restart and after crashes: what had begun goes on, what has ended stays ended."""

from __future__ import annotations

import msgspec
import pytest

from actors.messages import ChildChanged, NodeChanged, NodeFlag, NodeStatus, Permit, ReturnsPermit, WantsPermit
from actors.names import ids
from runtime.messages import Address, Command, Down, Message, Spawn, Started, Tell, Told
from tests.pure.engine.nodes import LEAF, NOW, WORKFLOW, Played, a_call, a_run, of

TWICE = {**LEAF, "retryStrategy": {"limit": 2}}
STAMP = "2027-01-15T08:00:00Z"


def an_attempt(number: int, phase: str) -> NodeStatus:
    name = f"w.A({number})"
    return NodeStatus(
        id=ids.node_id("w", name), name=name, display_name=f"A({number})", type="Pod", template_name="leaf",
        template_scope="local/w", phase=phase, started_at=STAMP, node_flag=NodeFlag(retried=True),
        finished_at=STAMP if phase in {"Succeeded", "Failed", "Error"} else None,
    )  # fmt: skip


def address(number: int) -> Address:
    return WORKFLOW._replace(room="node", part=ids.node_id("w", f"w.A({number})"))


def recorded(commands: list[Command]) -> list[NodeStatus]:
    return [tell.word.status for tell in of(Tell, commands) if isinstance(tell.word, NodeChanged)]


@pytest.mark.spec("RTY-1")
def test_an_attempt_on_record_goes_on_although_no_other_would_begin() -> None:
    run = a_run(first=an_attempt(0, "Failed"), second=an_attempt(1, "Running"))
    run.shutdown = "Stop"
    node = Played(a_call(run, TWICE))

    assert [spawn.address for spawn in of(Spawn, node.hears(Started(0)))] == [address(1)]


def test_the_crash_of_an_attempt_keeps_what_the_record_says_of_it() -> None:
    node = Played(a_call(a_run(), TWICE))
    node.hears(Started(0))
    node.told(ChildChanged(an_attempt(0, "Running")), address(0))
    (status,) = recorded(node.hears(Down(address(0), "crashed", "ValueError: x")))

    assert (status.phase, status.message) == ("Error", "ValueError: x")
    assert (status.template_name, status.template_scope, status.started_at) == ("leaf", "local/w", STAMP)
    assert status.node_flag == NodeFlag(retried=True)


def test_an_attempt_that_crashes_after_its_end_has_ended() -> None:
    node = Played(a_call(a_run(), TWICE))
    node.hears(Started(0))
    node.told(ChildChanged(an_attempt(0, "Failed")), address(0))

    assert recorded(node.hears(Down(address(0), "crashed", "ValueError: x"))) == []


@pytest.mark.parametrize("on_record", [False, True])
def test_with_its_end_comes_the_last_attempt_and_the_host_that_it_ran_on(*, on_record: bool) -> None:
    last = msgspec.structs.replace(an_attempt(0, "Succeeded"), host_node_name="host-1")
    node = Played(a_call(a_run(first=last) if on_record else a_run(), TWICE))
    said = node.hears(Started(0))
    if not on_record:
        said = node.told(ChildChanged(last), address(0))

    ends = [tell.word for tell in of(Tell, said) if isinstance(tell.word, ChildChanged)]
    assert (ends[-1].status.phase, ends[-1].attempt) == ("Succeeded", last)


@pytest.mark.spec("PAR-3")
@pytest.mark.parametrize("works", [False, True], ids=["nothing was found", "its pod was found at work"])
def test_between_attempts_its_places_are_others_unless_the_next_one_has_begun_before_a_restart(*, works: bool) -> None:
    run = a_run()
    run.permits = True  # the workflow limits its pods
    run.found = {"w.A(1)": None} if works else {}
    node = Played(a_call(run, TWICE))
    node.hears(Started(0))
    node.told(Permit())
    said = of(Tell, node.told(ChildChanged(an_attempt(0, "Failed")), address(0)))

    (returned,) = [tell.word for tell in said if isinstance(tell.word, ReturnsPermit)]
    assert returned.stays is works
    assert [tell.to for tell in said if isinstance(tell.word, WantsPermit)] == [WORKFLOW], "it asks in any case"


@pytest.mark.parametrize("crashes", [False, True], ids=["it ends", "its attempt crashes"])
def test_a_clock_that_is_behind_lets_nothing_end_before_it_began(*, crashes: bool) -> None:
    node = Played(a_call(a_run(), TWICE))
    node.hears(Started(0))
    node.told(ChildChanged(an_attempt(0, "Running")), address(0))
    ended: Message = Told(address(0), ChildChanged(an_attempt(0, "Succeeded")))
    word = Down(address(0), "crashed", "ValueError: x") if crashes else ended
    (status,) = recorded(node.hears(word, NOW - 60))

    assert (status.started_at, status.finished_at) == (STAMP, STAMP)
