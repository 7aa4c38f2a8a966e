"""One write of a CronWorkflow's status at a time, conditional on the version that it was computed from.

A write whose outcome nobody knows is followed by a look: either the object says it all already, or it is written again.
"""

from __future__ import annotations

from typing import Final

from actors.cron.record import patch_to, says
from actors.cron.state import CronState
from runtime import api
from runtime.messages import Command, Read, WakeAt, WriteStatus
from runtime.objects import Object

STATUS, REREAD = "status", "reread"
BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def flush(state: CronState, now: float) -> list[Command]:
    """Write what is not on record; nothing while a write is under way, or when the object says it all."""
    if state.sent is not None:
        return []
    wanted = state.wanted(now)
    body = patch_to(state.cron, wanted)
    if not body:
        state.notes.clear()
        return []
    state.sent = wanted, len(state.notes)
    return [WriteStatus(state.ref, body, state.cron["metadata"]["resourceVersion"], tag=STATUS)]


def acknowledged(state: CronState, result: Object) -> None:
    """The write is on record."""
    assert state.sent is not None
    _, notes = state.sent
    del state.notes[:notes]
    state.sent = None
    state.write_failures = 0
    state.object = result


def refused(state: CronState, error: api.ApiError, now: float) -> list[Command]:
    """The write is not on record, or nobody knows: look at the object, at once after a conflict, else later."""
    if isinstance(error, api.Gone):
        return []  # the object's end is told by the cache
    if isinstance(error, api.Conflict):
        return [Read(state.ref, REREAD)]
    state.write_failures += 1
    return [WakeAt(now + backoff(state.write_failures - 1), REREAD)]


def reread(state: CronState, found: Object) -> bool:
    """The object as it is now; whether the write had arrived."""
    arrived = state.sent is not None and says(found, state.sent[0])
    if arrived:
        acknowledged(state, found)
    state.sent = None
    return arrived


def backoff(failures: int) -> float:
    """How long to wait after so many failures of the same thing (seconds)."""
    return BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
