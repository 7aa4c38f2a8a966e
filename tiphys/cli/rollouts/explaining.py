"""Why a Rollout, an AnalysisRun or an Experiment is where it is: what it waits for, since when, until when, and what
would end it. Pure, from the object alone."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, assert_never

from actors.analysis.plan import ERROR_RETRY_S
from actors.names.durations import parse_duration
from actors.names.timestamps import rfc3339, seconds
from actors.rollout.model import DEFAULT_DEADLINE_S, Ro, pause_s
from runtime.objects import Object
from tiphys.cli.rollouts import facts
from tiphys.cli.rollouts.objects import number, part
from tiphys.cli.tree import one_line

ENDED: Final = ("Successful", "Failed", "Error", "Inconclusive")


class Wait(Enum):
    """What a Rollout may wait for."""

    OBSERVATION = "its controller"
    VALID_SPEC = "a spec that is fit"
    RETRY = "somebody, after an abort"
    PODS_IN_TIME = "pods that were not there in time"
    PERSON = "a person"
    TIME = "a pause to be over"
    VERDICT = "somebody to judge an inconclusive analysis"
    ANALYSIS = "an analysis"
    EXPERIMENT = "an experiment"
    PODS = "pods"
    NOTHING = "nothing"


ENDS: Final[dict[Wait, str]] = {
    Wait.OBSERVATION: "ends when a controller takes it in: is one running? (tiphys check)",
    Wait.VALID_SPEC: "ends when the field is corrected",
    Wait.RETRY: "ends by tiphys rollouts retry, or by the old image again",
    Wait.PODS_IN_TIME: "ends when they are available, by another image, or by tiphys rollouts abort",
    Wait.PERSON: "ends by tiphys rollouts promote, or abort",
    Wait.TIME: "ends by itself, or by tiphys rollouts promote or abort",
    Wait.VERDICT: "ends by tiphys rollouts promote, or abort",
    Wait.ANALYSIS: "ends with its verdict; tiphys rollouts terminate analysisrun ends it at once",
    Wait.EXPERIMENT: "ends with it; tiphys rollouts terminate experiment ends it at once",
    Wait.PODS: "ends when they are available",
    Wait.NOTHING: "",
}
"""What would end each wait."""


def rollout(thing: Object) -> list[str]:
    """What a Rollout waits for."""
    phase, reason = facts.phase(thing), wait(thing)
    where = facts.step(thing)
    at = f" at step {where}" if where and phase.name in ("Paused", "Progressing") else ""
    why = _why(thing, reason, phase.message)
    ends = f"; {ENDS[reason]}" if ENDS[reason] else ""
    return [one_line(f"{thing['metadata']['name']} is {phase.name}{at}: {why}{ends}")]


def wait(thing: Object) -> Wait:
    """What a Rollout waits for, of several what has to end first."""
    ro, phase, status = Ro(thing), facts.phase(thing), thing.get("status") or {}
    if not status or phase.message.startswith("waiting for rollout spec update to be observed"):
        return Wait.OBSERVATION
    if phase.name == "Degraded":
        if phase.message.startswith("InvalidSpec"):
            return Wait.VALID_SPEC
        return Wait.RETRY if status.get("abort") else Wait.PODS_IN_TIME
    if phase.name == "Paused":
        if ro.is_paused:
            return Wait.PERSON
        if any(str(one.get("reason")).startswith("Inconclusive") for one in status.get("pauseConditions") or ()):
            return Wait.VERDICT
        return Wait.TIME if _pause_ends(thing) is not None else Wait.PERSON
    if phase.name == "Healthy":
        return Wait.NOTHING
    if _running_run(thing):
        return Wait.ANALYSIS
    if part(status, "canary").get("currentExperiment") and ro.step and ro.step.get("experiment"):
        return Wait.EXPERIMENT
    return Wait.PODS


def _why(thing: Object, reason: Wait, message: str) -> str:
    status = thing.get("status") or {}
    match reason:
        case Wait.NOTHING:
            return f"it waits for nothing; {number(status, 'availableReplicas')} pods are available"
        case Wait.OBSERVATION | Wait.VALID_SPEC:
            return message or f"no controller has seen it since {thing['metadata'].get('creationTimestamp')}"
        case Wait.RETRY:
            return f"aborted since {status.get('abortedAt') or _since(thing)}: {message}"
        case Wait.PODS_IN_TIME:
            return f"since {_since(thing)}: {message}"
        case Wait.PERSON if Ro(thing).is_paused:
            return "spec.paused is set"
        case Wait.PERSON | Wait.VERDICT:
            return f"{message or 'it waits for a person'}, since {_paused_since(thing)}"
        case Wait.TIME:
            return f"a pause since {_paused_since(thing)}, until {rfc3339(_pause_ends(thing) or 0.0)}"
        case Wait.ANALYSIS:
            run = _running_run(thing)
            return f"AnalysisRun {run} measures (tiphys explain analysisrun/{run})"
        case Wait.EXPERIMENT:
            name = part(status, "canary").get("currentExperiment")
            return f"Experiment {name} runs (tiphys explain experiment/{name})"
        case Wait.PODS:
            return f"{_pods(thing)}, since {_since(thing)}: {message or 'pods change'}{_deadline(thing)}"
        case _:
            assert_never(reason)


def _pods(thing: Object) -> str:
    status, wanted = thing.get("status") or {}, Ro(thing).replicas
    updated, available = number(status, "updatedReplicas"), number(status, "availableReplicas")
    return f"{available} of {wanted} pods are available, {updated} of them new"


def _since(thing: Object) -> str:
    """When something moved last, as the condition Progressing says."""
    conditions: list[Object] = (thing.get("status") or {}).get("conditions") or []
    found: Object = next((one for one in conditions if one.get("type") == "Progressing"), {})
    return str(found.get("lastUpdateTime") or thing["metadata"].get("creationTimestamp") or "a time unknown")


def _deadline(thing: Object) -> str:
    limit = (thing.get("spec") or {}).get("progressDeadlineSeconds")
    try:
        at = seconds(_since(thing)) + float(DEFAULT_DEADLINE_S if limit is None else limit)
    except (TypeError, ValueError):
        return ""
    return f"; Degraded when nothing moves until {rfc3339(at)}"


def _paused_since(thing: Object) -> str:
    found = [str(one.get("startTime")) for one in (thing.get("status") or {}).get("pauseConditions") or ()]
    return min(found, default=_since(thing))


def _pause_ends(thing: Object) -> float | None:
    """When a pause is over by itself; None when it never is."""
    ro = Ro(thing)
    lasts: float | None = None
    if ro.paused_for("CanaryPauseStep") and ro.step and ro.step.get("pause") is not None:
        lasts = pause_s(ro.step["pause"])
    elif ro.paused_for("BlueGreenPause"):
        wanted = (ro.blue_green or {}).get("autoPromotionSeconds")
        lasts = float(wanted) if wanted else None
    try:
        return None if lasts is None else seconds(_paused_since(thing)) + lasts
    except ValueError:
        return None


def _running_run(thing: Object) -> str:
    status = thing.get("status") or {}
    places = (
        ("canary", "currentStepAnalysisRunStatus"), ("blueGreen", "prePromotionAnalysisRunStatus"),
        ("blueGreen", "postPromotionAnalysisRunStatus"),
    )  # fmt: skip
    for side, field in places:
        run = part(status, side, field)
        if run.get("name") and run.get("status") not in ENDED:
            return str(run["name"])
    return ""


# ------------------------------------------------------------------------------------------------ runs and experiments


def analysis_run(thing: Object) -> list[str]:
    """What an AnalysisRun waits for: one sentence, and one for each of its metrics that is not decided."""
    name, status = thing["metadata"]["name"], thing.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    if phase in ENDED:
        said = f": {status['message']}" if status.get("message") else ""
        return [one_line(f"{name} is {phase} since {status.get('completedAt') or 'its end'}{said}")]
    if not status:
        return [f"{name} waits for its controller, since {thing['metadata'].get('creationTimestamp')}"]
    head = f"{name} is {phase} since {status.get('startedAt')}; ends when every metric is decided, or one fails"
    return [one_line(head), *(f"  {one_line(sentence)}" for sentence in _metrics(thing))]


def _metrics(thing: Object) -> Iterator[str]:
    results = {one.get("name"): one for one in (thing.get("status") or {}).get("metricResults") or ()}
    for metric in (thing.get("spec") or {}).get("metrics") or ():
        result = results.get(metric.get("name")) or {}
        if result.get("phase") in ENDED:
            continue
        taken, wanted = number(result, "count"), metric.get("count")
        so_far = f"{taken} of {wanted} measurements" if wanted else f"{taken} measurements"
        failed = f"{number(result, 'failed')} failed, more than {metric.get('failureLimit') or 0} end it"
        yield f"{metric.get('name')}: {so_far}; {failed}{_next(thing, metric, result)}"


def _next(thing: Object, metric: dict[str, Any], result: dict[str, Any]) -> str:
    last = (result.get("measurements") or [{}])[-1]
    try:
        if last and not last.get("finishedAt"):
            return f"; it is being measured since {last.get('startedAt')}"
        if last:
            again = last.get("phase") == "Error" or not metric.get("interval")
            wait_s = ERROR_RETRY_S if again else parse_duration(str(metric["interval"]))
            return f"; the next at {rfc3339(seconds(last['finishedAt']) + wait_s)}"
        begins = seconds(str((thing.get("status") or {})["startedAt"])) + parse_duration(str(metric["initialDelay"]))
    except (KeyError, ValueError):  # at once, or a duration that is a parameter
        return ""
    return f"; the first at {rfc3339(begins)}"


def experiment(thing: Object) -> list[str]:
    """What an Experiment waits for."""
    name, status = thing["metadata"]["name"], thing.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    if phase in ENDED:
        said = f": {status['message']}" if status.get("message") else ""
        return [one_line(f"{name} is {phase}{said}")]
    templates = ", ".join(f"{one.get('name')} {one.get('status')}" for one in status.get("templateStatuses") or ())
    runs = ", ".join(f"{one.get('name')} {one.get('phase')}" for one in status.get("analysisRuns") or ())
    parts = (templates and f"templates: {templates}", runs and f"analyses: {runs}")
    about = "; ".join(each for each in parts if each)
    return [one_line(f"{name} is {phase}{_available(thing)}{'; ' + about if about else ''}")]


def _available(thing: Object) -> str:
    since, lasts = (thing.get("status") or {}).get("availableAt"), (thing.get("spec") or {}).get("duration")
    if not since:
        return ": it waits for its pods to be available"
    if not lasts:
        return f" since {since}; it has no duration: its analyses end it, or tiphys rollouts terminate experiment"
    try:
        return f" since {since}, until {rfc3339(seconds(since) + parse_duration(str(lasts)))}"
    except ValueError:
        return f" since {since}"
