"""One status write at a time, each with all that changed meanwhile, each conditional on the version it knows.

What a write says is on record only when it was acknowledged; then the nodes that waited for it are told. (The write
protocol: a conflict means that somebody else's newer object is taken in first.)
"""

from __future__ import annotations

from typing import Any

from actors.messages import Recorded
from actors.names import buckets, labels
from actors.packing import VERSION, version_of
from actors.workflow import archiving, collecting, offloading
from actors.workflow.defaults import with_defaults
from actors.workflow.journal import merge_patch
from actors.workflow.state import WorkflowSettings, WorkflowState
from runtime.api import ApiError, Conflict, Gone
from runtime.messages import Command, Read, Tell, WakeAt, WriteStatus
from runtime.objects import Object

WINDOW_PER_WRITE = 50  # a write may take a fiftieth of the time: large objects are written less often
WINDOW_MAX_S, SMALL_WINDOW_MAX_S = 10.0, 2.0
FIRST_WINDOW_S = 0.05  # its first nodes say what they are in no time: nothing is asked of anybody for that
FLUSH, REREAD = "flush", "reread"
NOTHING_TO_RUN = "0/0"  # progress of a workflow without nodes that do something
COMPUTED = frozenset(
    {"phase", "message", "startedAt", "finishedAt", "progress", "resourcesDuration", "conditions", "synchronization"}
)
"""Fields of the status that are made anew for every write."""
AWAY: dict[str, Any] = {"nodes": None, "compressedNodes": None}  # in a database, under a version yet to be named
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def summary(state: WorkflowState) -> dict[str, Any]:
    """`status` without its nodes, as it is to be."""
    status: dict[str, Any] = {"phase": state.phase, **state.status_extra}
    if state.started_at:
        status["startedAt"] = state.started_at
    if state.finished_at:
        status["finishedAt"] = state.finished_at
    if state.message:
        status["message"] = state.message
    status["progress"] = state.journal.total()
    locks = state.locks.section()
    if locks and not state.ended:
        status["synchronization"] = locks
    if state.journal.durations.get(""):
        status["resourcesDuration"] = dict(state.journal.durations[""])
    conditions = []
    if status["progress"] != NOTHING_TO_RUN:
        conditions.append({"type": "PodRunning", "status": "True" if state.journal.pods_running else "False"})
    if state.ended:
        conditions.append({"type": "Completed", "status": "True"})
    conditions += [{"type": "SpecWarning", "status": "True", "message": text} for text in state.warnings]
    if state.metric_errors:
        conditions.append({"type": "MetricsError", "status": "True", "message": ", ".join(state.metric_errors)})
    if conditions:
        status["conditions"] = conditions
    return status


def changed(state: WorkflowState, settings: WorkflowSettings, now: float, *, at_once: bool = False) -> list[Command]:
    """Something is to be written: now when the workflow's phase changed, else when the window closes."""
    if state.writing or state.object is None:
        return []
    if at_once:
        return flush(state)
    if state.flush_due:
        return []
    state.flush_due = True
    window_s = max(settings.write_window_s, min(WINDOW_PER_WRITE * state.write_took_s, _window_max_s(state)))
    return [WakeAt(now + window_s, FLUSH)]


def _window_max_s(state: WorkflowState) -> float:
    """A large object is slow to write for its size, and that lasts; a small one because the machine was busy, which may
    be over by now: nobody is to wait ten seconds for a few nodes because of one slow answer."""
    small = state.journal.pack.size <= state.limits.inline_bytes
    return SMALL_WINDOW_MAX_S if small else WINDOW_MAX_S


def opened(state: WorkflowState, now: float) -> list[Command]:
    """The first write waits for the first nodes: who sees a workflow Running finds what runs and may be resumed."""
    if state.writing or state.flush_due:
        return []
    state.flush_due = True
    return [WakeAt(now + FIRST_WINDOW_S, FLUSH)]


def flush(state: WorkflowState) -> list[Command]:
    """Write all that is not on record; nothing when a write is under way or nothing changed."""
    if state.writing or state.object is None or state.reopened is not None:  # its former life has nothing to say
        return []
    if state.offload.holds:
        return []
    state.flush_due = False
    nodes = state.journal.take()
    wanted = summary(state)
    patch: dict[str, Any] = merge_patch(state.summary_written, wanted)
    where = _nodes(state, nodes)
    patch |= where
    meta = _metadata(state)
    spec = _spec(state)
    if not patch and not meta and not spec:
        if not _awaited(state):
            return []
        patch = {"phase": state.phase}  # it is all on record, by a write that nobody has answered: this one is
    state.writing = True
    state.summary_sent = wanted
    body: Object = {"status": patch} if patch else {}
    if spec:
        body["spec"] = spec
    if meta:
        body["metadata"] = meta
    version = state.object["metadata"]["resourceVersion"]
    write = WriteStatus(state.ref, body, version, tag="status")
    return offloading.save(state, write) if where is AWAY else [write]


def _awaited(state: WorkflowState) -> bool:
    """Whether somebody waits to hear that what he said is on record."""
    told = any(node_id in state.journal.sent for node_id in state.journal.waiting)
    return told or bool(state.locks.open) or (state.ended and not state.closed)


def _nodes(state: WorkflowState, changes: dict[str, Any]) -> dict[str, Any]:
    """The nodes' part of a write: what changed, inline; or everything in one string, or elsewhere, once it is large."""
    size, limits, away = state.journal.pack.size, state.limits, bool(state.offload.version)
    state.compressed_sent = state.compressed
    if state.run is None or state.overfull:  # nobody has read yet what is on record, or there is no room for more
        return {}
    if offloading.wanted(state):
        state.compressed_sent = False
        return AWAY if changes or not away else {}
    back = {VERSION: None} if away else {}
    room = limits.final_inline_bytes - offloading.rest_bytes(state) if state.ended else limits.inline_bytes
    state.compressed_sent = size > room
    if state.compressed_sent:
        rewritten = bool(changes) or away or not state.compressed
        return {"nodes": None, "compressedNodes": state.journal.pack.text(), **back} if rewritten else {}
    if state.compressed or away:
        return {"nodes": state.journal.entries(), "compressedNodes": None, **back}
    return {"nodes": changes} if changes else {}


def _spec(state: WorkflowState) -> dict[str, Any]:
    """What the installation's defaults add to the spec, with the first write of a workflow that begins (WDEF-1)."""
    assert state.object is not None
    spec = state.object.get("spec") or {}
    if not state.defaults or state.run is None or spec.get("workflowTemplateRef"):
        return {}
    patch: dict[str, Any] = merge_patch(spec, with_defaults(spec, state.defaults))
    return patch


def _metadata(state: WorkflowState) -> dict[str, Any]:
    assert state.object is not None
    meta = state.object["metadata"]
    wanted = {**state.labels_extra, labels.PHASE: state.phase}
    if state.limits.sharded:
        wanted |= buckets.mark(state.address.namespace)
    if state.ended:
        wanted[labels.COMPLETED] = "true"
        wanted |= archiving.mark(state, {**(meta.get("labels") or {}), **wanted})
    elif labels.COMPLETED not in (meta.get("labels") or {}):
        wanted[labels.COMPLETED] = "false"
    patch: dict[str, Any] = {}
    for field, entries in (("labels", wanted), ("annotations", state.annotations_extra)):
        have = meta.get(field) or {}
        news = {key: value for key, value in entries.items() if have.get(key) != value}
        if news:
            patch[field] = news
    if (finalizers := collecting.finalizers(state)) is not None:
        patch["finalizers"] = finalizers
    return patch


def acknowledged(state: WorkflowState, result: Object) -> list[Command]:
    """The write is on record: whoever waited for it is told."""
    state.writing = False
    state.write_failures = 0
    state.object = result
    state.summary_written = state.summary_sent
    state.compressed = state.compressed_sent
    state.offload.version, state.offload.saved = version_of(result), False
    told = state.journal.acknowledged()
    state.closed = state.ended and state.summary_written.get("finishedAt") == state.finished_at
    run = state.run
    return [Tell(run.node_address(node_id), Recorded()) for node_id in told] if run is not None else []


def refused(state: WorkflowState, error: ApiError, now: float) -> list[Command]:
    """The write is not on record, or nobody knows: look, then write again."""
    state.writing = state.offload.saved = False
    state.journal.refused()
    if isinstance(error, Gone):
        return []
    if isinstance(error, Conflict):
        return [Read(state.ref, REREAD)]
    delay = BACKOFF_S[min(state.write_failures, len(BACKOFF_S) - 1)]
    state.write_failures += 1
    return [WakeAt(now + delay, REREAD)]


def not_saved(state: WorkflowState, error: ApiError, now: float) -> list[Command]:
    """The database did not take the nodes: nothing is written until it does; then look first, as after any failure."""
    state.writing, state.offload.write = False, None
    state.journal.refused()
    return [WakeAt(offloading.failed(state, error, now), REREAD)]
