"""The experiment room: one actor per Experiment, which decides from what there is, has it done, and decides again.

It is told of its own object and of the ReplicaSets, Services and AnalysisRuns that it controls. Nothing is decided
while a command of the last decision is unanswered, so every decision is a plain function of what is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from actors.analysis_templates import TemplateRef, is_same_run
from actors.experiment import analyses, makes, templates
from actors.experiment.analyses import RUN, RUNS
from actors.experiment.model import Ex, invalid
from actors.experiment.scene import Known, Plan
from actors.experiment.state import ExperimentState
from actors.experiment.templates import SCALE, SERVICE, SET
from actors.experiment.verdict import concluded, invalidated, phase_told
from actors.kube_events import EVENT, Said, difference, event
from actors.names.resources import CLUSTER_ANALYSIS_TEMPLATE, ROLLOUT
from runtime import api
from runtime.messages import (
    Address,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Read,
    Stop,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import SERVICES, Object, Reference, Resource, owner_uid

SETTLE, LOOK, REREAD, TEMPLATE, WHOSE = "settle", "look", "reread", "template", "whose"
BACKOFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
ROLLOUTS: Final = Resource(*ROLLOUT)


class ExperimentMind:
    """How an Experiment's actor behaves."""

    def birth(self, address: Address, argument: Any) -> ExperimentState:
        """An experiment of which nothing is known yet but its name."""
        del argument
        return ExperimentState(address)

    def waiting(self, state: ExperimentState) -> str:
        """What happens next."""
        if state.object is None:
            return "for its own object"
        if state.outstanding:
            return f"for the answers to {state.outstanding} of its commands"
        ex = Ex(state.object)
        if ex.phase in ("Pending", "Running"):
            return "for its pods to be available" if ex.phase == "Pending" else "for its analyses or its duration"
        return f"for nothing: it is {ex.phase}"

    def receive(self, state: ExperimentState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message; then decide."""
        commands: list[Command] = []
        match message:
            case Gone(ref, _) if ref.resource == makes.EXPERIMENTS:
                return [Stop()]
            case Observed(ref, thing) if ref.resource == makes.EXPERIMENTS:
                if state.object is None:
                    state.object = thing
                    return [WakeAt(now, SETTLE)]  # what it has made, as far as the cache knows, is told before that
                _take(state, thing)
            case Observed(ref, thing):
                _see(state, ref.resource, thing)
            case Gone(ref, _):
                _lose(state, ref)
            case Woke(tag):
                state.settled = state.settled or tag == SETTLE
            case Done(command, result) if _counts(command):
                state.outstanding -= 1
                commands = self._done(state, command, result, now)
            case Failed(command, error) if _counts(command):
                state.outstanding -= 1
                commands = self._failed(state, command, error, now)
            case _:
                return []
        state.outstanding += sum(1 for command in commands if _counts(command))
        return [*commands, *self._decide(state, now)]

    # ---------------------------------------------------------------------------------------------- decision

    def _decide(self, state: ExperimentState, now: float) -> list[Command]:
        if not state.settled or state.outstanding or state.object is None:
            return []
        if state.object["metadata"].get("deletionTimestamp"):
            return []
        if now < state.not_before:
            return [WakeAt(state.not_before, LOOK)]
        known = state.known()
        if known.ex.status.get("availableAt") and not state.is_fresh:
            state.is_fresh = True
            state.templates.clear()  # they may have changed since they were looked at first
        plan = decided(known, now)
        commands: list[Command] = [Read(state.template_reference(ref), TEMPLATE) for ref in dict.fromkeys(plan.reads)]
        if commands and _is_untouched(known):
            plan = Plan(dict(known.ex.status))  # one without its templates is over before it has pods
        commands += plan.commands
        patch = difference(known.ex.status, plan.status)
        if patch:
            version = state.object["metadata"]["resourceVersion"]
            commands.append(WriteStatus(state.ref, {"status": patch}, version))
        state.outstanding = len(commands)
        if not commands:
            state.failures = 0
        said = [event(about, each, now) for each in plan.said for about in _audience(state, each)]
        return [*commands, *said, WakeAt(plan.wake_at, LOOK)]

    # ----------------------------------------------------------------------------------------------- answers

    def _done(self, state: ExperimentState, command: Command, result: Any, now: float) -> list[Command]:
        match command:
            case WriteStatus():
                _take(state, result)
                state.made.clear()
                state.refusals.clear()
            case Read(tag="reread"):
                state.object = result
            case Read(ref, "template"):
                state.templates[_template(ref)] = result
            case Read(ref, "run" | "set"):
                _see(state, ref.resource, result)
            case Read(tag=tag) if tag.startswith(WHOSE):
                return self._whose(state, tag, result)
            case Create(resource, _, tag):
                _see(state, resource, result)
                if resource == RUNS:
                    state.made[tag.partition("/")[2]] = result["metadata"]["name"]
            case Patch(ref, tag=tag):
                before = state.sets.get(ref.uid)
                _see(state, ref.resource, result)
                if tag.startswith(SCALE) and before is not None:
                    return templates.scaled(Ex(state.experiment), before, result, now)
            case Delete(ref):
                state.services.pop(ref.uid, None)
        return []

    def _failed(self, state: ExperimentState, command: Command, error: api.ApiError, now: float) -> list[Command]:
        gone = isinstance(error, api.Gone)
        match command:
            case WriteStatus() if isinstance(error, api.Conflict):
                return [Read(state.ref, REREAD)]
            case WriteStatus() | Read(tag="reread") if gone:
                return []  # the object's end is told by the cache
            case WriteStatus():
                _hold(state, now)
                return [Read(state.ref, REREAD)]
            case Read(ref, "template") if gone:
                state.templates[_template(ref)] = None
                return []
            case Read(ref, "run") if gone:
                state.runs[ref.name] = None
                return []
            case Create(resource, thing, tag) if isinstance(error, api.AlreadyExists):
                meta = thing["metadata"]
                return [Read(Reference(resource, meta["namespace"], meta["name"]), f"{WHOSE}/{tag}")]
            case Create(tag=tag) | Patch(tag=tag) if isinstance(error, api.Refused):
                what, _, which = tag.partition("/")
                state.refusals[what, which] = error.message
                _hold(state, now)
                return []
            case Patch(ref) if gone:
                _lose(state, ref)
                return []
            case Patch(ref, tag=tag) if tag.startswith(SCALE):
                state.failures = max(0, state.failures - 1)  # somebody wrote in between: look, and decide again
                _hold(state, now)
                return [Read(ref, "set")]
            case Read(ref, "set") if gone:
                _lose(state, ref)
                return []
        _hold(state, now)
        return []

    def _whose(self, state: ExperimentState, tag: str, existing: Object) -> list[Command]:
        """Something of a wanted name is there already: take it if it is ours and the same."""
        _, what, name = tag.split("/", 2)
        known = state.known()
        ex = known.ex
        template = next((each for each in ex.templates if each["name"] == name), None)
        match what:
            case "run":
                analysis = next((each for each in ex.analyses if each["name"] == name), None)
                if analysis is not None and is_same_run(analyses.run_of(known, analysis), existing):
                    _see(state, RUNS, existing)
                    state.made[name] = existing["metadata"]["name"]
                    return []
            case "set" if template is not None:
                collisions = known.collisions.get((SET, name), (ex.template_status(name) or {}).get("collisionCount"))
                if makes.is_same_set(ex, makes.replica_set(ex, template, collisions), existing):
                    _see(state, makes.REPLICA_SETS, existing)
                    return []
                state.collisions[SET, name] = (collisions or 0) + 1
                return []
            case "service":
                if makes.template_of(ex, existing) == name:
                    _see(state, SERVICES, existing)
                    return []
                found = existing["metadata"]["name"]
                text = f"service {found} already exists and is not owned by experiment template {name}"
                state.refusals[SERVICE, name] = text
                return []
        state.collisions[what, name] = state.collisions.get((what, name), 0) + 1
        return []


def decided(known: Known, now: float) -> Plan:
    """What is next: the whole decision, from what is known; a spec that cannot be read gets a condition. Pure."""
    try:
        message = invalid(known.ex)
        if not message:
            return _carried_out(known, now)
    except (TypeError, AttributeError, KeyError, ValueError) as error:  # a cluster may let anything pass
        message = f"the spec is malformed ({type(error).__name__}: {error})"
    return Plan(invalidated(dict(known.ex.status), message, now))


def _is_untouched(known: Known) -> bool:
    """Whether no pods were asked for yet, and they may still be."""
    return not known.ex.is_terminating and not any(each["spec"].get("replicas") for each in known.replica_sets.values())


def _carried_out(known: Known, now: float) -> Plan:
    ex = known.ex
    plan = Plan(dict(ex.status))
    for template in ex.templates:
        templates.reconcile(known, template, plan, now)
    for analysis in ex.analyses:
        analyses.reconcile(known, analysis, plan)
    plan.status = concluded(ex, plan.status, now)
    plan.said += phase_told(ex.phase, plan.status["phase"])
    if ex.ends_at is not None and not ex.is_over(now):
        plan.times.append(ex.ends_at)
    return plan


def _audience(state: ExperimentState, said: Said) -> list[Reference]:
    """Whom an Event is about: the experiment, and of its analyses the Rollout that it belongs to as well."""
    found = [state.ref]
    if said.reason.startswith("AnalysisRun") and said.reason != "AnalysisRunTerminating":
        owners = state.experiment["metadata"].get("ownerReferences") or ()
        found += [
            Reference(ROLLOUTS, state.address.namespace, owner["name"], owner.get("uid", ""))
            for owner in owners
            if owner.get("kind") == ROLLOUTS.kind
        ]
    return found


def _take(state: ExperimentState, thing: Object) -> None:
    """The newest version of its object."""
    if state.object is None or _version(thing) >= _version(state.object):
        state.object = thing


def _see(state: ExperimentState, resource: Resource, thing: Object) -> None:
    """A thing that it has made, as it is; an older version than is known is no news."""
    meta = thing["metadata"]
    if resource == RUNS:
        before = state.runs.get(meta["name"])
        if before is None or before["metadata"]["uid"] != meta["uid"] or _version(thing) >= _version(before):
            state.runs[meta["name"]] = thing
        return
    things = state.sets if resource == makes.REPLICA_SETS else state.services
    if owner_uid(thing) != state.address.uid:
        things.pop(meta["uid"], None)
    elif meta["uid"] not in things or _version(thing) >= _version(things[meta["uid"]]):
        things[meta["uid"]] = thing


def _lose(state: ExperimentState, ref: Reference) -> None:
    if ref.resource == RUNS:
        state.runs.pop(ref.name, None)  # looked for once more, live
    else:
        state.sets.pop(ref.uid, None)
        state.services.pop(ref.uid, None)


def _version(thing: Object) -> int:
    text = str(thing["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


def _template(ref: Reference) -> TemplateRef:
    return TemplateRef(ref.name, ref.resource.kind == CLUSTER_ANALYSIS_TEMPLATE[1])


def _hold(state: ExperimentState, now: float) -> None:
    """Wait before the next decision, longer after each failure in a row."""
    state.not_before = now + BACKOFF_S[min(state.failures, len(BACKOFF_S) - 1)]
    state.failures += 1


def _counts(command: Command) -> bool:
    return isinstance(command, Create | WriteStatus | Patch | Delete | Read) and getattr(command, "tag", "") != EVENT


__all__ = ["RUN", "ExperimentMind", "decided"]
