"""A steps template when the actor of its group crashes: whatever the record says of the group, the template goes on."""

from __future__ import annotations

import pytest

from actors.messages import ChildChanged, NodeStatus, Phase
from actors.names import ids
from runtime.messages import Down, Spawn, Tell
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
