"""A steps template: whatever the record says of a group whose actor crashes, it goes on; and whom its limit lets in."""

from __future__ import annotations

import pytest

from actors.gate import PERMITS
from actors.messages import (
    ChildChanged,
    Denied,
    Edited,
    FoundOver,
    NodeChanged,
    NodeFlag,
    NodeStatus,
    Phase,
    ReturnsPermit,
    WantsPermit,
)
from actors.names import ids
from runtime.messages import Command, Down, Spawn, Tell, WakeAt, Woke
from tests.pure.engine.nodes import Played, a_call, a_run, of

STEPS = {"name": "two", "steps": [[{"name": "s", "template": "leaf"}]]}
GROUP = ids.step_group("w.A", 0)
STAMP = "2027-01-15T08:00:00Z"


def a_group(phase: Phase) -> NodeStatus:
    ended = STAMP if phase == "Succeeded" else None
    return NodeStatus(
        id=ids.node_id("w", GROUP), name=GROUP, display_name="[0]", type="StepGroup", phase=phase,
        boundary_id=ids.node_id("w", "w.A"), started_at=STAMP, finished_at=ended,
    )  # fmt: skip


@pytest.mark.spec("STEP-2")
@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
def test_a_recorded_group_that_crashes_before_its_first_word_does_not_hold_its_template(phase: Phase) -> None:
    """What the record says of it, its template has not heard in this life; it would wait for it for ever."""
    node = Played(a_call(a_run(group=a_group(phase)), STEPS))
    (spawn,) = of(Spawn, node.hears_of_birth())
    crash = node.hears(Down(spawn.address, "crashed", "ValueError: x"))
    heard = [tell.word for tell in of(Tell, crash) if isinstance(tell.word, ChildChanged)]
    assert [(word.status.phase, word.status.message) for word in heard] == [("Error", "ValueError: x")]

    node.told(*heard)
    assert (node.state.status.phase, node.state.status.message) == ("Failed", "ValueError: x")


@pytest.mark.spec("STEP-2")
def test_a_group_that_crashes_keeps_the_end_that_it_has_on_record() -> None:
    """Others may have followed it: what its template then makes of the crash is the template's end, not the group's."""
    node = Played(a_call(a_run(group=a_group("Succeeded")), STEPS))
    (spawn,) = of(Spawn, node.hears_of_birth())
    crash = node.hears(Down(spawn.address, "crashed", "ValueError: x"))
    (heard,) = [tell.word for tell in of(Tell, crash) if isinstance(tell.word, ChildChanged)]

    told = [tell.word for tell in of(Tell, node.told(heard)) if isinstance(tell.word, NodeChanged)]
    assert [word.crashed for word in told if word.status.id == spawn.address.part] == [True]
    assert [word.crashed for word in told if word.status.id == node.state.id] == [False]


LIMITED = {**STEPS, "parallelism": 1}
TRIED = "w.A[0].s(0)"
CALL = ids.node_id("w", "w.A[0].s")


def an_attempt(name: str) -> NodeStatus:
    """On record, of a call in the template's first group."""
    return NodeStatus(
        id=ids.node_id("w", name), name=name, display_name=name, type="Pod", phase="Pending", started_at=STAMP,
        boundary_id=ids.node_id("w", "w.A"), node_flag=NodeFlag(retried=True),
    )  # fmt: skip


def admitted(node: Played, commands: list[Command]) -> list[Tell]:
    """Whom it is said to, and whom once all have spoken."""
    later = [wake for wake in of(WakeAt, commands) if wake.tag == PERMITS]
    return [*of(Tell, commands), *(of(Tell, node.hears(Woke(PERMITS))) if later else [])]


@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize("locked", [False, True], ids=["without a lock", "with one"])
def test_a_pod_that_ends_before_its_call_asks_again_leaves_its_place_to_others_unless_that_has_a_lock(
    *, locked: bool
) -> None:
    """Who has a lock keeps its place between attempts; what came before it is on record and needs none."""
    run = a_run()
    run.found = {TRIED: None}
    run.lockers = frozenset({CALL} if locked else ())
    node = Played(a_call(run, LIMITED))
    node.hears_of_birth()
    assert admitted(node, node.told(WantsPermit("other", "w.A[0].t"))) == []
    del run.found[TRIED]
    run.found_over.append(TRIED)

    freed = admitted(node, node.told(FoundOver(TRIED)))
    assert [tell.to.part for tell in freed] == ([] if locked else ["other"])
    assert [tell.to.part for tell in of(Tell, node.told(WantsPermit(CALL, "w.A[0].s")))] == [CALL]


@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize(("locked", "first"), [(False, False), (False, True), (True, False)])
def test_a_place_on_record_that_went_to_another_between_attempts_is_the_others_while_its_pod_works(
    *, locked: bool, first: bool
) -> None:
    """The attempt on record has lost its pod; its call gave its place away, and neither was written any more."""
    other = "w.A[0].t(0)"
    run = a_run(attempt=an_attempt(TRIED))
    run.found = {other: None}
    run.lockers = frozenset({CALL} if locked else ())  # then it never left
    node = Played(a_call(run, LIMITED))
    node.hears_of_birth()
    asks = [WantsPermit(ids.node_id("w", "w.A[0].t"), "w.A[0].t"), WantsPermit(CALL, "w.A[0].s")]

    given = [tell.to.part for word in (asks[::-1] if first else asks) for tell in admitted(node, node.told(word))]
    assert sorted(given) == sorted([asks[0].node_id, *([CALL] if locked else [])])
    freed = admitted(node, node.told(ReturnsPermit(asks[0].node_id)))
    assert [tell.to.part for tell in freed] == ([] if locked else [CALL])


@pytest.mark.spec("FF-2")
@pytest.mark.parametrize("locked", [False, True], ids=["without a lock", "with one"])
def test_who_waits_is_denied_when_the_last_place_of_a_failed_template_was_kept_for_a_pod_of_an_earlier_life(
    *, locked: bool
) -> None:
    run = a_run()
    run.found = {TRIED: None}
    run.lockers = frozenset({CALL} if locked else ())
    node = Played(a_call(run, {**LIMITED, "failFast": True}))
    node.hears_of_birth()
    assert admitted(node, node.told(WantsPermit("other", "w.A[0].t"))) == []
    assert of(Tell, node.told(ReturnsPermit("earlier", failed=True))) == [], "one place is still kept"
    del run.found[TRIED]
    run.found_over.append(TRIED)

    denied = [tell for tell in of(Tell, node.told(FoundOver(TRIED))) if isinstance(tell.word, Denied)]
    assert [tell.to.part for tell in denied] == sorted(node.state.live)
    assert denied


@pytest.mark.spec("FF-2")
def test_what_a_template_has_made_of_its_groups_end_stays_when_somebody_edits_the_group() -> None:
    """The group by itself is a success; the template, which fails fast, has overruled that on record."""
    skipping = {"name": "two", "steps": [[{"name": "s", "template": "leaf", "when": "false"}]]}
    (spawn,) = of(Spawn, Played(a_call(a_run(), skipping)).hears_of_birth())
    group = Played(spawn.argument)
    said = [tell.word for tell in of(Tell, group.hears_of_birth()) if isinstance(tell.word, ChildChanged)]
    assert [word.status.phase for word in said][-1] == "Succeeded"
    assert of(Tell, group.told(Edited(a_group("Running")))) == []
