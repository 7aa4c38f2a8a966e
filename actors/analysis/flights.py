"""A measurement on its way: Secrets are read, arguments put in place, then a provider is asked or a Job is made.

Every step's answer leads to the next; what comes out at the end is a note. A Secret's text lives as long as the
question it is part of, and stands in no message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.analysis.conditions import verdict
from actors.analysis.credentials import provider_secrets, texts_of
from actors.analysis.decide import results
from actors.analysis.job import JOBS, is_of, job_metadata, job_number, job_ref, manifest
from actors.analysis.plan import MetricPlan
from actors.analysis.query import SERVICE, Answer, Query, SecretName, redacted
from actors.analysis.record import Note, folded
from actors.analysis.state import AnalysisSettings, Flight, RunState
from actors.analysis_arguments import ArgumentError, argument_values, resolved_metric, secrets_of
from actors.names.timestamps import rfc3339, seconds
from runtime import api
from runtime.messages import Ask, Command, Create, Read, WakeAt
from runtime.objects import SECRETS, Object, Reference

SECRET, WHOSE, FIND, AGAIN = "secret", "whose", "find", "again"
VALUE_MAX: Final = 16_384  # characters of a value that the status keeps
MESSAGE_MAX: Final = 4_096
BACKOFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def begin(state: RunState, settings: AnalysisSettings, flight: Flight, metric: MetricPlan, now: float) -> list[Command]:
    """Set out: read what is secret first."""
    state.flights[flight.metric] = flight
    namespace = state.address.namespace
    names = [SecretName(namespace, name) for name in secrets_of(state.run["spec"].get("args") or ())]
    names += provider_secrets(metric, namespace, settings.namespace)
    flight.wants = set(names)
    if not flight.wants:
        return _launch(state, settings, flight, metric, now)
    unasked = [name for name in dict.fromkeys(names) if name not in state.reading]
    state.reading.update(unasked)
    return [Read(_secret(name), SECRET) for name in unasked]


def _secret(name: SecretName) -> Reference:
    return Reference(SECRETS, name.namespace, name.name)


def find_job(state: RunState, metric: str, measurement: Mapping[str, Any], now: float) -> list[Command]:
    """Look for the Job of a measurement that the cache does not know."""
    ref = job_ref(measurement, state.address.namespace)
    if ref is None:
        _note(state, metric, _failed(measurement, "job metadata reference missing", now), now)
        return []
    state.flights[metric] = Flight(metric, "find", now, measurement)
    return [Read(ref, FIND)]


def secret_read(
    state: RunState, settings: AnalysisSettings, ref: Reference, found: Object | api.ApiError, now: float
) -> list[Command]:
    """A Secret has been read, is not there, or may not be read."""
    name = SecretName(ref.namespace, ref.name)
    state.reading.discard(name)
    commands: list[Command] = []
    for flight in list(state.flights.values()):
        if name not in flight.wants:
            continue
        flight.wants.discard(name)
        flight.found[name] = texts_of(found) if isinstance(found, dict) else None
        if isinstance(found, api.Refused):
            flight.refused[ref.name] = found.message
        metric = state.plan.by_name.get(flight.metric) if state.plan else None
        if not flight.wants and metric is not None:
            commands += _launch(state, settings, flight, metric, now)
    return commands


def _launch(
    state: RunState, settings: AnalysisSettings, flight: Flight, metric: MetricPlan, now: float
) -> list[Command]:
    run, namespace = state.run, state.address.namespace

    def text(name: str, key: str) -> str:
        secret = flight.found.get(SecretName(namespace, name))
        if secret is None:
            raise ArgumentError(flight.refused.get(name) or f'secrets "{name}" not found')
        if key not in secret:
            raise ArgumentError(f"key '{key}' does not exist in secret '{name}'")
        return secret[key]

    try:
        values = argument_values(run["spec"].get("args") or (), run, text)
        resolved = resolved_metric(metric.written, values)
    except ArgumentError as error:
        del state.flights[flight.metric]
        state.notes.append(Note(now, broken=f"Unable to resolve metric arguments: {error}"))
        return []
    if metric.provider == "job":
        result = _result(state, metric.name)
        flight.job = manifest(run, resolved, job_number(result), settings.job_namespace)
        return [Create(JOBS, flight.job, metric.name)]
    hidden = {content for secret in flight.found.values() for content in (secret or {}).values()}
    started = (run.get("status") or {}).get("startedAt")
    query = Query(
        resolved, metric.provider, namespace, state.address.name, flight.began,
        seconds(started) if started else flight.began, flight.unfinished, dict(flight.found), tuple(hidden),
    )  # fmt: skip
    return [Ask(SERVICE, query, metric.name)]


def _result(state: RunState, metric: str) -> Mapping[str, Any] | None:
    assert state.plan is not None
    return results(folded(state.run, state.plan, state.notes)).get(metric)


# ------------------------------------------------------------------------------------------------- answers


def answered(state: RunState, query: Query, answer: Answer, now: float) -> None:
    """The provider has answered; the conditions judge what it has not judged itself."""
    flight = state.flights.pop(str(query.metric["name"]), None)
    if flight is None:
        return  # the run did not wait for it
    phase, message = answer.phase, answer.message
    if not phase:
        phase, message = verdict(query.metric, answer.value, now)
    measurement = dict(flight.unfinished or {"startedAt": rfc3339(flight.began)})
    for name in ("resumeAt", "message"):
        measurement.pop(name, None)
    measurement["phase"] = phase
    if message:
        measurement["message"] = _cut(redacted(message, query.hidden), MESSAGE_MAX)
    if answer.text:
        measurement["value"] = _cut(answer.text, VALUE_MAX)
    if answer.metadata:
        measurement["metadata"] = {**(measurement.get("metadata") or {}), **answer.metadata}
    if phase == "Running":
        measurement["resumeAt"] = rfc3339(now + (answer.resume_after_s or 0.0))
    else:
        measurement["finishedAt"] = rfc3339(now)
    _note(state, flight.metric, measurement, now)


def unanswered(state: RunState, query: Query, error: api.ApiError, now: float) -> None:
    """Nobody answered: an Error."""
    answered(state, query, Answer(phase="Error", message=error.message), now)


def job_made(state: RunState, metric: str, job: Object, now: float) -> None:
    """The Job is there, made now or by an earlier life; one of somebody else is an Error."""
    flight = state.flights.pop(metric, None)
    if flight is None:
        return
    name = job["metadata"]["name"]
    base = {"startedAt": rfc3339(flight.began)}
    if not is_of(job, state.address.uid):
        text = f'jobs.batch "{name}" already exists and is not of this run: delete it'
        _note(state, metric, _failed(base, text, now), now)
        return
    state.jobs.setdefault(name, job)
    _note(state, metric, {**base, "phase": "Running", "metadata": job_metadata(job)}, now)


def job_failed(state: RunState, metric: str, error: api.ApiError, now: float) -> list[Command]:
    """The Job could not be made: see whose it is, try again, or give up."""
    flight = state.flights.get(metric)
    if flight is None or flight.job is None:
        return []
    meta = flight.job["metadata"]
    if isinstance(error, api.AlreadyExists):
        return [Read(Reference(JOBS, meta["namespace"], meta["name"]), f"{WHOSE}/{metric}")]
    if isinstance(error, api.Refused | api.Gone):
        del state.flights[metric]
        _note(state, metric, _failed({"startedAt": rfc3339(flight.began)}, error.message, now), now)
        return []
    flight.failures += 1
    return [WakeAt(now + backoff(flight.failures - 1), f"{AGAIN}/{metric}")]


def again(state: RunState, settings: AnalysisSettings, metric: str, now: float) -> list[Command]:
    """Set out once more after a failure that may have passed."""
    flight, plan = state.flights.get(metric), state.plan.by_name.get(metric) if state.plan else None
    if flight is None or plan is None:
        return []
    if flight.job is not None:
        return [Create(JOBS, flight.job, metric)]
    if flight.kind == "find":
        return find_job(state, metric, flight.unfinished or {}, now)
    return begin(state, settings, flight, plan, now)


def job_found(state: RunState, ref: Reference, job: Object | None, now: float) -> None:
    """The Job of a measurement on record, or that it is gone: somebody deleted it."""
    for flight in list(state.flights.values()):
        if flight.kind == "find" and job_ref(flight.unfinished or {}, state.address.namespace) == ref:
            del state.flights[flight.metric]
            if job is None:
                text = f'job.batch "{ref.name}" not found'
                _note(state, flight.metric, _failed(flight.unfinished or {}, text, now), now)
            else:
                state.jobs[ref.name] = job


def unread(state: RunState, ref: Reference, now: float) -> list[Command]:
    """A Secret or a Job could not be read just now: those who wait for it set out again later."""
    name = SecretName(ref.namespace, ref.name)
    state.reading.discard(name)
    commands: list[Command] = []
    for flight in state.flights.values():
        waits = name in flight.wants if ref.resource == SECRETS else flight.kind == "find"
        if waits:
            flight.failures += 1
            commands.append(WakeAt(now + backoff(flight.failures - 1), f"{AGAIN}/{flight.metric}"))
    return commands


def finished(measurement: Mapping[str, Any], phase: str, message: str, now: float) -> dict[str, Any]:
    """A measurement at its end."""
    done = {**measurement, "phase": phase, "finishedAt": rfc3339(now)}
    done.pop("resumeAt", None)
    if message:
        done["message"] = message
    return done


def backoff(failures: int) -> float:
    """How long to wait after so many failures of the same thing (seconds)."""
    return BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]


def _failed(measurement: Mapping[str, Any], message: str, now: float) -> dict[str, Any]:
    return finished(measurement, "Error", _cut(message, MESSAGE_MAX), now)


def _note(state: RunState, metric: str, measurement: Mapping[str, Any], now: float) -> None:
    state.notes.append(Note(now, metric, measurement, state.busy))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
