"""What the API server answers to a workflow's actor, and what follows from it."""

from __future__ import annotations

from typing import Any

from actors.database_messages import LoadNodes, SaveNodes
from actors.workflow import (
    beginning,
    collecting,
    disruption,
    edits,
    ending,
    guard,
    locks,
    lookups,
    offloading,
    opening,
    writing,
)
from actors.workflow.beginning import EXPIRY
from actors.workflow.state import WorkflowState, is_completed
from runtime import api
from runtime.messages import Ask, Command, Create, Delete, Read, WakeAt, WriteStatus
from runtime.objects import CLAIMS, Object, Reference

RETRY_READ_S = 2.0  # after an API server that did not answer


def done(state: WorkflowState, command: Command, result: Any, now: float) -> list[Command]:
    """A command was performed."""
    match command:
        case WriteStatus():
            return _written(state, result, now)
        case Read(tag=opening.GATHER | opening.GLANCE):
            return _gathered(state, command.ref, result, now)
        case Read(tag=beginning.BIRTH):
            return beginning.meet(state, beginning.newest(state, result), now) if state.object is None else []
        case Read(tag=writing.REREAD):
            commands = edits.take_in(state, result, now)
            return [*commands, *writing.flush(state)]
        case Read(tag=lookups.LOOKUP):
            return lookups.read(state, command.ref, result, now)
        case Read(tag=guard.GUARD):
            return edits.look_at_template(state, result, now)
        case Create(tag=opening.CLAIM):
            return _claim_made(state, command.object["metadata"]["name"], now)
        case Read(tag=opening.CLAIM):
            return _claim_found(state, result, now)
        case Create(tag=disruption.BUDGET) | Read(tag=disruption.BUDGET) | Delete(tag=disruption.BUDGET):
            return disruption.answered(state, command, result)
        case Ask(query=SaveNodes()):
            return offloading.saved(state, result)
        case Ask(query=LoadNodes()):
            return _nodes_read(state, command.query, result, now)
    return []


def _gathered(state: WorkflowState, ref: Reference, thing: Object | None, now: float) -> list[Command]:
    state.found[ref] = thing
    state.reading.discard(ref)
    state.limits.lately.note(ref, thing, now)
    return beginning.gather(state, now)


def _unread(state: WorkflowState, command: Read, error: api.ApiError, now: float) -> list[Command]:
    unneeded = command.tag == opening.GLANCE and isinstance(error, api.Refused)  # the controller may not see it
    if unneeded or isinstance(error, api.Gone):
        return _gathered(state, command.ref, None, now)
    state.reading.discard(command.ref)
    return [WakeAt(now + RETRY_READ_S, opening.GATHER)]


def _nodes_read(state: WorkflowState, query: LoadNodes, nodes: dict[str, Any], now: float) -> list[Command]:
    """Its nodes are there: whoever has waited for them goes on."""
    awaited = offloading.loaded(state, query, nodes)
    if state.run is None:
        return beginning.nodes_read(state, now)
    state.offload.awaited = None
    if awaited is not None and state.writing:
        state.pending = awaited
    elif awaited is not None:
        return [*edits.take_in(state, awaited, now), *writing.flush(state)]
    return []


def _written(state: WorkflowState, result: Object, now: float) -> list[Command]:
    held_back = locks.holds_back(state)
    state.write_took_s = max(0.0, now - state.sent_at)
    commands = [*writing.acknowledged(state, result), *locks.recorded(state)]
    if held_back and not locks.holds_back(state) and not state.closed and not state.claims_wanted:
        commands += beginning.begin(state, now)
    pending, state.pending = state.pending, None
    if pending is not None:
        commands += edits.take_in(state, pending, now)
    if state.closed:
        commands += [*ending.over(state), *beginning.retire(state)]
    if state.ended and not state.closed:
        return [*commands, *writing.flush(state)]
    if state.journal.dirty or state.locks.open:
        commands += writing.changed(state, state.limits, now, at_once=bool(state.locks.open))
    return commands


def _claim_found(state: WorkflowState, claim: Object, now: float) -> list[Command]:
    """One of that name is there: this workflow's from before, or somebody else's, which it neither uses nor deletes."""
    name, owners = claim["metadata"]["name"], claim["metadata"].get("ownerReferences") or ()
    if state.ended:
        return []
    if all(owner.get("uid") != state.address.uid for owner in owners):
        raise opening.Unfit(f"pvc create error: {name} pvc already exists with different ownerreference", "Error")
    return _claim_made(state, name, now)


def _claim_made(state: WorkflowState, name: str, now: float) -> list[Command]:
    state.claims_wanted.discard(name)
    if state.claims_wanted:
        return []
    state.status_extra["persistentVolumeClaims"] = opening.claims_status(state)
    return [*writing.changed(state, state.limits, now), *beginning.begin(state, now)]


def failed(state: WorkflowState, command: Command, error: api.ApiError, now: float) -> list[Command]:
    """A command was not performed, or nobody knows."""
    match command:
        case WriteStatus():
            return [*edits.overflow(state, error, now), *writing.refused(state, error, now)]
        case Read(tag=opening.GATHER | opening.GLANCE):
            return _unread(state, command, error, now)
        case Read(tag=beginning.BIRTH):  # gone: what the cache shows until it has heard of that is late
            return [] if isinstance(error, api.Gone) else [WakeAt(now + RETRY_READ_S, beginning.BIRTH)]
        case Read(tag=writing.REREAD):
            return [] if isinstance(error, api.Gone) else [WakeAt(now + RETRY_READ_S, writing.REREAD)]
        case Read(tag=lookups.LOOKUP):
            return lookups.unread(state, command.ref, error, now)
        case Read(tag=guard.GUARD) if isinstance(error, api.Gone):
            return edits.look_at_template(state, None, now)
        case Read(tag=guard.GUARD):
            return guard.again(state, now)
        case Create(tag=opening.CLAIM) | Read(tag=opening.CLAIM):
            return _claim_refused(state, command, error, now)
        case Create(tag="budget") | Read(tag="budget") | Delete(tag="budget"):
            return disruption.refused(state, command, error, now)
        case Delete(tag="expiry"):
            return [WakeAt(now + RETRY_READ_S, EXPIRY)]
        case Ask():
            return _unanswered(state, command.query, error, now)
    return []


def says_deleted(state: WorkflowState, command: Command, error: api.ApiError) -> bool:
    """Whether the workflow is gone, by what the API server answers to a write of its status or a look at it.

    A server that does not know the kind, as while it starts, also says 404, but names no object."""
    match command:
        case WriteStatus() | Read(tag=writing.REREAD):
            named = (error.status.get("details") or {}).get("name")
            return isinstance(error, api.Gone) and named == state.address.name
    return False


def _needs_none(thing: Object | None) -> bool:
    """Whether a workflow is better let go than kept until its nodes can be read."""
    return thing is not None and is_completed(thing) and collecting.is_leaving(thing)


def _unanswered(state: WorkflowState, query: Any, error: api.ApiError, now: float) -> list[Command]:
    """The database did not do what it was asked to."""
    match query:
        case SaveNodes():
            return writing.not_saved(state, error, now)
        case LoadNodes() if isinstance(error, api.Gone) or _needs_none(state.offload.awaited):
            state.offload.lost = error.message
            return _nodes_read(state, query, {}, now)
        case LoadNodes():
            return offloading.not_loaded(state, query, error, now)
    return []


def _claim_refused(state: WorkflowState, command: Create | Read, error: api.ApiError, now: float) -> list[Command]:
    name = command.ref.name if isinstance(command, Read) else command.object["metadata"]["name"]
    again: list[Command] = [WakeAt(now + RETRY_READ_S, f"{opening.CLAIM}:{name}")]
    if isinstance(command, Read):
        return again
    if isinstance(error, api.AlreadyExists):
        return [Read(Reference(CLAIMS, state.address.namespace, name), opening.CLAIM)]
    if isinstance(error, api.Refused) and "exceeded quota" not in error.message:
        raise opening.Unfit(f"pvc create error: {error.message}", "Error")
    state.message = f"Waiting for a PVC to be created. {error.message}"
    return again
