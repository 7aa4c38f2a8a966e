"""One actor for each pod that is deleted and still held by our finalizer: is its workflow there to let it go? (PGC-4)

A pod whose outputs are wanted is held until they are on record. When its workflow has been deleted there is no record
any more, and nobody whose business the pod is: it would stay for ever, and its namespace with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from actors.names import labels
from actors.names.resources import WORKFLOW
from runtime.api import Gone as Absent
from runtime.messages import Address, Command, Done, Failed, Gone, Message, Observed, Patch, Read, Stop, WakeAt, Woke
from runtime.objects import PODS, Object, Reference, Resource, reference

WORKFLOWS = Resource(*WORKFLOW)
ROOM = "orphan"
LOOK, FREE = "orphan:look", "orphan:free"
PATIENCE_S = 5.0  # within which the workflow, if it lives, has let go of a pod that has ended
AGAIN_S = 60.0  # between looks at a workflow that is there
RETRY_S = 5.0


@dataclass
class OrphanState:
    """The pod, as last seen."""

    address: Address
    pod: Object | None = None
    alone: bool = False  # its workflow is known to be gone


def orphan_address(pod: Object) -> Address | None:
    """A pod that is deleted and held is an actor's business; all others are not."""
    meta = pod["metadata"]
    held = labels.FINALIZER_POD_STATUS in (meta.get("finalizers") or ())
    if not held or not meta.get("deletionTimestamp") or _owner(pod) is None:
        return None
    return Address(ROOM, meta.get("namespace", ""), meta["name"], meta["uid"])


def _owner(pod: Object) -> Reference | None:
    """The workflow that the pod belongs to, that very one."""
    meta = pod["metadata"]
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == WORKFLOWS.kind:
            return Reference(WORKFLOWS, meta.get("namespace", ""), owner["name"], owner["uid"])
    return None


class OrphanMind:
    """How such an actor behaves."""

    def birth(self, address: Address, argument: object) -> OrphanState:
        """Nothing is known yet but the pod's name."""
        del argument
        return OrphanState(address)

    def waiting(self, state: OrphanState) -> str:
        """What would move it on."""
        return "for its pod to be let go" if state.alone else "for its workflow to let go of the pod, or to be gone"

    def receive(self, state: OrphanState, message: Message, now: float) -> Iterable[Command]:
        """Look for the workflow now and then; let go of the pod when there is none."""
        match message:
            case Observed(_, pod):
                first, state.pod = state.pod is None, pod
                return [WakeAt(now + PATIENCE_S, LOOK)] if first else _free(state)
            case Gone():
                return [Stop()]
            case Woke():
                return _free(state) if state.alone else _look(state)
            case Done(Read(), _):
                return [WakeAt(now + AGAIN_S, LOOK)]
            case Failed(Read(), Absent()):
                state.alone = True
                return _free(state)
            case Failed(Patch(), Absent()):
                return [Stop()]
            case Failed():
                return [WakeAt(now + RETRY_S, LOOK)]
        return []


def _look(state: OrphanState) -> list[Command]:
    owner = _owner(state.pod) if state.pod is not None else None
    return [Read(owner, LOOK)] if owner is not None else [Stop()]


def _free(state: OrphanState) -> list[Command]:
    if state.pod is None or not state.alone:
        return []
    meta = state.pod["metadata"]
    kept = [entry for entry in meta.get("finalizers") or () if entry != labels.FINALIZER_POD_STATUS]
    body = {"metadata": {"finalizers": kept or None, "resourceVersion": meta["resourceVersion"]}}
    return [Patch(reference(PODS, state.pod), body, tag=FREE)]
