"""The analysis room: one actor per AnalysisRun, which measures when something is due and draws the verdict.

It is told of its own object and of the Jobs (with their pods) that it made. Start is restart: the status on record says
what was measured, Jobs on record are found by their names, and a question that nobody answered is asked again. A user's
edit is an input: `spec.terminate` ends the run, and an edited status is what it goes on from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from actors.analysis import flights, writing
from actors.analysis.decide import Status, assessed, is_completed, is_terminating, last_measurement, results
from actors.analysis.job import JOBS, NAME_KEY, job_name, job_number, job_phase, job_ref, stuck
from actors.analysis.plan import RunPlan, Unmeasurable, run_plan
from actors.analysis.query import answer_of
from actors.analysis.record import Note, folded
from actors.analysis.state import RUNS, AnalysisSettings, Flight, RunState
from actors.analysis.timing import Task, expires_at, next_look, tasks
from actors.kube_events import EVENT
from actors.names import analysis_labels as keys
from runtime import api
from runtime.messages import (
    Address,
    Ask,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Read,
    Stop,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import PODS, SECRETS, Object, Reference

SETTLE, LOOK, SURPLUS, EXPIRED = "settle", "look", "surplus", "expired"

ENDING_GRACE_S: Final = 10.0
"""How long a run that is ending waits for questions that are still out: their answers count, but not for ever."""

DELETE_RETRY_S: Final = 30.0
"""A deletion that failed is tried again so much later: whoever refuses it once will refuse it often."""


class AnalysisMind:
    """How an AnalysisRun's actor behaves."""

    def __init__(self, settings: AnalysisSettings | None = None) -> None:
        self.settings = settings or AnalysisSettings()

    def birth(self, address: Address, argument: Any) -> RunState:
        """A run of which nothing is known yet but its name."""
        del argument
        return RunState(address)

    def waiting(self, state: RunState) -> str:
        """What happens next."""
        if state.object is None:
            return "for its own object"
        status = state.object.get("status") or {}
        if is_completed(status):
            return f"for nothing: it is {status['phase']}"
        if state.flights:
            return f"for measurements of {', '.join(sorted(state.flights))}"
        return "for the next measurement"

    def receive(self, state: RunState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message; then measure what is due and write what changed."""
        match message:
            case Gone(ref, _) if ref.resource == RUNS:
                return [Stop()]
            case Observed(ref, thing) if ref.resource == RUNS:
                commands = self._observed(state, thing, now)
            case Observed(ref, thing):
                commands = _seen(state, ref, thing)
            case Gone(ref, _):
                commands = _lost(state, ref, now)
            case Woke(tag):
                commands = self._woke(state, tag, now)
            case Done(command, result):
                commands = self._done(state, command, result, now)
            case Failed(command, error):
                commands = self._failed(state, command, error, now)
            case _:
                return []
        return [*commands, *self._go_on(state, now)]

    # ------------------------------------------------------------------------------------------ the object

    def _observed(self, state: RunState, thing: Object, now: float) -> list[Command]:
        if state.object is None:
            state.object = thing
            return [WakeAt(now, SETTLE)]  # its Jobs, as far as the cache has them, are told before that
        if state.sent is not None:
            state.pending = thing
        elif writing.newer(thing, state.object):
            state.object = thing
        return []

    def _woke(self, state: RunState, tag: str, now: float) -> list[Command]:
        word, _, rest = tag.partition("/")
        match word:
            case "settle":
                state.settled = True
            case flights.AGAIN:
                return flights.again(state, self.settings, rest, now)
            case writing.REREAD:
                return [Read(state.ref, writing.REREAD)]
            case "surplus":
                state.deleting.clear()
        return []

    def _go_on(self, state: RunState, now: float) -> list[Command]:
        """Do what follows from all that is known."""
        if state.object is None or not state.settled or state.object["metadata"].get("deletionTimestamp"):
            return []
        plan = _planned(state, now)
        commands: list[Command] = []
        if not is_completed(_status(state, plan)):
            commands += self._measure(state, plan, now)
        status = _status(state, plan)
        if is_completed(status):
            state.flights.clear()
        commands += writing.flush(state)
        return [*commands, *_retire(state), *self._sleep(state, plan, status, now)]

    def _measure(self, state: RunState, plan: RunPlan, now: float) -> list[Command]:
        """Begin, go on with, and end measurements; then judge."""
        _judge_jobs(state, plan, now)
        commands: list[Command] = []
        spec = state.run["spec"]
        for task in tasks(plan, spec, _status(state, plan), now, state.busy):
            commands += self._perform(state, task, results(_status(state, plan)), now)
        status = _status(state, plan)
        _lose_patience(state, is_terminating(spec, status), now)
        busy = state.busy
        if assessed(plan, spec, status, now, terminating=is_terminating(spec, status), busy=busy) != status:
            state.notes.append(Note(now, busy=busy))
        return commands

    def _perform(self, state: RunState, task: Task, known: dict[str, Status], now: float) -> list[Command]:
        kind, metric = task
        last = last_measurement(known.get(metric.name)) or {}
        if kind == "begin":
            return flights.begin(state, self.settings, Flight(metric.name, "begin", now), metric, now)
        if metric.provider != "job":
            if kind == "end":
                return []  # nobody can be told to stop: the run ends without the measurement
            return flights.begin(state, self.settings, Flight(metric.name, "resume", now, last), metric, now)
        ref = job_ref(last, state.address.namespace)
        if kind == "end":
            done = flights.finished(last, "Inconclusive", "Metric Terminated", now)
            state.notes.append(Note(now, metric.name, done, state.busy))
            return [_delete(state, ref)] if ref is not None else []
        if ref is not None and ref.name in state.jobs:
            return []  # it runs
        return flights.find_job(state, metric.name, last, now)

    def _sleep(self, state: RunState, plan: RunPlan, status: Status, now: float) -> list[Command]:
        """Be woken when there is something to do next."""
        if is_completed(status):
            at = expires_at(state.run)
            at = None if at is None else max(at, state.expiry_not_before)
            if at is not None and at <= now:
                state.expiry_not_before = now + DELETE_RETRY_S
                return [Delete(state.ref, tag=EXPIRED)]
            return [WakeAt(at, LOOK)]
        at = next_look(plan, state.run["spec"], status, state.busy)
        if state.ending_since is not None and state.flights:
            at = min(at or state.ending_since + ENDING_GRACE_S, state.ending_since + ENDING_GRACE_S)
        return [WakeAt(at if at is None else max(at, now), LOOK)]

    # ------------------------------------------------------------------------------------------ answers

    def _done(self, state: RunState, command: Command, result: Any, now: float) -> list[Command]:
        match command:
            case WriteStatus():
                return writing.acknowledged(state, result, now)
            case Read(tag=writing.REREAD):
                return writing.reread(state, result, now)
            case Read(ref, flights.SECRET):
                return flights.secret_read(state, self.settings, ref, result, now)
            case Read(ref, flights.FIND):
                flights.job_found(state, ref, result, now)
            case Read(tag=tag) if tag.startswith(f"{flights.WHOSE}/"):
                flights.job_made(state, tag.partition("/")[2], result, now)
            case Create(resource, _, tag) if resource == JOBS:
                flights.job_made(state, tag, result, now)
            case Ask(_, query):
                flights.answered(state, query, answer_of(result), now)
            case Delete(ref, tag="surplus"):
                state.deleting.discard(ref.name)
        return []

    def _failed(self, state: RunState, command: Command, error: api.ApiError, now: float) -> list[Command]:
        gone = isinstance(error, api.Gone)
        match command:
            case Create(tag=tag) if tag == EVENT:
                return []
            case WriteStatus():
                return writing.refused(state, error, now)
            case Read(tag=writing.REREAD):
                return [] if gone else writing.refused(state, error, now)
            case Read(ref, flights.SECRET) if gone or isinstance(error, api.Refused):
                return flights.secret_read(state, self.settings, ref, error, now)
            case Read(ref, flights.FIND) if gone:
                flights.job_found(state, ref, None, now)
            case Read(ref) if ref.resource == SECRETS or command.tag == flights.FIND:
                return flights.unread(state, ref, now)
            case Read(tag=tag) if tag.startswith(f"{flights.WHOSE}/"):
                return flights.job_failed(state, tag.partition("/")[2], api.Unavailable(error.message), now)
            case Create(resource, _, tag) if resource == JOBS:
                return flights.job_failed(state, tag, error, now)
            case Ask(_, query):
                flights.unanswered(state, query, error, now)
            case Delete(tag="surplus"):
                return [WakeAt(now + DELETE_RETRY_S, SURPLUS)]
        return []


def _status(state: RunState, plan: RunPlan) -> Status:
    return folded(state.run, plan, state.notes)


def _planned(state: RunState, now: float) -> RunPlan:
    """The plan of the spec as it is; a run that cannot be measured says why, once."""
    spec = state.run["spec"]
    fields = {name: value for name, value in spec.items() if name not in ("terminate", "ttlStrategy")}
    if state.plan is None or state.planned != fields:
        state.planned, state.broken = fields, ""
        try:
            state.plan = run_plan(state.run)
        except Unmeasurable as error:
            state.plan, state.broken = RunPlan(), str(error)
    if state.broken and not is_completed(_status(state, state.plan)):
        state.notes.append(Note(now, broken=state.broken))
    return state.plan


def _judge_jobs(state: RunState, plan: RunPlan, now: float) -> None:
    """Take in the ends of Jobs that are measurements."""
    for name, result in results(_status(state, plan)).items():
        last = last_measurement(result)
        metric = plan.by_name.get(name)
        if last is None or last.get("finishedAt") or metric is None or metric.provider != "job":
            continue
        job = state.jobs.get((last.get("metadata") or {}).get(NAME_KEY, ""))
        if job is None:
            continue
        phase, message = job_phase(job), ""
        if not phase:
            message = stuck(state.pods.values(), job["metadata"]["name"])
            phase = "Inconclusive" if message else ""
        if phase:
            state.flights.pop(name, None)
            state.notes.append(Note(now, name, flights.finished(last, phase, message, now), state.busy))


def _lose_patience(state: RunState, terminating: bool, now: float) -> None:  # plain values
    """A run that is ending gives up on questions that nobody answers in time."""
    if not terminating:
        state.ending_since = None
        return
    if state.ending_since is None:
        state.ending_since = now
    if now - state.ending_since >= ENDING_GRACE_S:
        state.flights.clear()


def _retire(state: RunState) -> list[Command]:
    """Delete Jobs whose measurements are no longer kept on record."""
    if state.sent is not None or state.notes or not state.jobs:
        return []
    known = results(state.run.get("status") or {})
    kept = {
        (measurement.get("metadata") or {}).get(NAME_KEY)
        for result in known.values()
        for measurement in result.get("measurements") or ()
    }
    surplus: list[Command] = []
    for name, job in state.jobs.items():
        metric = (job["metadata"].get("annotations") or {}).get(keys.JOB_METRIC, "")
        result = known.get(metric)
        is_next = name == job_name(state.address.uid, metric, job_number(result))  # made, and not on record yet
        if result is None or name in kept or is_next or name in state.deleting:
            continue
        surplus.append(_delete(state, _job_ref(job)))
    return surplus


def _delete(state: RunState, ref: Reference) -> Command:
    state.deleting.add(ref.name)
    return Delete(ref, propagation="Foreground", tag=SURPLUS)


def _job_ref(job: Object) -> Reference:
    meta = job["metadata"]
    return Reference(JOBS, meta["namespace"], meta["name"], meta.get("uid", ""))


def _seen(state: RunState, ref: Reference, thing: Object) -> list[Command]:
    if ref.resource == JOBS:
        state.jobs[ref.name] = thing
    elif ref.resource == PODS:
        state.pods[ref.uid] = thing
    return []


def _lost(state: RunState, ref: Reference, now: float) -> list[Command]:
    """A Job or a pod is gone; a Job that was a measurement under way is looked for once more, live."""
    del now
    if ref.resource == JOBS:
        state.jobs.pop(ref.name, None)
        state.deleting.discard(ref.name)
    else:
        state.pods.pop(ref.uid, None)
    return []
