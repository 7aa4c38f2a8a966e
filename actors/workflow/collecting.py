"""A workflow whose artifacts are to be deleted carries a finalizer; at its end a collector does that. (AGC-1, AGC-2)"""

from __future__ import annotations

from actors.contract.collecting import wishes
from actors.messages import LookAgain
from actors.names import ids, labels
from actors.run import CollectCall, Run
from actors.templates import TemplateLibrary
from actors.workflow.state import WorkflowState
from runtime.messages import Address, Command, Spawn, Tell, WakeAt
from runtime.objects import Object

COLLECT = "collect"  # the wake-up after a crash
AGAIN_S = 60.0


def finalizers(state: WorkflowState) -> list[str] | None:
    """The workflow's finalizers with the one that artifacts need; None when that changes nothing."""
    if state.object is None or state.run is None or state.ended:
        return None
    meta = state.object["metadata"]
    have: list[str] = meta.get("finalizers") or []
    if labels.FINALIZER_ARTIFACT_GC in have or meta.get("deletionTimestamp"):
        return None
    return [*have, labels.FINALIZER_ARTIFACT_GC] if will_collect(state, state.run) else None


def will_collect(state: WorkflowState, run: Run) -> bool:
    """Whether any of its artifacts is to be deleted one day."""
    if state.collects is None:
        templates = [template for scope in run.library.scopes.values() for template in scope.values()]
        state.collects = bool(wishes(run.spec, templates, logs=bool((run.repository or {}).get("archiveLogs"))))
    return state.collects


def note(state: WorkflowState, run: Run) -> None:
    """Say in the status whether there is something to collect, as upstream does for each workflow (AGC-2)."""
    if "artifactGCStatus" not in ((state.object or {}).get("status") or {}):
        state.status_extra["artifactGCStatus"] = {} if will_collect(state, run) else {"notSpecified": True}


def renote(state: WorkflowState) -> None:
    """The workflow may make more than was known when it began."""
    if state.run is not None and will_collect(state, state.run):
        state.status_extra["artifactGCStatus"] = {}


def collect(state: WorkflowState) -> list[Command]:
    """Start the collector of a workflow whose end is on record, or have it look again."""
    thing: Object = state.object or {"metadata": {}}
    if labels.FINALIZER_ARTIFACT_GC not in (thing["metadata"].get("finalizers") or ()):
        return []
    run = state.run or Run(state.address, thing.get("spec") or {}, TemplateLibrary(f"local/{state.address.name}"), {})
    call = CollectCall(run)
    return [Spawn(call.address, call), Tell(call.address, LookAgain())]


def is_collector(child: Address) -> bool:
    """Whether a child of a workflow is its collector, and no node."""
    return child.part == ids.node_id(child.name, "artifact-gc")


def crashed(now: float) -> list[Command]:
    """The collector's actor crashed: another one looks again, not at once."""
    return [WakeAt(now + AGAIN_S, COLLECT)]


def is_leaving(thing: Object) -> bool:
    """Whether somebody has deleted the workflow, and only its finalizers keep it."""
    return bool((thing.get("metadata") or {}).get("deletionTimestamp"))
