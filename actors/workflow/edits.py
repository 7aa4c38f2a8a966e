"""A workflow's spec and status are inputs too: what somebody else has written becomes messages to those it concerns.

`argo stop`, `suspend` and `resume` edit the spec; `argo retry`, `node set` and a resume of one node edit the status.
(OP-1..3, SUS-5, RESTR-2.)
"""

from __future__ import annotations

from typing import Any

from actors.messages import Edited, NodeStatus, Permit, Shutdown
from actors.packing import VERSION, nodes_of
from actors.workflow import agents, beginning, collecting, ending, guard, locks, offloading, turn, writing
from actors.workflow.state import Superseded, WorkflowState, is_completed, newer
from runtime.api import ApiError
from runtime.client_errors import too_large
from runtime.messages import Command, Tell
from runtime.objects import Object

OVERFULL = "workflow is longer than maximum allowed size."  # upstream's words


def take_in(state: WorkflowState, thing: Object, now: float) -> list[Command]:
    """Somebody else's newer object. Raises Superseded, and the next life looks at what there is."""
    assert state.object is not None
    if not newer(thing, state.object):  # a live read was before it: who gives turns may have heard of it only now
        return beginning.wait_turn(state, now) if state.turn == turn.ASKED else []
    if is_completed(thing) and not state.ended and not state.closed:
        raise Superseded(f"workflow {state.address.name} has ended on record while it ran here")
    found = _whole(state, thing)
    if found is None:
        return offloading.load(state, thing)
    had, ranked = beginning.own_parallelism(state.object), (state.object.get("spec") or {}).get("priority")
    state.object = thing
    _note(state, thing.get("status") or {})
    if state.closed and not is_completed(thing):
        state.reopened = thing
    elif state.closed and not state.writing:
        return beginning.retire(state)  # its labels may have changed: it goes sooner, or later
    if state.closed and state.reopened is None:  # nobody's node hears of what is written into a finished one
        return collecting.collect(state) if collecting.is_leaving(thing) else []
    if state.turn:
        return beginning.wait_turn(state, now)
    if state.run is None or state.reopened is not None:
        return []
    was_stopping, was_suspended = state.stopping, state.suspended
    beginning.heed_spec(state)
    guard.heed(state)
    commands = _tell_nodes(state, found)
    raised = beginning.heed_parallelism(state, had)
    commands += _limits_changed(state, now, raised=raised, was_suspended=was_suspended)
    commands += locks.heed_priority(state, ranked)
    if state.stopping and state.stopping != was_stopping and not state.ended:
        commands += _shut_down(state, now)
    if state.journal.dirty:
        commands += writing.changed(state, state.limits, now)
    return commands


def _tell_nodes(state: WorkflowState, found: Object) -> list[Command]:
    """What somebody has written into nodes. Raises Superseded where that is another end of a node than the one here,
    or its end while it runs here: the record goes before what is not on it, as it does upstream."""
    edits = state.journal.edits(nodes_of(found.get("status") or {}))
    if state.journal.contradicted:
        raise Superseded(f"somebody has put an end of {state.journal.contradicted} on record before its own was")
    for edit in edits:
        _keep(state, edit)
    return [Tell(state.running.node_address(edit.id), Edited(edit)) for edit in edits]


def _keep(state: WorkflowState, edit: NodeStatus) -> None:
    """A node on record that has not begun again in this life, for want of a place, say, hears of nothing: it will begin
    as it is on record by then."""
    known, journal = state.running.known, state.journal
    if edit.id in known and edit.id not in journal.unended and not journal.has_ended(edit.id):
        known[edit.id] = edit
        journal.change(edit, "")


def _whole(state: WorkflowState, thing: Object) -> Object | None:
    """The object with its nodes, if anybody is to hear of them; None when they have to be read first."""
    if state.run is None or state.closed:
        return thing
    found = offloading.whole(state, thing)
    if found is not None:
        offloading.taken_in(state)
    return found


def _note(state: WorkflowState, status: dict[str, Any]) -> None:
    """What is on record by now, also by writes of ours that nobody has answered."""
    for key in writing.COMPUTED:
        state.summary_written.pop(key, None)
        if key in status:
            state.summary_written[key] = status[key]
    state.compressed = bool(status.get("compressedNodes"))
    state.offload.version = status.get(VERSION) or ""


def _limits_changed(state: WorkflowState, now: float, *, raised: bool, was_suspended: bool) -> list[Command]:
    """It was suspended, or goes on; or the limit of its pods is another."""
    if state.suspended == was_suspended:
        return _resume(state, now) if raised else []
    beginning.limit_pods(state)
    return [*locks.suspension_changed(state), *agents.suspension_changed(state), *_resume(state, now)]


def _resume(state: WorkflowState, now: float) -> list[Command]:
    if state.suspended or state.ended:
        return []
    admitted = state.gate.admit() if state.gate is not None else []
    commands: list[Command] = [Tell(state.running.node_address(node_id), Permit()) for node_id in admitted]
    return commands if state.claims_wanted else [*commands, *beginning.begin(state, now)]


def _shut_down(state: WorkflowState, now: float) -> list[Command]:
    """Tell everything that runs; exit handlers survive a Stop (OP-1, OP-2)."""
    run = state.running
    run.shutdown = state.stopping
    if state.root is None or not state.live:
        return [*beginning.begin(state, now)] if state.root is None else ending.after(state, now)
    return [Tell(run.node_address(child), Shutdown(state.stopping), urgent=True) for child in sorted(state.live)]


def overflow(state: WorkflowState, error: ApiError, now: float) -> list[Command]:
    """The workflow has outgrown its object: it is stopped, and ends as an Error that says so. (OFF-1)"""
    if state.overfull or state.closed or not too_large(error):
        return []
    state.overfull = True
    state.condemned = f"{OVERFULL} {error.message}: pass large values as artifacts, or keep nodes in a database"
    if state.ended or state.run is None:
        ending.conclude(state, "Error", state.condemned, now)
        return []
    state.stopping = "Terminate"
    return _shut_down(state, now)


def look_at_template(state: WorkflowState, template: Object | None, now: float) -> list[Command]:
    """The template of a guarded workflow, as it is by now: another one than it began with ends it (RESTR-2)."""
    if state.ended or state.run is None or state.condemned:
        return []
    if not guard.compare(state, template):
        return guard.again(state, now)
    return _shut_down(state, now)
