"""The workflow room: one actor per Workflow, from its first event to the last pod that it releases.

It reads what the workflow refers to, starts the entrypoint, keeps the journal, holds pods back where a limit says so,
and decides the end. What happens inside is its nodes' business: they tell it, it writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from actors.gate import Gate
from actors.lock_messages import WHOLE, BadLock, LockAwaited, LockGranted, LockRefused, SayAgain, WantsLocks
from actors.messages import (
    ChildChanged,
    DeadlineExceeded,
    Edge,
    Edited,
    NodeChanged,
    NodeStatus,
    Permit,
    ReturnsPermit,
    Shutdown,
    WantsPermit,
)
from actors.names.timestamps import rfc3339
from actors.packing import nodes_of
from actors.workflow import disruption, ending, events, locks, opening, writing
from actors.workflow.exports import export
from actors.workflow.leftovers import leftovers_of_finished
from actors.workflow.retention import expires_at
from actors.workflow.state import WORKFLOWS, WorkflowSettings, WorkflowState, is_completed, newer
from actors.workflow.waits import waits_for
from runtime import api
from runtime.messages import (
    Address,
    Command,
    Create,
    Delete,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Read,
    Spawn,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import Object

EXPIRY = "expiry"
NO_LOCK = "Failed to acquire the synchronization lock."
RETRY_READ_S = 2.0  # after an API server that did not answer


class WorkflowMind:
    """How a workflow's actor behaves."""

    def __init__(self, settings: WorkflowSettings | None = None) -> None:
        self.settings = settings or WorkflowSettings()

    def birth(self, address: Address, argument: Any) -> WorkflowState:
        """A workflow of which nothing is known yet but its name."""
        del argument
        return WorkflowState(address, limits=self.settings)

    def waiting(self, state: WorkflowState) -> str:
        """What would move the workflow on."""
        return waits_for(state)

    def receive(self, state: WorkflowState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message; an unfit workflow ends with a sentence instead of starting."""
        if isinstance(message, Down):
            state.live.discard(message.child.part)
        try:
            commands = self._react(state, message, now)
        except opening.Unfit as error:
            state.started_at = state.started_at or rfc3339(now)
            ending.conclude(state, error.phase, str(error), now)
            commands = writing.flush(state)
        if state.reopened is not None and not state.live:
            commands = [*commands, *self._begin_anew(state, state.reopened, now)]
        turns, state.journal.turns = state.journal.turns, []
        commands += events.due(state, self.settings, turns, now)
        for command in commands:
            if isinstance(command, Spawn):
                state.live.add(command.address.part)
            elif isinstance(command, WriteStatus):
                state.sent_at = now
        if state.closed and not state.live and not state.writing and not state.budget and state.expiry is None:
            commands.append(Stop())
        return commands

    def _react(self, state: WorkflowState, message: Message, now: float) -> list[Command]:
        match message:
            case Observed(ref, thing) if ref.resource == WORKFLOWS:
                return self._observed(state, thing, now)
            case Gone(ref, _) if ref.resource == WORKFLOWS:
                return [Stop()]
            case Told(sender, word):
                return self._told(state, sender, word, now)
            case Done(command, result):
                return self._done(state, command, result, now)
            case Failed(command, error):
                return self._failed(state, command, error, now)
            case Woke(tag):
                return self._woke(state, tag, now)
            case Down(child, "crashed", detail):
                return self._crashed(state, child, detail, now)
            case Started() | Observed() | Gone() | Down():
                return []
        raise AssertionError(f"unknown message {message!r}")

    # ------------------------------------------------------------------------------------------ the object

    def _observed(self, state: WorkflowState, thing: Object, now: float) -> list[Command]:
        if state.object is None:
            return self._meet(state, thing, now)
        if state.writing:
            state.pending = thing
            return []
        return self._take_in(state, thing, now)

    def _meet(self, state: WorkflowState, thing: Object, now: float) -> list[Command]:
        if is_completed(thing):
            state.object, state.ended, state.closed = thing, True, True
            return [*self._retire(state), *leftovers_of_finished(state.address, thing, now)]
        state.object = thing
        state.locks = locks.Ledger.of(thing.get("status") or {}, state.address)
        found = thing.get("status") or {}
        state.compressed = bool(found.get("compressedNodes"))
        state.summary_written = {key: found[key] for key in found if key not in {"nodes", "compressedNodes"}}
        state.status_extra = {key: value for key, value in state.summary_written.items() if key not in writing.COMPUTED}
        return self._open(state, now)

    def _begin_anew(self, state: WorkflowState, thing: Object, now: float) -> list[Command]:
        """Somebody has opened the finished workflow again, and nothing of its former life is left (OP-4)."""
        state.renew()
        return [WakeAt(None, EXPIRY), *self._meet(state, thing, now)]

    def _open(self, state: WorkflowState, now: float) -> list[Command]:
        """Start as soon as everything that is referred to has been read."""
        reads = opening.read_more(state)
        if reads or state.reading:
            return reads
        opening.open_run(state, self.settings)
        self._heed_spec(state)
        try:
            asked = locks.ask_whole(state)
        except BadLock as error:
            raise opening.Unfit(f"{NO_LOCK} {error}") from error
        return [*asked, *self._begin(state, now)] if asked else self._start(state, now)

    def _start(self, state: WorkflowState, now: float) -> list[Command]:
        """Nothing keeps it from running any more, but that its locks may not be on record yet."""
        commands = opening.start(state, now)
        self._limit(state)
        commands += writing.flush(state)
        return commands if state.claims_wanted else [*commands, *self._begin(state, now)]

    def _begin(self, state: WorkflowState, now: float) -> list[Command]:
        """Start the first node, unless the workflow is suspended or stopped before it could (SYNC-8)."""
        if locks.holds_back(state) and state.stopping != "Terminate":
            return []
        if state.root is not None:
            return []
        begun = state.running.name in state.running.known
        state.running.shutdown = state.stopping
        if state.stopping and not begun:
            ending.conclude(state, "Failed", f"Stopped with strategy '{state.stopping}'", now)
            return writing.flush(state)
        if state.suspended and not begun and not state.running.past_deadline:
            return []
        known = state.running.known.get(state.running.name)
        if known is not None and known.ended:
            state.root = known
            return self._after(state, now)
        state.root = NodeStatus(id=state.running.name, name=state.running.name)
        return opening.spawn_root(state)

    def _heed_spec(self, state: WorkflowState) -> None:
        spec = (state.object or {}).get("spec") or {}
        state.stopping = spec.get("shutdown") or ""
        state.suspended = bool(spec.get("suspend"))

    def _retire(self, state: WorkflowState) -> list[Command]:
        """The workflow is over: it goes when its time has come (TTL-1)."""
        assert state.object is not None
        status = state.object.get("status") or {}
        spec = status.get("storedWorkflowTemplateSpec") or state.object.get("spec")
        state.expiry = expires_at(state.object, spec)
        return [WakeAt(state.expiry, EXPIRY)] if state.expiry is not None else []

    def _limit(self, state: WorkflowState) -> None:
        """Pods ask for permission once something may hold them back (PAR-3, SUS-6)."""
        limit = state.running.spec.get("parallelism")
        if limit is None and not state.suspended and state.gate is None:
            return
        if state.gate is None:
            state.gate = Gate(None if limit is None else int(limit))
            state.gate.restore(state.running.recorded_inside(None))
        state.gate.held = state.suspended
        state.running.permits = True

    def _take_in(self, state: WorkflowState, thing: Object, now: float) -> list[Command]:
        """Somebody else's newer object: its edits become messages (status is an input too)."""
        assert state.object is not None
        if not newer(thing, state.object):
            return []
        state.object = thing
        if state.closed and not is_completed(thing):
            state.reopened = thing
        if state.run is None or state.reopened is not None:
            return []
        was_stopping, was_suspended = state.stopping, state.suspended
        self._heed_spec(state)
        edits = state.journal.edits(nodes_of(thing.get("status") or {}))
        commands: list[Command] = [Tell(state.running.node_address(edit.id), Edited(edit)) for edit in edits]
        if state.suspended != was_suspended:
            self._limit(state)
            commands += [*locks.suspension_changed(state), *self._resume(state, now)]
        if state.stopping and state.stopping != was_stopping and not state.ended:
            commands += self._shut_down(state, now)
        if state.journal.dirty:
            commands += writing.changed(state, self.settings, now)
        return commands

    def _resume(self, state: WorkflowState, now: float) -> list[Command]:
        if state.suspended or state.ended:
            return []
        admitted = state.gate.admit() if state.gate is not None else []
        commands: list[Command] = [Tell(state.running.node_address(node_id), Permit()) for node_id in admitted]
        return commands if state.claims_wanted else [*commands, *self._begin(state, now)]

    def _shut_down(self, state: WorkflowState, now: float) -> list[Command]:
        """Tell everything that runs; exit handlers survive a Stop (OP-1, OP-2)."""
        run = state.running
        run.shutdown = state.stopping
        if state.root is None or not state.live:
            return [*self._begin(state, now)] if state.root is None else self._after(state, now)
        return [Tell(run.node_address(child), Shutdown(state.stopping), urgent=True) for child in state.live]

    # ------------------------------------------------------------------------------------------ its nodes

    def _told(self, state: WorkflowState, sender: Address, word: Any, now: float) -> list[Command]:
        match word:
            case NodeChanged(status, parent, wants_record):
                state.journal.change(status, parent, wants_record=wants_record)
                export(state, status)
                written = [*locks.node_changed(state, status), *writing.changed(state, self.settings, now)]
                return [*written, *self._daemon_changed(state, status, now)]
            case Edge(parents, child):
                state.journal.edge(parents, child)
                return writing.changed(state, self.settings, now)
            case ChildChanged(status):
                return self._child_changed(state, status, now)
            case WantsPermit(node_id):
                admitted = state.gate.ask(node_id) if state.gate is not None else [node_id]
                return [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
            case ReturnsPermit(node_id):
                admitted = state.gate.leave(node_id) if state.gate is not None else []
                return [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
            case WantsLocks(node_id, keys):
                return locks.wants(state, node_id, keys)
            case LockGranted() | LockAwaited() | LockRefused() | SayAgain():
                return self._of_locks(state, word, now)
        del sender
        return []

    def _of_locks(self, state: WorkflowState, word: locks.Answer, now: float) -> list[Command]:
        """The lock room answers; what it gives is written at once, since others may wait for what begins with it."""
        commands = locks.heard(state, word)
        whole = not isinstance(word, SayAgain) and word.node_id == WHOLE
        if whole and isinstance(word, LockRefused) and not state.ended:
            raise opening.Unfit(f"{NO_LOCK} {word.message}")
        if whole and isinstance(word, LockGranted) and not state.started_at and not state.ended:
            return [*commands, *self._start(state, now)]
        return [*commands, *(writing.flush(state) if whole or state.locks.open else [])]

    def _daemon_changed(self, state: WorkflowState, status: NodeStatus, now: float) -> list[Command]:
        """Keep count of the daemons that serve; the end may have waited for the last of them."""
        if status.type == "Pod" and status.daemoned and not status.ended:
            state.daemons.add(status.id)
        elif status.id in state.daemons:
            state.daemons.discard(status.id)
            return self._after(state, now)
        waited_for = state.root is not None and state.root.ended and not state.journal.unended
        return self._after(state, now) if waited_for and status.ended else []

    def _child_changed(self, state: WorkflowState, status: NodeStatus, now: float) -> list[Command]:
        """The first node, the exit handler or a hook is in a new state."""
        if state.root is not None and status.id == state.root.id:
            state.root = status
        elif status.id in state.hooks:
            state.hooks[status.id] = status
        elif state.exit_node is not None and status.id == state.exit_node.id:
            state.exit_node = status
        return self._after(state, now)

    def _after(self, state: WorkflowState, now: float) -> list[Command]:
        before = state.ended
        commands = ending.review(state, now)
        if state.ended and not before:
            commands += writing.changed(state, self.settings, now, at_once=True)
        return commands

    def _crashed(self, state: WorkflowState, child: Address, detail: str, now: float) -> list[Command]:
        """The actor of the first node, a hook or the exit handler crashed: that node is an Error."""
        known = state.journal.statuses.get(child.part, NodeStatus(id=child.part, name=child.part))
        if known.ended:
            return []
        stamp = rfc3339(now)
        status = msgspec.structs.replace(
            known, phase="Error", message=detail, started_at=known.started_at or stamp, finished_at=stamp
        )
        state.journal.change(status, "")
        return [
            *locks.node_changed(state, status),
            *writing.changed(state, self.settings, now),
            *self._child_changed(state, status, now),
        ]

    # ------------------------------------------------------------------------------------------ answers

    def _done(self, state: WorkflowState, command: Command, result: Any, now: float) -> list[Command]:
        match command:
            case WriteStatus():
                return self._written(state, result, now)
            case Read(tag=opening.GATHER):
                state.found[command.ref] = result
                state.reading.discard(command.ref)
                return self._open(state, now)
            case Read(tag=writing.REREAD):
                commands = self._take_in(state, result, now)
                return [*commands, *writing.flush(state)]
            case Create(tag=opening.CLAIM):
                return self._claim_made(state, command, now)
            case Create(tag=disruption.BUDGET) | Read(tag=disruption.BUDGET) | Delete(tag=disruption.BUDGET):
                return disruption.answered(state, command, result)
        return []

    def _written(self, state: WorkflowState, result: Object, now: float) -> list[Command]:
        held_back = locks.holds_back(state)
        state.write_took_s = max(0.0, now - state.sent_at)
        commands = [*writing.acknowledged(state, result), *locks.recorded(state)]
        if held_back and not locks.holds_back(state) and not state.closed and not state.claims_wanted:
            commands += self._begin(state, now)
        pending, state.pending = state.pending, None
        if pending is not None:
            commands += self._take_in(state, pending, now)
        if state.closed:
            commands += [*ending.over(state), *self._retire(state)]
        if state.ended and not state.closed:
            return [*commands, *writing.flush(state)]
        if state.journal.dirty or state.locks.open:
            commands += writing.changed(state, self.settings, now, at_once=bool(state.locks.open))
        return commands

    def _claim_made(self, state: WorkflowState, command: Create, now: float) -> list[Command]:
        state.claims_wanted.discard(command.object["metadata"]["name"])
        if state.claims_wanted:
            return []
        state.status_extra["persistentVolumeClaims"] = opening.claims_status(state)
        return [*writing.changed(state, self.settings, now), *self._begin(state, now)]

    def _failed(self, state: WorkflowState, command: Command, error: api.ApiError, now: float) -> list[Command]:
        match command:
            case WriteStatus():
                return writing.refused(state, error, now)
            case Read(tag=opening.GATHER) if isinstance(error, api.Gone):
                state.found[command.ref] = None
                state.reading.discard(command.ref)
                return self._open(state, now)
            case Read(tag=opening.GATHER):
                state.reading.discard(command.ref)
                return [WakeAt(now + RETRY_READ_S, opening.GATHER)]
            case Read(tag=writing.REREAD):
                return [] if isinstance(error, api.Gone) else [WakeAt(now + RETRY_READ_S, writing.REREAD)]
            case Create(tag=opening.CLAIM):
                return self._claim_refused(state, command, error, now)
            case Create(tag="budget") | Read(tag="budget") | Delete(tag="budget"):
                return disruption.refused(state, command, error, now)
            case Delete(tag="expiry"):
                return [WakeAt(now + RETRY_READ_S, EXPIRY)]
        return []

    def _claim_refused(self, state: WorkflowState, command: Create, error: api.ApiError, now: float) -> list[Command]:
        if isinstance(error, api.AlreadyExists):
            return self._claim_made(state, command, now)
        if isinstance(error, api.Refused) and "exceeded quota" not in error.message:
            raise opening.Unfit(f"pvc create error: {error.message}", "Error")
        state.message = f"Waiting for a PVC to be created. {error.message}"
        return [WakeAt(now + RETRY_READ_S, f"{opening.CLAIM}:{command.object['metadata']['name']}")]

    def _woke(self, state: WorkflowState, tag: str, now: float) -> list[Command]:
        match tag:
            case writing.FLUSH:
                return [*writing.flush(state), *self._after(state, now)]
            case writing.REREAD:
                return [Read(state.ref, writing.REREAD)]
            case opening.GATHER:
                return self._open(state, now) if state.run is None else []
            case opening.DEADLINE:
                return self._deadline(state, now)
            case "expiry":
                return [Delete(state.ref, propagation="Background", tag=EXPIRY)]
        return opening.claim_again(state, tag.partition(":")[2]) if tag.startswith(f"{opening.CLAIM}:") else []

    def _deadline(self, state: WorkflowState, now: float) -> list[Command]:
        """Everything but the exit handler fails (TMO-1)."""
        if state.ended or state.run is None:
            return []
        state.running.past_deadline = True
        if state.root is None and not state.claims_wanted:  # suspended before it began: what begins now fails at once
            return self._begin(state, now)
        return [Tell(state.running.node_address(child), DeadlineExceeded()) for child in state.live]
