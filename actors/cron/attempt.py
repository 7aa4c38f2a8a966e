"""A run that is due, step by step: judge the spec, ask the rules, make room, create.

Each step ends in commands whose answers lead to the next one; a failure that may pass is tried again from the rules on,
because what they look at may have changed. Whatever happens, the Workflow's name makes a second creation harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from actors.cron.child import WORKFLOWS, child_address, child_manifest, child_of
from actors.cron.decide import SPEC_ERROR, SUBMISSION_ERROR, Run, Skip, Stop, Wrong, verdict
from actors.cron.metrics import policy_triggered, submission_failed, triggered, unfit
from actors.cron.record import Note
from actors.cron.state import Attempt, CronSettings, CronState
from actors.cron.writing import backoff
from actors.names.resources import CLUSTER_WORKFLOW_TEMPLATE, WORKFLOW_TEMPLATE
from actors.templates import Source, sources_of
from runtime import api
from runtime.messages import Command, Create, Patch, Read, WakeAt
from runtime.objects import Object, Reference, Resource

TEMPLATE, TERMINATE, CHILD, WHOSE, AGAIN = "template", "terminate", "child", "whose", "again"
TEMPLATES: Final = Resource(*WORKFLOW_TEMPLATE)
CLUSTER_TEMPLATES: Final = Resource(*CLUSTER_WORKFLOW_TEMPLATE)


def begin(state: CronState, settings: CronSettings, now: float) -> list[Command]:
    """Start what is next, one after the other: to judge a new spec, then the oldest run that is due."""
    commands: list[Command] = []
    while state.attempt is None and state.table is not None:
        if state.unjudged:
            state.attempt = Attempt()
        elif state.due and not state.blocked:
            state.attempt = Attempt(state.due[0])
        else:
            break
        commands += judge(state, settings, now)
    return commands


def judge(state: CronState, settings: CronSettings, now: float) -> list[Command]:
    """Read the templates it refers to, then say whether the CronWorkflow can run at all (VAL-11)."""
    attempt = state.attempt
    assert attempt is not None
    wanted = [ref for ref in _references(state, attempt) if ref not in attempt.found and ref not in attempt.reading]
    attempt.reading.update(wanted)
    if attempt.reading:
        return [Read(ref, TEMPLATE) for ref in wanted]
    if state.fit and not attempt.found and attempt.scheduled is not None:
        return ask(state, now)  # nothing that was judged can have changed
    namespace = state.address.namespace
    problems = settings.judge(state.cron, lookup=lambda ref: attempt.found.get(_reference(ref, namespace)))
    errors = [problem for problem in problems if problem.severity == "error"]
    state.unjudged, state.fit = False, not errors
    if errors:
        of_workflow = errors[0].path.startswith("spec.workflowSpec")
        text = f"cannot validate Workflow: {errors[0].message}" if of_workflow else errors[0].message
        return [*_end(state, Note(wrong=SPEC_ERROR, message=text)), unfit()]
    state.notes.append(Note(right=SPEC_ERROR))
    return _end(state) if attempt.scheduled is None else ask(state, now)


def _references(state: CronState, attempt: Attempt) -> Iterator[Reference]:
    """The templates that are referred to, as far as they have been read."""
    spec, namespace = state.cron["spec"].get("workflowSpec") or {}, state.address.namespace
    open_refs = [_reference(source, namespace) for source in sorted(sources_of(spec))]
    whole = spec.get("workflowTemplateRef")
    if whole:
        open_refs.append(_reference(Source(whole.get("name", ""), bool(whole.get("clusterScope"))), namespace))
    seen: set[Reference] = set()
    while open_refs:
        ref = open_refs.pop()
        if ref in seen or not ref.name:
            continue
        seen.add(ref)
        yield ref
        found = attempt.found.get(ref)
        if found is not None:
            open_refs += [_reference(source, namespace) for source in sorted(sources_of(found.get("spec") or {}))]


def _reference(source: Any, namespace: str) -> Reference:
    """Where a template is: `source` has a name, and whether it is the cluster's."""
    if source.cluster:
        return Reference(CLUSTER_TEMPLATES, "", source.name)
    return Reference(TEMPLATES, namespace, source.name)


def ask(state: CronState, now: float) -> list[Command]:
    """Ask the rules whether the run may begin, and do as they say."""
    attempt = state.attempt
    assert attempt is not None
    assert attempt.scheduled is not None
    found = verdict(state.cron, state.wanted(now).status, state.active, now)
    meters: list[Command] = []
    match found:
        case Stop():
            return _end(state, Note(stopped=True))
        case Wrong(condition, message):
            meters.append(submission_failed() if condition == SUBMISSION_ERROR else unfit())
            return [*_end(state, Note(wrong=condition, message=message)), *meters]
        case Skip(_, for_good, policy):
            meters += [policy_triggered(state.address, policy)] if policy else []
            return [*_end(state, for_good=for_good), *meters]
        case Run(terminate):
            attempt.terminating = {child.uid for child in terminate}
            if not terminate:
                return _create(state)
            stop = {"spec": {"shutdown": "Terminate"}}
            refs = [Reference(WORKFLOWS, child.namespace, child.name, child.uid) for child in terminate]
            return [policy_triggered(state.address, "Replace"), *(Patch(ref, stop, tag=TERMINATE) for ref in refs)]
    raise AssertionError(f"unknown verdict {found!r}")


def _create(state: CronState) -> list[Command]:
    assert state.attempt is not None
    assert state.attempt.scheduled is not None
    manifest = child_manifest(state.cron, state.attempt.scheduled)
    return [Create(WORKFLOWS, manifest, CHILD), triggered(state.address)]


def _end(state: CronState, *notes: Note, for_good: bool = True) -> list[Command]:
    """The attempt is over; a run that is not decided for good stays due where every missed run is made up for."""
    attempt, state.attempt = state.attempt, None
    assert attempt is not None
    state.notes += notes
    scheduled = attempt.scheduled
    if scheduled is None:
        return []
    state.notes.append(Note(used=state.table.text if state.table else ""))
    if for_good:
        state.decided = max(state.decided, scheduled)
        state.due = [at for at in state.due if at > scheduled]
        if state.catches_up:
            state.notes.append(Note(decided=scheduled))
    elif state.catches_up:
        state.blocked = True
    else:
        state.due = [at for at in state.due if at > scheduled]
    return []


# ------------------------------------------------------------------------------------------------- answers


def template_read(
    state: CronState, settings: CronSettings, ref: Reference, found: Object | None, now: float
) -> list[Command]:
    """A template has been read, or is not there."""
    attempt = state.attempt
    if attempt is None or ref not in attempt.reading:
        return []
    attempt.reading.discard(ref)
    attempt.found[ref] = found
    return judge(state, settings, now)


def terminated(state: CronState, uid: str) -> list[Command]:
    """A run has been told to make way, or is gone."""
    attempt = state.attempt
    if attempt is None or uid not in attempt.terminating:
        return []
    attempt.terminating.discard(uid)
    return [] if attempt.terminating else _create(state)


def created(state: CronState, workflow: Object) -> list[Command]:
    """The run is there, made now or by an earlier life; somebody else's Workflow of that name is an error."""
    if state.attempt is None:
        return []
    if child_address(workflow) != state.address:
        name = workflow["metadata"]["name"]
        text = f"Failed to submit Workflow: {name} exists and is not a run of this CronWorkflow; rename or delete it"
        return [*_end(state, Note(wrong=SUBMISSION_ERROR, message=text)), submission_failed()]
    child = child_of(workflow, state.address.name)
    state.children.setdefault(child.uid, child)
    return _end(state)


def failed(state: CronState, command: Command, error: api.ApiError, now: float) -> list[Command]:
    """A step did not work: try again where that may help, else say so."""
    attempt = state.attempt
    if attempt is None:
        return []
    if isinstance(error, api.AlreadyExists) and isinstance(command, Create):
        name = command.object["metadata"]["name"]
        return [Read(Reference(WORKFLOWS, state.address.namespace, name), WHOSE)]
    if isinstance(command, Create) and isinstance(error, api.Refused | api.Gone):
        text = f"Failed to submit Workflow: {error.message}"
        return [*_end(state, Note(wrong=SUBMISSION_ERROR, message=text)), submission_failed()]
    if isinstance(command, Patch) and isinstance(error, api.Refused):
        text = f"run policy error: error stopping workflow {command.ref.name}: {error.message}"
        return [*_end(state, Note(wrong=SUBMISSION_ERROR, message=text)), submission_failed()]
    attempt.failures += 1
    attempt.terminating.clear()
    attempt.reading.clear()
    return [WakeAt(now + backoff(attempt.failures - 1), AGAIN)]


def again(state: CronState, settings: CronSettings, now: float) -> list[Command]:
    """Go on with an attempt after a failure."""
    return [] if state.attempt is None else judge(state, settings, now)
