"""Nodes too large for the object are kept in a database, and the status names their version. (OFF-1, OFF-2, OFF-3)

Rows first, then the object: a write that is to name a version is held until the database has it, and who dies between
the two leaves a row that nobody refers to, which is collected. A workflow whose status names a version is not taken in
before its nodes have been read. A database that does not answer holds that workflow's writes and nobody else's.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from actors.database_messages import DATABASE, LoadNodes, SaveNodes
from actors.packing import VERSION, version_of
from actors.workflow.state import WorkflowState
from runtime.api import ApiError
from runtime.messages import Ask, Command, WakeAt, WriteStatus
from runtime.objects import Object

NODES = "nodes"  # tag of what is asked and of the wake-up to ask again
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
SURELY_SMALL = 4  # what takes less than this part of what an object may is not weighed


# ------------------------------------------------------------------------------------------------ writing


def wanted(state: WorkflowState) -> bool:
    """Whether the nodes, as they are now, belong into the database: even compressed they are too large, or all do."""
    if not state.limits.offload or not state.journal.pack.size:
        return False
    pack, limit = state.journal.pack, state.limits.final_inline_bytes
    if state.limits.offload == "always":
        return True
    if min(pack.size, pack.packed_bytes if pack.size > limit // SURELY_SMALL else 0) <= limit // SURELY_SMALL:
        return False
    return pack.packed_bytes + rest_bytes(state) > limit


def rest_bytes(state: WorkflowState) -> int:
    """How much of the object is not its nodes."""
    thing = state.object or {}
    found = {**(thing.get("status") or {}), **state.status_extra}
    status = {key: value for key, value in found.items() if key not in {"nodes", "compressedNodes"}}
    return len(orjson.dumps({**thing, "status": status}))


def save(state: WorkflowState, write: WriteStatus) -> list[Command]:
    """Hold a write until the database has the nodes."""
    state.offload.write = write
    query = SaveNodes(state.address.uid, state.address.namespace, state.journal.pack.json())
    return [Ask(DATABASE, query, NODES)]


def saved(state: WorkflowState, version: str) -> list[Command]:
    """The database has the nodes: now the object may name them."""
    write, state.offload.write = state.offload.write, None
    answered(state)
    if write is None:
        return []
    state.offload.saved = True
    status = {**(write.patch.get("status") or {}), VERSION: version}
    return [msgspec.structs.replace(write, patch={**write.patch, "status": status})]


def failed(state: WorkflowState, error: ApiError, now: float) -> float:
    """The database does not do its part; when to ask again."""
    offload = state.offload
    offload.since = offload.since if offload.trouble else now
    offload.trouble, offload.rests = error.message, True
    delay_s = BACKOFF_S[min(offload.failures, len(BACKOFF_S) - 1)]
    offload.failures += 1
    return now + delay_s


def answered(state: WorkflowState) -> None:
    """The database does its part."""
    offload = state.offload
    offload.trouble, offload.failures, offload.rests = "", 0, False


# ------------------------------------------------------------------------------------------------ reading


def whole(state: WorkflowState, thing: Object) -> Object | None:
    """The workflow with its nodes; None when they have to be read first. Inline entries override those of a version."""
    version = version_of(thing)
    if not version:
        return thing
    nodes = _at_hand(state, version)
    if nodes is None:
        return None
    status: dict[str, Any] = thing["status"]
    return {**thing, "status": {**status, "nodes": {**nodes, **(status.get("nodes") or {})}}}


def _at_hand(state: WorkflowState, version: str) -> dict[str, dict[str, Any]] | None:
    if state.offload.read is not None and state.offload.read[0] == version:
        return state.offload.read[1]
    known = state.run is not None and not state.closed and version == state.offload.version
    return state.journal.written if known else None


def load(state: WorkflowState, thing: Object) -> list[Command]:
    """Read the nodes of a workflow, which is taken in when they are there."""
    offload = state.offload
    offload.awaited = thing
    version = thing["status"][VERSION]
    if offload.asked == version or offload.rests:
        return []
    offload.asked = version
    return [Ask(DATABASE, LoadNodes(state.address.uid, version), NODES)]


def loaded(state: WorkflowState, query: LoadNodes, nodes: dict[str, dict[str, Any]]) -> Object | None:
    """The nodes of a version are there; the workflow that has waited for them, or for others by now."""
    offload = state.offload
    offload.read = (query.version, nodes)
    offload.asked = "" if offload.asked == query.version else offload.asked
    answered(state)
    return offload.awaited


def not_loaded(state: WorkflowState, query: LoadNodes, error: ApiError, now: float) -> list[Command]:
    """They could not be read: ask again."""
    offload = state.offload
    if offload.asked != query.version:
        return []
    offload.asked = ""
    return [WakeAt(failed(state, error, now), NODES)]


def again(state: WorkflowState) -> list[Command]:
    """The time to ask again has come; nothing when nobody in particular waits for nodes."""
    state.offload.rests = False
    awaited = state.offload.awaited
    return load(state, awaited) if awaited is not None else []


def taken_in(state: WorkflowState) -> None:
    """What was read is part of the journal now, or nobody needs it."""
    state.offload.awaited = state.offload.read = None
    state.offload.lost = ""
