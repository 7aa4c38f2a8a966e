"""What a workflow waits for, in one sentence."""

from __future__ import annotations

from actors.lock_messages import shown
from actors.workflow import beginning, locks
from actors.workflow.journal import WHOLE
from actors.workflow.state import WorkflowState


def waits_for(state: WorkflowState) -> str:
    """What would move the workflow on."""
    if state.offload.trouble:
        return f"for the database that keeps its nodes: {state.offload.trouble}"
    if state.turn:
        return "for its turn: as many workflows run as may" if state.message else "for its turn"
    if state.run is None:
        names = ", ".join(str(ref) for ref in state.reading)
        return f"for {names} to be read" if names else "for its own object"
    if state.ended:
        return "for its pods to be released" if state.closed else "for its end to be written"
    if locks.holds_back(state):
        return f"for its locks {', '.join(map(shown, state.locks.claims[WHOLE].keys))}"
    if state.suspended:
        return "to be resumed (spec.suspend)"
    if state.root is None and beginning.nothing_may_begin(state):
        return "for a spec.parallelism of more than 0"
    if state.claims_wanted:
        return f"for claims {', '.join(sorted(state.claims_wanted))} to be made"
    return f"for node {state.root.display_name}" if state.root else "for its first node"
