"""One write of a run's status at a time, conditional on the version that it was computed from.

A write whose outcome nobody knows is followed by a look: either the object says it all already, or it is written again.
"""

from __future__ import annotations

from actors.analysis.flights import backoff
from actors.analysis.record import folded, said_by
from actors.analysis.state import RunState
from actors.kube_events import difference, event
from actors.names.timestamps import seconds
from runtime import api
from runtime.messages import Command, Read, WakeAt, WriteStatus
from runtime.objects import Object

STATUS, REREAD = "status", "reread"


def flush(state: RunState) -> list[Command]:
    """Write what is not on record; nothing while a write is under way, or when the object says it all."""
    if state.sent is not None or not state.notes or state.plan is None:
        return []
    wanted = folded(state.run, state.plan, state.notes)
    patch = difference(state.run.get("status") or {}, wanted)
    if not patch:
        state.notes.clear()
        return []
    state.sent, state.sent_status = len(state.notes), wanted
    return [WriteStatus(state.ref, {"status": patch}, state.run["metadata"]["resourceVersion"], tag=STATUS)]


def acknowledged(state: RunState, result: Object, now: float) -> list[Command]:
    """The write is on record: say what is new."""
    before = state.run.get("status") or {}
    del state.notes[: state.sent or 0]
    state.sent = None
    state.write_failures = 0
    state.object = result
    after = result.get("status") or {}
    pending, state.pending = state.pending, None
    if pending is not None and newer(pending, result):
        state.object = pending
    at = seconds(after["completedAt"]) if after.get("completedAt") else now
    return [event(state.ref, said, at) for said in said_by(before, after)]


def refused(state: RunState, error: api.ApiError, now: float) -> list[Command]:
    """The write is not on record, or nobody knows: look at the object, at once after a conflict, else later."""
    if isinstance(error, api.Gone):
        return []  # the object's end is told by the cache
    if isinstance(error, api.Conflict):
        return [Read(state.ref, REREAD)]
    state.write_failures += 1
    return [WakeAt(now + backoff(state.write_failures - 1), REREAD)]


def reread(state: RunState, found: Object, now: float) -> list[Command]:
    """The object as it is now; what was written may have arrived all the same."""
    if state.sent is None:
        return []
    if not difference(found.get("status") or {}, state.sent_status):
        return acknowledged(state, found, now)
    state.sent = None
    state.object, state.pending = found, None
    return []


def newer(one: Object, other: Object) -> bool:
    """Whether `one` is a later version of the same object."""
    mine, theirs = (thing["metadata"].get("resourceVersion", "0") for thing in (one, other))
    if mine.isdigit() and theirs.isdigit():
        return int(mine) > int(theirs)
    return bool(mine != theirs)
