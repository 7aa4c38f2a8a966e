"""The pods of a workflow that nobody has let go yet, whatever the record knows of them.

A controller may die between making a pod and writing that down. So the workflow is told of all its pods: those that it
finds when it begins have their places in every limit, and those that nobody answers for once all is over are ended and
released. (§5: a pod that exists wins over a status that does not know it yet.)
"""

from __future__ import annotations

from actors.messages import NodeStatus, Phase
from actors.names import ids, labels
from actors.run import Leftover
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Spawn
from runtime.objects import Object


def seen(state: WorkflowState, pod: Object) -> list[Command]:
    """A pod is now so; one that was let go is nobody's business any more."""
    meta = pod["metadata"]
    notes = meta.get("annotations") or {}
    node_id, name = notes.get(labels.NODE_ID, ""), notes.get(labels.NODE_NAME, "")
    if ids.node_id(state.address.name, name) != node_id:
        return []  # an agent's, a collector's: no node's
    kept = labels.FINALIZER_POD_STATUS in (meta.get("finalizers") or ())
    if (meta.get("labels") or {}).get(labels.COMPLETED) == "true" and not kept:
        return gone(state, pod)
    over = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    state.pods[node_id] = (meta["name"], name, not over)
    return []


def gone(state: WorkflowState, pod: Object | None) -> list[Command]:
    """A pod is no longer there."""
    notes = ((pod or {}).get("metadata") or {}).get("annotations") or {}
    state.pods.pop(notes.get(labels.NODE_ID, ""), None)
    return []


def held(state: WorkflowState) -> bool:
    """Whether there are still pods to be let go, of a workflow that this life has run."""
    return state.run is not None and bool(state.pods)


def take_places(state: WorkflowState) -> None:
    """Pods that work already have their places in every limit before anybody asks for one."""
    run = state.running

    def counts(name: str) -> bool:
        """Whose end is on record asks for nothing any more: a place would stay its own for ever."""
        nodes = [run.known.get(ids.node_id(run.name, each)) for each in {name, ids.without_attempt(name)}]
        return not any(node is not None and node.ended for node in nodes)

    run.found = [name for _, name, works in state.pods.values() if works and counts(name)]
    if state.gate is not None:
        state.gate.restore(ids.node_id(run.name, ids.without_attempt(name)) for name in run.found)


def nobodys(state: WorkflowState) -> list[Command]:
    """All is over and on record, and nobody lives below: what is not let go by now is looked after, once each."""
    if state.run is None:
        return []
    commands: list[Command] = []
    for node_id, (pod, name, _) in state.pods.items():
        if node_id in state.swept:
            continue
        state.swept.add(node_id)
        phase: Phase = "Failed"
        known = state.journal.statuses.get(node_id) or NodeStatus(id=node_id, name=name, type="Pod", phase=phase)
        leftover = Leftover(state.run, known, state.phase, pod)
        commands.append(Spawn(state.run.node_address(node_id), leftover))
    return commands
