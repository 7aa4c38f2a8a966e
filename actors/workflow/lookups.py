"""Templates that only the running workflow can name: read when the first node calls them, kept from then on.

A node whose call names one asks; the answer is what the status keeps, what the object says that was read once in this
life, or what it says now. What is found is stored with all that it leads to, so a later edit of the object, and a
restart, change nothing. (WFT-1.)
"""

from __future__ import annotations

import re

from actors.messages import TemplateSought, WantsTemplate
from actors.names.resources import CLUSTER_WORKFLOW_TEMPLATE
from actors.templates import Source, TemplateNotFound, absent, shared_templates
from actors.workflow import collecting, gather, writing
from actors.workflow.state import WorkflowState
from runtime.api import ApiError, Gone, Refused
from runtime.messages import Command, Read, Tell, WakeAt
from runtime.objects import Object, Reference

LOOKUP = "lookup"
RETRY_READ_S = 2.0  # after an API server that did not answer
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # that an object can have: what is no name is not read


def wants(state: WorkflowState, word: WantsTemplate, now: float) -> list[Command]:
    """A node wants a template: answer, or read the object first; one read serves all who ask meanwhile."""
    library = state.running.library
    known = word.name in library.scopes.get(word.scope, {}) or word.scope in library.whole
    kind, _, name = word.scope.partition("/")
    if known or not NAME.fullmatch(name):
        return _answer(state, word, now)
    assert state.object is not None
    ref = gather.template_reference(Source(name, kind == "cluster"), state.object)
    waiting = state.sought.setdefault(ref, [])
    waiting.append(word)
    return [Read(ref, LOOKUP)] if len(waiting) == 1 else []


def read(state: WorkflowState, ref: Reference, thing: Object, now: float) -> list[Command]:
    """The object is there; templates of it that the status has kept stay what they are."""
    library, scope = state.running.library, Source(ref.name, ref.resource.kind == CLUSTER_WORKFLOW_TEMPLATE[1]).scope
    kept = library.scopes.get(scope, {})
    library.add(scope, [*shared_templates(thing.get("spec") or {}), *kept.values()])
    library.whole.add(scope)
    if not state.measures:
        state.measures = None  # it may define the first metrics
    if not state.collects:
        state.collects = None  # or the first artifacts that are to be deleted
        collecting.renote(state)
    return [command for word in state.sought.pop(ref, []) for command in _answer(state, word, now)]


def unread(state: WorkflowState, ref: Reference, error: ApiError, now: float) -> list[Command]:
    """Absent is an answer, and so is a refusal; silence is not. What is absent now may be there for the next one."""
    if not isinstance(error, Gone | Refused):
        return [WakeAt(now + RETRY_READ_S, LOOKUP)]
    return [
        _tell(state, word, absent(word.scope) if isinstance(error, Gone) else error.message)
        for word in state.sought.pop(ref, [])
    ]


def again(state: WorkflowState) -> list[Command]:
    """Read once more what has not been answered."""
    return [Read(ref, LOOKUP) for ref in state.sought]


def _answer(state: WorkflowState, word: WantsTemplate, now: float) -> list[Command]:
    """Keep the template with all that it leads to, and say that it is there; or that it is not."""
    library = state.running.library
    call = {"template": word.name}
    try:
        library.resolve(call, word.scope)
    except TemplateNotFound as error:
        return [_tell(state, word, str(error))]
    if library.keeps(word.scope, word.name):
        return [_tell(state, word)]
    assert state.object is not None
    found = gather.reached(state.object, library, [(call, word.scope)])
    before = state.status_extra.get("storedTemplates") or {}
    state.status_extra["storedTemplates"] = {**found, **before}
    library.kept.update(found)
    return [_tell(state, word), *writing.changed(state, state.limits, now)]


def _tell(state: WorkflowState, word: WantsTemplate, error: str = "") -> Command:
    return Tell(state.running.node_address(word.node_id), TemplateSought(error))
