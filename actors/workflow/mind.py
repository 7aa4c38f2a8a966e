"""The workflow room: one actor per Workflow, from its first event to the last pod that it releases.

It reads what the workflow refers to, starts the entrypoint, keeps the journal, holds pods back where a limit says so,
and decides the end. What happens inside is its nodes' business: they tell it, it writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from actors import gate
from actors.history_messages import Baseline
from actors.lock_messages import WHOLE, LockAwaited, LockGranted, LockRefused, SayAgain, WantsLocks
from actors.messages import (
    Bereft,
    ChildChanged,
    DeadlineExceeded,
    Edge,
    ForAgent,
    Forsaken,
    NodeChanged,
    NodeStatus,
    Permit,
    ReturnsPermit,
    WantsPermit,
    WantsTemplate,
)
from actors.names.timestamps import rfc3339
from actors.turn_messages import SayTurn, TurnAwaited, TurnGiven
from actors.workflow import (
    agents,
    answers,
    beginning,
    collecting,
    edits,
    ending,
    estimates,
    events,
    forsaken,
    guard,
    locks,
    lookups,
    measures,
    offloading,
    opening,
    pods,
    turn,
    writing,
)
from actors.workflow.beginning import EXPIRY, NO_LOCK
from actors.workflow.custom_metrics import Catalogue
from actors.workflow.exports import export
from actors.workflow.state import WORKFLOWS, WorkflowSettings, WorkflowState
from actors.workflow.waits import waits_for
from runtime.messages import (
    Address,
    Ask,
    Command,
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
from runtime.objects import PODS, Object

WRITES = frozenset({WriteStatus, Ask})
DELETED_MAX = 1024  # workflows that are gone and of which the cache may not have heard: more than a second's
"""A status write: itself, or what is asked of the database before it."""


class WorkflowMind:
    """How a workflow's actor behaves."""

    def __init__(self, settings: WorkflowSettings | None = None) -> None:
        self.settings = settings or WorkflowSettings()
        self.catalogue = Catalogue()
        self._deleted: dict[str, None] = {}  # uids of workflows that are gone, though the cache may not have heard

    def birth(self, address: Address, argument: Any) -> WorkflowState:
        """A workflow of which nothing is known yet but its name."""
        del argument
        return WorkflowState(address, limits=self.settings)

    def waiting(self, state: WorkflowState) -> str:
        """What would move the workflow on."""
        return waits_for(state)

    def receive(self, state: WorkflowState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message; an unfit workflow ends with a sentence instead of starting."""
        state.limits = self.settings  # as the installation has them by now
        before = state.ended
        if isinstance(message, Down):
            state.live.discard(message.child.part)
        try:
            commands = self._react(state, message, now)
        except opening.Unfit as error:
            state.started_at = state.started_at or rfc3339(now)
            ending.conclude(state, error.phase, str(error), now)
            commands = []
        if state.reopened is not None and not state.live:
            commands = [*commands, *beginning.meet_again(state, state.reopened, now)]
        if state.gate is not None and state.gate.due:
            state.gate.due = False
            commands = [*commands, WakeAt(0.0, gate.PERMITS)]  # as soon as all who are ready have spoken
        over = state.closed and not state.live and not state.writing and state.reopened is None
        commands += [*forsaken.look_after(state), *pods.nobodys(state)] if over else []
        turns, state.journal.turns = state.journal.turns, []
        measured = measures.due(state, self.catalogue, turns, now)
        if state.ended and not before and not state.closed:  # written with what could not be measured of it (MET-2)
            commands += writing.flush(state)
        commands += [*events.due(state, self.settings, turns, now), *measured]
        for command in commands:
            kind = command.__class__
            if kind is Spawn:
                state.live.add(command.address.part)  # type: ignore[union-attr]  # the class was just compared
            elif kind in WRITES and not state.offload.saved:
                state.sent_at = now  # to keep nodes elsewhere is part of the write that names them
        kept = pods.held(state) or state.live or state.budget or state.expiry is not None
        if over and not kept and state.caught_up and state.acquainted:
            commands += _leave(state, now)
        return commands

    def _react(self, state: WorkflowState, message: Message, now: float) -> list[Command]:
        match message:
            case Observed(ref, thing) if ref.resource == WORKFLOWS:
                state.shown = thing
                return self._observed(state, thing, now)
            case Observed(ref, thing) if ref.resource == PODS:
                return [*pods.seen(state, thing), *self._after_pod(state, now)]
            case Gone(ref, last) if ref.resource == PODS:
                return [*pods.gone(state, last), *self._after_pod(state, now)]
            case Gone(ref, _) if ref.resource == WORKFLOWS:
                return [*measures.stand_still(state, now), Stop()]
            case Told(sender, word):
                return self._told(state, sender, word, now)
            case Done(command, result):
                return answers.done(state, command, result, now)
            case Failed(command, error):
                gone = answers.says_deleted(state, command, error)
                return self._leave_deleted(state, now) if gone else answers.failed(state, command, error, now)
            case Woke(tag):
                return self._woke(state, tag, now)
            case Down(child, "crashed", detail):
                return self._crashed(state, child, detail, now)
            case Started(attempt):
                state.reborn = attempt > 0
                return []
            case Observed() | Gone() | Down():
                return []
        raise AssertionError(f"unknown message {message!r}")

    def _after_pod(self, state: WorkflowState, now: float) -> list[Command]:
        """The end may wait for locks whose only trace is a pod."""
        return ending.after(state, now) if state.root is not None and state.root.ended and state.locks.claims else []

    # ------------------------------------------------------------------------------------------ the object

    def _observed(self, state: WorkflowState, thing: Object, now: float) -> list[Command]:
        if state.object is None:  # of one that is gone the cache shows an older state: it says itself when it has heard
            return [] if state.address.uid in self._deleted else beginning.look(state, thing, now)
        if state.writing:
            state.pending = thing
            return []
        return edits.take_in(state, thing, now)

    def _leave_deleted(self, state: WorkflowState, now: float) -> list[Command]:
        """The API server has no such workflow: nothing is done for it any more, and whoever is woken by what the cache
        still shows of it leaves it alone."""
        self._deleted[state.address.uid] = None
        if len(self._deleted) > DELETED_MAX:
            del self._deleted[next(iter(self._deleted))]
        return [*measures.stand_still(state, now), Stop("deleted")]

    # ------------------------------------------------------------------------------------------ its nodes

    def _told(self, state: WorkflowState, sender: Address, word: Any, now: float) -> list[Command]:
        match word:
            case NodeChanged():
                return self._node_changed(state, word, now)
            case Forsaken() | Bereft():
                return [*forsaken.heard(state, word, now), *ending.after(state, now)]
            case Edge(parents, child):
                state.journal.edge(parents, child)
                return writing.changed(state, state.limits, now)
            case ChildChanged(status):
                return self._child_changed(state, status, now)
            case WantsPermit(node_id, name, order):
                admitted = state.gate.ask(node_id, name, order) if state.gate is not None else [node_id]
                return [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
            case ReturnsPermit(node_id, _, stays):
                admitted = state.gate.leave(node_id, stays=stays) if state.gate is not None else []
                return [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
            case ForAgent():
                return agents.forward(state, word)
            case WantsTemplate():
                return lookups.wants(state, word, now)
            case beginning.Met():
                state.acquainted = True
            case beginning.Begin():
                return beginning.begin(state, now)
            case WantsLocks(node_id, keys, name):
                return locks.wants(state, node_id, keys, name)
        del sender
        return self._of_rooms(state, word, now)

    def _node_changed(self, state: WorkflowState, word: NodeChanged, now: float) -> list[Command]:
        status = word.status
        if word.crashed and state.journal.has_ended(status.id):
            return []
        state.journal.change(status, word.parent, wants_record=word.wants_record)
        export(state, status)
        written = [*locks.node_changed(state, status), *writing.changed(state, state.limits, now)]
        written += forsaken.found_below(state, status, now)
        left = status.ended and not word.unproven
        if left and state.gate is not None and status.id in state.gate.inside:  # it may have crashed
            admitted = state.gate.leave(status.id)
            written += [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
        return [*written, *self._daemon_changed(state, status, now)]

    def _of_rooms(self, state: WorkflowState, word: Any, now: float) -> list[Command]:
        """Other rooms say something: locks, turns, how long the last one took."""
        match word:
            case LockGranted() | LockAwaited() | LockRefused() | SayAgain():
                return self._of_locks(state, word, now)
            case TurnGiven() | TurnAwaited() | SayTurn():
                return self._of_turns(state, word, now)
            case Baseline():
                estimates.heard(state, word)
                return writing.changed(state, state.limits, now)
        return []

    def _of_locks(self, state: WorkflowState, word: locks.Answer, now: float) -> list[Command]:
        """The lock room answers; what it gives is written at once, since others may wait for what begins with it."""
        commands = locks.heard(state, word)
        whole = not isinstance(word, SayAgain) and word.node_id == WHOLE
        if whole and isinstance(word, LockRefused) and not state.ended:
            raise opening.Unfit(f"{NO_LOCK} {word.message}")
        if whole and isinstance(word, LockGranted) and not state.started_at and not state.ended:
            return [*commands, *beginning.start(state, now)]
        return [*commands, *(writing.flush(state) if whole or state.locks.open else [])]

    def _of_turns(self, state: WorkflowState, word: TurnGiven | TurnAwaited | SayTurn, now: float) -> list[Command]:
        """The queue room answers: the workflow goes on, or shows that it waits."""
        waited = bool(state.turn)
        commands = turn.heard(state, word, now)
        if waited and not state.turn:
            return [*commands, *beginning.gather(state, now)]
        return [*commands, *(writing.flush(state) if waited else [])]

    def _daemon_changed(self, state: WorkflowState, status: NodeStatus, now: float) -> list[Command]:
        """Keep count of the daemons that serve; the end may have waited for the last of them."""
        if status.type == "Pod" and status.daemoned and not status.ended:
            state.daemons.add(status.id)
        elif status.id in state.daemons:
            state.daemons.discard(status.id)
            return ending.after(state, now)
        waited_for = state.root is not None and state.root.ended and not state.journal.unended
        return ending.after(state, now) if waited_for and status.ended else []

    def _child_changed(self, state: WorkflowState, status: NodeStatus, now: float) -> list[Command]:
        """The first node, the exit handler or a hook is in a new state."""
        if state.root is not None and status.id == state.root.id:
            state.root = status
        elif status.id in state.hooks:
            state.hooks[status.id] = status
        elif state.exit_node is not None and status.id == state.exit_node.id:
            state.exit_node = status
        return ending.after(state, now)

    def _crashed(self, state: WorkflowState, child: Address, detail: str, now: float) -> list[Command]:
        """The actor of the first node, a hook or the exit handler crashed: that node is an Error."""
        if collecting.is_collector(child):
            return collecting.crashed(now)
        if agents.is_agent(state, child):
            return agents.crashed(state, detail)
        known = state.journal.statuses.get(child.part) or state.called(child.part)
        if known is None or known.ended:  # or of no node at all: it only looked after a pod
            return [*forsaken.heard(state, Bereft(child.part), now), *ending.after(state, now)]
        stamp = rfc3339(now)
        status = msgspec.structs.replace(
            known, phase="Error", message=detail, started_at=known.started_at or stamp, daemoned=False,
            finished_at=max(known.started_at or stamp, stamp), synchronization_status=None,  # clocks may differ
        )  # fmt: skip
        state.journal.change(status, "")
        return [
            *locks.node_changed(state, status),
            *writing.changed(state, state.limits, now),
            *forsaken.end_below(state, status.id, now),
            *self._child_changed(state, status, now),
        ]

    # ------------------------------------------------------------------------------------------ answers

    def _woke(self, state: WorkflowState, tag: str, now: float) -> list[Command]:
        match tag:
            case writing.FLUSH:
                return [*writing.flush(state), *ending.after(state, now)]
            case gate.PERMITS | pods.PLACES | pods.SHOWN:
                return pods.woke(state, tag, now)
            case collecting.COLLECT:
                return collecting.collect(state)
            case offloading.NODES:
                return offloading.again(state) or beginning.nodes_read(state, now)
            case writing.REREAD:
                state.offload.rests = False
                return [Read(state.ref, writing.REREAD)]
            case opening.GATHER:
                return beginning.gather(state, now) if state.run is None else []
            case opening.DEADLINE:
                return self._deadline(state, now)
            case guard.GUARD:
                return guard.look(state)
            case turn.REST:
                return beginning.wait_turn(state, now) if state.turn else []
            case beginning.BIRTH:
                return [Read(state.ref, beginning.BIRTH)]
            case "expiry":
                return [Delete(state.ref, propagation=state.limits.propagation, tag=EXPIRY)]
        return self._woke_for(state, tag, now)

    def _woke_for(self, state: WorkflowState, tag: str, now: float) -> list[Command]:
        """It is time for a lock to go back, for a template to be read again, or for a volume to be claimed again."""
        if tag == lookups.LOOKUP:
            return lookups.again(state)
        if tag == locks.UNASKED:
            freed, commands = locks.unclaimed(state, now)
            return [*commands, *(writing.changed(state, state.limits, now) if freed else [])]
        return opening.claim_again(state, tag.partition(":")[2]) if tag.startswith(f"{opening.CLAIM}:") else []

    def _deadline(self, state: WorkflowState, now: float) -> list[Command]:
        """Everything but the exit handler fails (TMO-1)."""
        if state.ended or state.run is None:
            return []
        state.running.past_deadline = True
        if state.root is None and not state.claims_wanted:  # suspended before it began: what begins now fails at once
            return beginning.begin(state, now)
        return [Tell(state.running.node_address(child), DeadlineExceeded()) for child in sorted(state.live)]


def _leave(state: WorkflowState, now: float) -> list[Command]:
    """Nothing is left to do: stop. After a crash the cache may still have to show pods that the life before asked for,
    which nobody else would let go."""
    if not state.reborn or state.patient:
        return [Stop()]
    waits, state.patient = state.patient is None, False
    return [WakeAt(now + pods.SHOWN_S, pods.SHOWN)] if waits else []
