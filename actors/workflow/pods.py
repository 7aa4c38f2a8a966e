"""The pods of a workflow that nobody has let go yet, whatever the record knows of them.

A controller may die between making a pod and writing that down. So the workflow is told of all its pods: those that it
finds when it begins have their places in every limit, and those that nobody answers for once all is over are ended and
released. (§5: a pod that exists wins over a status that does not know it yet.)
"""

from __future__ import annotations

from actors.gate import PERMITS
from actors.messages import FoundOver, NodeStatus, Permit, Phase
from actors.names import ids, labels
from actors.run import Leftover
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Spawn, Tell, WakeAt
from runtime.objects import Object

PLACES = "places"  # the wake-up
GIVE_WAY_S = 60.0  # a place is kept for so long for a pod whose node cannot begin
SHOWN = "shown"  # likewise
SHOWN_S = 60.0  # so long after a crash the cache may lag behind what was asked for before it
BOUNDARIES = frozenset({"Steps", "DAG"})


def seen(state: WorkflowState, pod: Object) -> list[Command]:
    """A pod is now so; one that was let go is nobody's business any more."""
    meta = pod["metadata"]
    notes = meta.get("annotations") or {}
    node_id, name = notes.get(labels.NODE_ID, ""), notes.get(labels.NODE_NAME, "")
    if ids.node_id(state.address.name, name) != node_id:
        return []  # an agent's, a collector's: no node's
    if state.limits.node_events_as_pod:
        state.pod_uids[node_id] = (meta["name"], meta["uid"])
    kept = labels.FINALIZER_POD_STATUS in (meta.get("finalizers") or ())
    if (meta.get("labels") or {}).get(labels.COMPLETED) == "true" and not kept:
        commands = gone(state, pod)
        strategy = notes.get(labels.POD_GC_STRATEGY, "").partition("/")[0]
        spared = strategy == "OnWorkflowSuccess"  # by a run that failed, if there was one
        if strategy and (spared or not _is_on_record(state, node_id)):
            state.let_go[node_id] = (meta["name"], name, spared)
        return commands
    over = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    if node_id not in state.pods:  # after one of this name that was let go: it is another, and has nobody yet
        state.swept.discard(node_id)
    state.pods[node_id] = (meta["name"], name, not over)
    return _over(state, name) if over else []


def gone(state: WorkflowState, pod: Object | None) -> list[Command]:
    """A pod is no longer there."""
    notes = ((pod or {}).get("metadata") or {}).get("annotations") or {}
    state.pods.pop(notes.get(labels.NODE_ID, ""), None)
    state.pod_uids.pop(notes.get(labels.NODE_ID, ""), None)
    state.let_go.pop(notes.get(labels.NODE_ID, ""), None)
    return _over(state, notes.get(labels.NODE_NAME, ""))


def _over(state: WorkflowState, name: str) -> list[Command]:
    """A pod has ended. If it was found at a restart and its node has not begun again, its places are free: what comes
    before that node may need one, because nothing of its end was on record."""
    run = state.run
    if run is None or name not in run.found:
        return []
    del run.found[name]
    run.found_over.append(name)
    holder = ids.node_id(run.name, ids.without_attempt(name))
    admitted = state.gate.vacate(holder) if state.gate is not None else []
    return [*_permits(state, admitted), *_tell_around(state, FoundOver(name))]


def woke(state: WorkflowState, tag: str, now: float) -> list[Command]:
    """All who were about to ask for a place have asked; or a minute has passed: of a life that found pods, or of one
    that is over and follows a crash."""
    if tag == PERMITS:
        return _permits(state, state.gate.let_in()) if state.gate is not None else []
    if tag == PLACES:
        return give_way(state, now)
    state.patient = True
    return []


def give_way(state: WorkflowState, now: float) -> list[Command]:
    """Where every place is kept for pods that were found, and the nodes of those wait for one that waits for a place,
    the limit gives way: nothing would ever move again."""
    run = state.run
    known = state.journal.statuses
    unheard = [name for name in run.found if ids.node_id(run.name, name) not in known] if run is not None else []
    commands: list[Command] = []
    for name in unheard:
        if state.gate is not None and state.gate.stuck:
            holder = ids.node_id(state.address.name, ids.without_attempt(name))
            commands += _permits(state, state.gate.vacate(holder))
        commands += _tell_around(state, FoundOver(name, over=False))
    return [*commands, WakeAt(now + GIVE_WAY_S, PLACES)] if unheard else []


def _permits(state: WorkflowState, admitted: list[str]) -> list[Command]:
    return [Tell(state.running.node_address(entry), Permit()) for entry in admitted]


def _tell_around(state: WorkflowState, word: FoundOver) -> list[Command]:
    """Tell all steps and dags that a node is in."""
    run, name = state.running, word.name
    commands: list[Command] = []
    around = [ids.node_id(run.name, name[:at]) for at in range(1, len(name)) if name[at] in "[.("]
    for one in around:
        status = state.journal.statuses.get(one)
        if status is not None and status.type in BOUNDARIES and not status.ended:
            commands.append(Tell(run.node_address(one), word))
    return commands


def held(state: WorkflowState) -> bool:
    """Whether there are still pods to be let go, of a workflow that this life has run."""
    return bool(state.run or state.former) and bool(state.pods)


def take_places(state: WorkflowState, now: float) -> list[Command]:
    """Pods that work already have their places in every limit before anybody asks for one."""
    run = state.running

    def counts(name: str) -> bool:
        """Whose end is on record asks for nothing any more: a place would stay its own for ever."""
        nodes = [run.known.get(ids.node_id(run.name, each)) for each in {name, ids.without_attempt(name)}]
        return not any(node is not None and node.ended for node in nodes)

    found = [(name, works) for _, name, works in state.pods.values() if counts(name)]
    run.found = dict.fromkeys(name for name, works in found if works)
    run.found_over = [name for name, works in found if not works]
    if state.gate is not None:
        state.gate.owed.update(ids.node_id(run.name, ids.without_attempt(name)) for name in run.found_over)
        holders = [ids.without_attempt(name) for name in run.found]
        state.gate.restore({ids.node_id(run.name, holder): holder for holder in holders})
    unheard = any(ids.node_id(run.name, name) not in run.known for name in run.found)
    return [WakeAt(now + GIVE_WAY_S, PLACES)] if unheard else []


def _is_on_record(state: WorkflowState, node_id: str) -> bool:
    """Whether the record has that node: then whoever looks after it is known."""
    run = state.run or state.former
    return node_id in state.journal.statuses or (run is not None and node_id in run.known)


def nobodys(state: WorkflowState) -> list[Command]:
    """All is over and on record, and nobody lives below: what is not let go by now is looked after, once each. So is
    what was let go and not collected, if the record does not know it: whoever did so may have died before. And what a
    run that failed has left, when a retry of it is the success after which podGC wants all away."""
    run = state.run or state.former
    if run is None:
        return []
    commands: list[Command] = []
    ended_phase = state.phase or ((state.object or {}).get("status") or {}).get("phase") or ""
    uncollected = {
        node_id: (pod, name)
        for node_id, (pod, name, spared) in state.let_go.items()
        if spared or not _is_on_record(state, node_id)
    }
    for node_id, (pod, name) in {**{key: held[:2] for key, held in state.pods.items()}, **uncollected}.items():
        if node_id in state.swept:
            continue
        state.swept.add(node_id)
        phase: Phase = "Failed"
        known = state.journal.statuses.get(node_id) or run.known.get(node_id)
        known = known or NodeStatus(id=node_id, name=name, type="Pod", phase=phase)
        commands.append(Spawn(run.node_address(node_id), Leftover(run, known, ended_phase, pod)))
    return commands
