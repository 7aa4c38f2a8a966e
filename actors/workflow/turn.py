"""A workflow begins when it is its turn: the queue room says when. (PAR-1, PAR-2, PRI-1.)

What runs on record has had its turn. Terminate skips the queue: nothing will run. An installation may let new
workflows rest a while, until others have made their changes to them.
"""

from __future__ import annotations

from typing import Any

from actors.names.timestamps import seconds
from actors.turn_messages import QUEUE, AskTurn, HasTurn, SayTurn, TurnAwaited, TurnGiven
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Tell, WakeAt

RESTS, ASKED = "rests", "asked"  # what `state.turn` may say; empty: it is its turn
REST = "rest"  # the wake-up
POSTPONED = "Workflow processing has been postponed because too many workflows are already running"


def take(state: WorkflowState, now: float) -> list[Command]:
    """Ask for a turn when one is needed; afterwards `state.turn` says whether to wait."""
    assert state.object is not None
    workflow: dict[str, Any] = state.object
    spec, status = workflow.get("spec") or {}, workflow.get("status") or {}
    if status.get("phase") == "Running" or spec.get("shutdown") == "Terminate":
        state.turn = ""
        return [Tell(QUEUE, HasTurn())] if state.reborn else []  # it may have been asked before it knew
    created = workflow["metadata"].get("creationTimestamp") or ""
    rested_at = seconds(created) + state.limits.initial_delay_s if created else now
    if state.limits.initial_delay_s and not status.get("phase") and rested_at > now:
        state.turn = RESTS
        return [WakeAt(rested_at, REST)]
    state.turn = ASKED
    priority = spec.get("priority")
    if priority is None:
        priority = (state.limits.defaults.get("spec") or {}).get("priority")
    return [Tell(QUEUE, AskTurn(priority if isinstance(priority, int) else 0, created))]


def heard(state: WorkflowState, word: TurnGiven | TurnAwaited | SayTurn, now: float) -> list[Command]:
    """What the queue room says; `state.turn` is empty once the workflow may go on."""
    match word:
        case TurnGiven():
            state.turn = ""
        case TurnAwaited() if state.turn:
            state.phase, state.message = "Pending", POSTPONED
        case SayTurn() if state.turn:
            return take(state, now)
        case SayTurn() if not state.closed and state.object is not None:  # who has yet to read its record will take it
            return [Tell(QUEUE, HasTurn())]
    return []
