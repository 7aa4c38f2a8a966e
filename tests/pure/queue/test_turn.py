"""What a workflow says to the room that gives turns, when that has forgotten everything."""

from __future__ import annotations

from typing import Any

import pytest

from actors.turn_messages import QUEUE, AskTurn, HasTurn, SayTurn
from actors.workflow import turn
from actors.workflow.state import WorkflowState
from runtime.messages import Address, Tell

WORKFLOW = Address("workflow", "default", "w", "uid")


def a_workflow(phase: str, **more: Any) -> WorkflowState:
    thing = {"metadata": {"name": "w", "namespace": "default"}, "spec": {}, "status": {"phase": phase}}
    return WorkflowState(WORKFLOW, object=thing, **more)


@pytest.mark.spec("PAR-1")
@pytest.mark.parametrize("phase", ["", "Pending", "Running"])
def test_who_has_crashed_and_not_read_its_record_yet_claims_no_turn(phase: str) -> None:
    """Whoever waits would be counted among those who run; when it has read that, it asks or says that it has one."""
    assert turn.heard(WorkflowState(WORKFLOW, reborn=True), SayTurn(), 0.0) == []

    said = turn.take(a_workflow(phase, reborn=True), 0.0)
    assert said == [Tell(QUEUE, HasTurn() if phase == "Running" else AskTurn(0, ""))]


@pytest.mark.spec("PAR-1")
def test_who_runs_says_so_and_who_waits_asks_again() -> None:
    assert turn.heard(a_workflow("Running"), SayTurn(), 0.0) == [Tell(QUEUE, HasTurn())]
    assert turn.heard(a_workflow("Running", closed=True), SayTurn(), 0.0) == []
    assert turn.heard(a_workflow("Pending", turn=turn.ASKED), SayTurn(), 0.0) == [Tell(QUEUE, AskTurn(0, ""))]
    assert turn.take(a_workflow("Running"), 0.0) == []
