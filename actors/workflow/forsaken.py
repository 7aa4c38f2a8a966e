"""What stood below a node whose actor crashed has no actor any more either: what has not ended is an Error.

Children end before their parent, silently; nobody else would ever say of them what has become of them, and the end of
the workflow waits for every node. Those that had not begun are on no record: what they had been given, and what they
wait for, is known by their names. Their pods are ended when all is over, as those of all nodes that nobody answers for.
"""

from __future__ import annotations

import msgspec

from actors.messages import EXECUTABLE, Bereft, Forsaken, NodeStatus, Permit, ReturnsPermit
from actors.names.timestamps import rfc3339
from actors.run import FAIL_FAST, Leftover
from actors.workflow import locks, writing
from actors.workflow.journal import WHOLE
from actors.workflow.pods import BOUNDARIES
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Spawn, Tell


def heard(state: WorkflowState, word: Forsaken | Bereft, now: float) -> list[Command]:
    """The actor of a node has crashed: that of one that was under way, or of any. A daemon below serves nobody more."""
    if isinstance(word, Forsaken):
        return end_below(state, word.node_id, now)
    state.bereft.add(word.node_id)
    return _end_below(state, word.node_id, now, daemons=True) if word.node_id in state.journal.statuses else []


def end_below(state: WorkflowState, node_id: str, now: float) -> list[Command]:
    """The actor of a node has crashed: end all that is under way below it, in its phase, with its message, and give
    back what those had."""
    state.bereft.add(node_id)
    above = state.journal.statuses.get(node_id)
    returned = _give_back(state, above) if above is not None else []  # first: what others give back is not for these
    ended = _end_below(state, node_id, now, daemons=True)
    return [*returned, *ended, *writing.changed(state, state.limits, now)]


def _end_below(state: WorkflowState, node_id: str, now: float, *, daemons: bool) -> list[Command]:
    known = state.journal.statuses
    commands: list[Command] = []
    for below, status in list(known.items()):  # also those that have not said anything since a restart
        serves = status.daemoned and below in state.journal.unended  # in this life: whoever it serves will end it
        if not status.ended and (daemons or not serves) and node_id in _above(state, below):
            recorded = state.running.known.get(below)
            stands = recorded is not None and recorded.ended  # it was only to be looked at once more
            commands += _end(state, recorded if recorded and stands else _lost(status, known[node_id], now))
    return [*commands, *writing.changed(state, state.limits, now)] if commands else []


def _give_back(state: WorkflowState, above: NodeStatus) -> list[Command]:
    """What nodes below it wait for, or were given, before they were on record: of all, and of the boundary around."""
    admitted = state.gate.forsake(above.name) if state.gate is not None else []
    permits = [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
    statuses = [state.journal.statuses.get(one) for one in _above(state, above.id)]
    around = [status for status in statuses if status is not None and status.type in BOUNDARIES][:1]
    told = [Tell(state.running.node_address(one.id), Forsaken(above.id, above.name)) for one in around]
    return [*locks.forsake(state, above.name), *permits, *told]


def found_below(state: WorkflowState, status: NodeStatus, now: float) -> list[Command]:
    """The same where a node was stopped that had not begun again since a restart: it had nobody to pass that on to."""
    composite = status.failed and status.type not in EXECUTABLE
    return _end_below(state, status.id, now, daemons=False) if composite and status.id in state.running.known else []


def look_after(state: WorkflowState) -> list[Command]:
    """All is over: the pods of nodes whose actors went with one that crashed may not have been let go, and the cache
    need not have shown them, but others of their names before them. Each is looked after once."""
    bereft, state.bereft = state.bereft, set()
    if not bereft:
        return []
    run = state.running
    left: list[Command] = []
    for status in state.journal.statuses.values():
        if status.type != "Pod" or status.id in state.swept:
            continue
        if not bereft.isdisjoint((status.id, *_above(state, status.id))):
            state.swept.add(status.id)
            pod, *_ = state.pods.get(status.id, ("",))
            left.append(Spawn(run.node_address(status.id), Leftover(run, status, state.phase, pod, unseen=True)))
    return left


def at_start(state: WorkflowState, now: float) -> set[str]:
    """The same after a restart, when all that the record says is that the node above them has ended; a daemon serves
    until its boundary has. Whose end is thereby to be written: their pods are let go after that."""
    known, journal = state.running.known, state.journal
    unwritten: set[str] = set()
    for node_id, status in list(known.items()):
        above = [known[one] for one in _above(state, node_id) if one in known]
        ends = [one for one in above if one.ended and (one.type in BOUNDARIES or not status.daemoned)]
        if ends and not status.ended:
            known[node_id] = _served(status, now) if status.daemoned else _lost(status, ends[0], now)
            journal.change(known[node_id], "", wants_record=status.type == "Pod")
            unwritten.add(node_id)
    return unwritten


def _above(state: WorkflowState, node_id: str) -> list[str]:
    chain, at = [], state.journal.parents.get(node_id, WHOLE)
    while at != WHOLE:
        chain.append(at)
        at = state.journal.parents.get(at, WHOLE)
    return chain


def _end(state: WorkflowState, status: NodeStatus) -> list[Command]:
    state.journal.change(status, "")
    state.daemons.discard(status.id)
    admitted = state.gate.leave(status.id) if state.gate is not None else []
    permits = [Tell(state.running.node_address(entry), Permit()) for entry in admitted]
    if status.boundary_id:  # whose place it may have had
        word = ReturnsPermit(status.id, failed=status.type in FAIL_FAST)
        permits.append(Tell(state.running.node_address(status.boundary_id), word))
    return [*locks.node_changed(state, status), *permits]


def _served(known: NodeStatus, now: float) -> NodeStatus:
    stamp = max(known.started_at or "", rfc3339(now))
    return msgspec.structs.replace(known, phase="Succeeded", message="", finished_at=stamp, daemoned=False)


def _lost(known: NodeStatus, above: NodeStatus, now: float) -> NodeStatus:
    stamp = rfc3339(now)
    phase = above.phase if above.failed else "Error"
    return msgspec.structs.replace(
        known, phase=phase, message=above.message, started_at=known.started_at or stamp,
        finished_at=max(known.started_at or stamp, stamp), synchronization_status=None, daemoned=False,
    )  # fmt: skip
