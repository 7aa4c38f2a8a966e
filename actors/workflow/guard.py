"""A restricted installation keeps an eye on its workflows: before they begin, on every edit, and on their templates.

What may not be is an Error: at once where nothing has begun, else as soon as all that runs has been stopped.
(RESTR-1, RESTR-2.)
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.workflow import gather
from actors.workflow.restrictions import CHANGED, has_changed
from actors.workflow.restrictions import refusal as refusal_of
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Read, WakeAt
from runtime.objects import Object, Reference

GUARD = "guard"
LOOK_S = 30.0  # so often is the template of a running workflow looked at


def refusal(state: WorkflowState) -> str:
    """Why the workflow may not run here; empty when it may."""
    if not state.limits.restriction or state.object is None:
        return ""
    return refusal_of(state.object.get("spec") or {}, state.limits.permitted_overrides)


def wanted(state: WorkflowState) -> list[Reference]:
    """What must be read to know that nothing has changed since a workflow began."""
    assert state.object is not None
    stored = (state.object.get("status") or {}).get("storedWorkflowTemplateSpec")
    if not _guarded(state) or stored is None:
        return []
    ref = gather.template_of(state.object)
    return [] if ref in state.found else [ref]


def heed(state: WorkflowState) -> None:
    """Somebody has edited the workflow: it may be one now that may not run."""
    why = refusal(state)
    status: Mapping[str, object] = (state.object or {}).get("status") or {}
    stored = status.get("storedWorkflowTemplateSpec")
    if not why and _guarded(state) and stored != state.summary_written.get("storedWorkflowTemplateSpec"):
        why = CHANGED
    if why and not state.condemned and not state.ended:
        state.condemned, state.stopping = why, "Terminate"


def compare(state: WorkflowState, template: Object | None) -> bool:
    """Condemn the workflow when its template gives another spec than the one it runs by; whether that is so."""
    workflow = state.object
    recorded = state.summary_written.get("storedWorkflowTemplateSpec")
    if workflow is None or recorded is None or not _guarded(state):
        return False
    found = {gather.template_of(workflow): template}
    expected = gather.executed_spec(workflow, found, state.limits.defaults, anew=True)
    if expected and not has_changed(recorded, expected):
        return False
    state.condemned, state.stopping = CHANGED, "Terminate"
    return True


def compare_found(state: WorkflowState) -> bool:
    """The same with the template that was read before the workflow went on after a restart."""
    if state.object is None or not _guarded(state):
        return False
    return compare(state, state.found.get(gather.template_of(state.object)))


def again(state: WorkflowState, now: float) -> list[Command]:
    """Look at the template again after a while."""
    return [WakeAt(now + LOOK_S, GUARD)] if _guarded(state) else []


def look(state: WorkflowState) -> list[Command]:
    """Read the template."""
    if state.ended or state.object is None or not _guarded(state):
        return []
    return [Read(gather.template_of(state.object), GUARD)]


def _guarded(state: WorkflowState) -> bool:
    spec = (state.object or {}).get("spec") or {}
    return state.limits.restriction == "Secure" and bool(spec.get("workflowTemplateRef"))
