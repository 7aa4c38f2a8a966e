"""From a workflow's first event to its first node: met, given its turn, read, judged, locked, begun.

Every stage may have to wait; whoever ends the wait calls the next one. Start is restart: a workflow found under way
goes through the same stages, and those that are on record cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.gate import Gate
from actors.lock_messages import BadLock
from actors.names import ids
from actors.names.timestamps import rfc3339
from actors.packing import VERSION, version_of
from actors.unheard import unspoken
from actors.workflow import collecting, ending, estimates, guard, locks, offloading, opening, pods, turn, writing
from actors.workflow.leftovers import leftovers_of_finished, run_of_finished
from actors.workflow.retention import expires_at
from actors.workflow.state import WorkflowState, is_completed, newer
from runtime.messages import Command, Read, Spawn, Tell, WakeAt
from runtime.objects import Object

EXPIRY, BIRTH = "expiry", "birth"
NODES = frozenset({"nodes", "compressedNodes", VERSION})  # where a status may have them
NO_LOCK = "Failed to acquire the synchronization lock."


@dataclass(frozen=True, slots=True)
class Begin:
    """Said by the workflow's actor to itself: everything that was there before it has been told by now."""


@dataclass(frozen=True, slots=True)
class Met:
    """Likewise, of a workflow that was found finished: its pods have been told of by now."""


def look(state: WorkflowState, thing: Object, now: float) -> list[Command]:
    """The workflow is there. After a crash only a live look is believed: the cache may not have what was written."""
    if not state.reborn:
        return meet(state, thing, now)
    if state.looking:
        return []
    state.looking = True
    return [Read(state.ref, BIRTH)]


def newest(state: WorkflowState, thing: Object) -> Object:
    """What was read, or what the cache has shown since: an answer may be older than that, and nobody shows it again."""
    shown = state.shown
    return shown if shown is not None and newer(shown, thing) and not newer(thing, shown) else thing


def meet(state: WorkflowState, thing: Object, now: float) -> list[Command]:
    """The workflow is seen for the first time in this life."""
    if is_completed(thing):
        former = run_of_finished(state.address, thing, now)
        found = offloading.whole(state, thing) if former is not None else thing
        if found is None:
            return offloading.load(state, thing)
        offloading.taken_in(state)
        state.object, state.ended, state.closed = thing, True, True
        state.former = former if found is thing else run_of_finished(state.address, found, now)
        left = leftovers_of_finished(state.former, found) if state.former is not None else []
        state.acquainted = False
        return [*retire(state), *left, *collecting.collect(state), Tell(state.address, Met())]
    state.object = thing
    state.locks = locks.Ledger.of(thing.get("status") or {}, state.address)
    found = thing.get("status") or {}
    state.compressed, state.offload.version = bool(found.get("compressedNodes")), version_of(thing)
    state.summary_written = {key: found[key] for key in found if key not in NODES}
    state.status_extra = {key: value for key, value in state.summary_written.items() if key not in writing.COMPUTED}
    recorded = {entry.get("type"): entry.get("message") for entry in found.get("conditions") or ()}
    state.metric_errors = [recorded["MetricsError"]] if recorded.get("MetricsError") else []
    return [*(locks.reborn(state) if state.reborn else []), *wait_turn(state, now)]


def wait_turn(state: WorkflowState, now: float) -> list[Command]:
    """Ask for its turn, if it needs one; else go on."""
    asked = turn.take(state, now)
    return asked if state.turn else [*asked, *gather(state, now)]


def meet_again(state: WorkflowState, thing: Object, now: float) -> list[Command]:
    """Somebody has opened the finished workflow again, and nothing of its former life is left (OP-4)."""
    found, let_go, shown = state.pods, state.let_go, state.shown
    state.renew()
    state.pods, state.let_go, state.shown = found, let_go, shown
    return [WakeAt(None, EXPIRY), *meet(state, thing, now)]


def gather(state: WorkflowState, now: float) -> list[Command]:
    """It may begin as soon as everything that is referred to has been read."""
    reads = opening.read_more(state, now)
    if reads or state.reading:
        return reads
    assert state.object is not None
    found = offloading.whole(state, state.object)
    if found is None:
        return offloading.load(state, state.object)
    state.object, lost = found, state.offload.lost
    offloading.taken_in(state)
    if lost:
        raise opening.Unfit(f"its nodes are lost: {lost}", "Error")
    opening.open_run(state, state.limits)
    heed_spec(state)
    try:
        asked = locks.ask_whole(state)
    except BadLock as error:
        raise opening.Unfit(f"{NO_LOCK} {error}") from error
    return [*asked, *begin(state, now)] if asked else start(state, now)


def nodes_read(state: WorkflowState, now: float) -> list[Command]:
    """Its nodes have been read, or are to be asked for again, before it has begun here."""
    if state.object is None:
        awaited = state.offload.awaited
        return meet(state, newest(state, awaited), now) if awaited is not None else []
    if state.ended:
        offloading.taken_in(state)
        return writing.flush(state)
    return [] if state.run is not None or state.turn else gather(state, now)


def start(state: WorkflowState, now: float) -> list[Command]:
    """Nothing keeps it from running any more, but that its locks may not be on record yet."""
    commands = [*opening.start(state, now), *guard.again(state, now), *estimates.ask(state)]
    limit_pods(state)
    waits = bool(state.claims_wanted) or state.suspended or nothing_may_begin(state) or locks.holds_back(state)
    commands += writing.flush(state) if waits else writing.opened(state, now)
    return commands if state.claims_wanted else [*commands, Tell(state.address, Begin())]  # after the pods found


def begin(state: WorkflowState, now: float) -> list[Command]:
    """Start the first node, unless the workflow has to wait; terminated while it waits for its locks, it ends without
    one (SYNC-8). What begins after a stop makes no pods, and leaves the rest to the exit handler (EXIT-4)."""
    locked_out = locks.holds_back(state)
    if state.root is not None or state.ended or (locked_out and state.stopping != "Terminate"):
        return []
    begun = state.running.name in state.running.known
    state.running.shutdown = state.stopping
    if locked_out and not begun:
        state.started_at = state.started_at or rfc3339(now)
        ending.conclude(state, "Failed", f"Stopped with strategy '{state.stopping}'", now)
        return []
    if (state.suspended or nothing_may_begin(state)) and not (begun or state.stopping or state.running.past_deadline):
        return []
    found = [*pods.take_places(state, now), *locks.expect_asking(state, now)]
    known = state.running.known.get(state.running.name)
    if known is not None and known.ended:
        state.root = known
        return [*found, *ending.after(state, now)]  # of hooks and the exit handler
    call = opening.root_call(state)
    state.root = known or unspoken(call)
    return [*found, Spawn(call.address, call)]


def heed_spec(state: WorkflowState) -> None:
    """What the spec says of suspension and shutdown, which may change while it runs."""
    spec = (state.object or {}).get("spec") or {}
    state.stopping = "Terminate" if collecting.is_leaving(state.object or {}) else spec.get("shutdown") or ""
    state.suspended = bool(spec.get("suspend"))


def retire(state: WorkflowState) -> list[Command]:
    """The workflow is over: it goes when its time has come (TTL-1)."""
    assert state.object is not None
    state.expiry = expires_at(state.object)
    return [WakeAt(state.expiry, EXPIRY)]  # None: no longer


def nothing_may_begin(state: WorkflowState) -> bool:
    """Whether its `parallelism` lets nothing begin, not even what makes no pod (PAR-3)."""
    return bool(state.running.spec.get("parallelism") == 0)


def own_parallelism(thing: Object | None) -> int | None:
    """The limit that the workflow's own spec sets."""
    limit = ((thing or {}).get("spec") or {}).get("parallelism")
    return None if limit is None else int(limit)


def heed_parallelism(state: WorkflowState, before: int | None) -> bool:
    """Take in that somebody has edited the limit, which was another `before`; whether there may be room by now."""
    limit = own_parallelism(state.object)
    if limit == before:
        return False
    state.running.spec["parallelism"] = limit
    if limit is not None:
        limit_pods(state)
        _count(state, state.gate)
    if state.gate is not None:
        state.gate.limit = limit
    return True


def _count(state: WorkflowState, gate: Gate | None) -> None:
    """Pods that began while nobody asked for a place have theirs from now on. (All are looked at: an edit is rare.)"""
    assert gate is not None
    running = (state.journal.statuses[node_id] for node_id in state.journal.unended)
    names = {
        ids.without_attempt(node.name) for node in running if node.type == "Pod" and not node.synchronization_status
    }
    places = {ids.node_id(state.address.name, name): name for name in names}
    gate.restore({who: places[who] for who in places.keys() - gate.inside - gate.waiting.keys()})


def limit_pods(state: WorkflowState) -> None:
    """Pods ask for permission once something may hold them back (PAR-3, SUS-6)."""
    own = own_parallelism(state.object)  # of a workflow that was stored as it began, it may have been edited since
    limit = own if own is not None else state.running.spec.get("parallelism")
    if limit is None and not state.suspended and state.gate is None:
        return
    if state.gate is None:
        state.gate = Gate(None if limit is None else int(limit), patient=True)
        inside = state.running.recorded_inside(None)
        state.gate.restore({who: inside[who] for who in inside.keys() & state.running.lockers})
        state.gate.restore({who: inside[who] for who in inside.keys() - state.running.lockers}, doubtful=True)
    state.gate.held = state.suspended
    state.running.permits = True
