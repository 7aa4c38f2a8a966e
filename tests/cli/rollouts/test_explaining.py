"""`explain` has one answer to why a Rollout, a run or an experiment is where it is."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.cli.rollouts import explaining
from tiphys.cli.rollouts.explaining import ENDS, Wait

CANARY = {"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "10m"}}, {"pause": {}}, {"analysis": {}}]}}
BEGAN = "2026-01-01T00:00:00Z"
PROGRESSING = {"type": "Progressing", "lastUpdateTime": "2026-01-01T00:01:00Z"}


def rollout(phase: str, message: str = "", **status: Any) -> dict[str, Any]:
    state = {
        "phase": phase, "message": message, "observedGeneration": "2", "conditions": [PROGRESSING],
        "availableReplicas": 4, "updatedReplicas": 1, **status,
    }  # fmt: skip
    meta = {"name": "web", "generation": 2, "creationTimestamp": BEGAN}
    return {"metadata": meta, "spec": {"replicas": 5, "strategy": CANARY}, "status": state}


def paused(step: int, reason: str = "CanaryPauseStep", message: str = "CanaryPauseStep") -> dict[str, Any]:
    conditions = [{"reason": reason, "startTime": "2026-01-01T00:02:00Z"}]
    return rollout("Paused", message, currentStepIndex=step, pauseConditions=conditions, controllerPause=True)


def held() -> dict[str, Any]:
    thing = rollout("Paused", "manually paused", currentStepIndex=1)
    thing["spec"]["paused"] = True
    return thing


def blue_green() -> dict[str, Any]:
    thing = paused(0, "BlueGreenPause", "BlueGreenPause")
    thing["spec"]["strategy"] = {"blueGreen": {"activeService": "web", "autoPromotionSeconds": 30}}
    return thing


def unseen() -> dict[str, Any]:
    thing = rollout("Healthy")
    thing["metadata"]["generation"] = 3
    return thing


RUN = {"currentStepAnalysisRunStatus": {"name": "web-2-3", "status": "Running"}}
DOWN = "more replicas need to be updated"
CASES = {
    Wait.OBSERVATION: (unseen(), "web is Progressing at step 0/4: waiting for rollout spec update to be observed"),
    Wait.VALID_SPEC: (rollout("Degraded", "InvalidSpec: no such Service"), "web is Degraded: InvalidSpec: no such Ser"),
    Wait.RETRY: (
        rollout("Degraded", "RolloutAborted: x", abort=True, abortedAt=BEGAN),
        f"web is Degraded: aborted since {BEGAN}: RolloutAborted: x",
    ),
    Wait.PODS_IN_TIME: (
        rollout("Degraded", "ProgressDeadlineExceeded: slow"),
        "web is Degraded: since 2026-01-01T00:01:00Z: ProgressDeadlineExceeded: slow",
    ),
    Wait.PERSON: (paused(2), "web is Paused at step 2/4: CanaryPauseStep, since 2026-01-01T00:02:00Z"),
    Wait.TIME: (
        paused(1),
        "web is Paused at step 1/4: a pause since 2026-01-01T00:02:00Z, until 2026-01-01T00:12:00Z",
    ),
    Wait.VERDICT: (
        paused(3, "InconclusiveAnalysisRun", "InconclusiveAnalysisRun"),
        "web is Paused at step 3/4: InconclusiveAnalysisRun, since 2026-01-01T00:02:00Z",
    ),
    Wait.ANALYSIS: (
        rollout("Progressing", DOWN, currentStepIndex=3, canary=RUN),
        "web is Progressing at step 3/4: AnalysisRun web-2-3 measures (tiphys explain analysisrun/web-2-3)",
    ),
    Wait.EXPERIMENT: (
        {
            **rollout("Progressing", DOWN, currentStepIndex=0, canary={"currentExperiment": "web-e"}),
            "spec": {"strategy": {"canary": {"steps": [{"experiment": {"templates": []}}]}}},
        },
        "web is Progressing at step 0/1: Experiment web-e runs (tiphys explain experiment/web-e)",
    ),
    Wait.PODS: (
        rollout("Progressing", DOWN, currentStepIndex=0),
        "web is Progressing at step 0/4: 4 of 5 pods are available, 1 of them new, since 2026-01-01T00:01:00Z: "
        f"{DOWN}; Degraded when nothing moves until 2026-01-01T00:11:00Z",
    ),
    Wait.NOTHING: (rollout("Healthy"), "web is Healthy: it waits for nothing; 4 pods are available"),
}


@pytest.mark.parametrize("reason", list(Wait))
def test_every_wait_of_a_rollout_has_a_sentence_and_an_end(reason: Wait) -> None:
    thing, begins = CASES[reason]
    (sentence,) = explaining.rollout(thing)
    assert explaining.wait(thing) is reason
    assert sentence.startswith(begins)
    assert sentence.endswith(ENDS[reason])


def test_a_rollout_that_a_person_holds_says_so() -> None:
    assert explaining.rollout(held()) == [
        "web is Paused at step 1/4: spec.paused is set; ends by tiphys rollouts promote, or abort"
    ]


def test_a_blue_green_pause_ends_by_itself_where_the_spec_says_when() -> None:
    (sentence,) = explaining.rollout(blue_green())
    assert "a pause since 2026-01-01T00:02:00Z, until 2026-01-01T00:02:30Z" in sentence


def test_a_rollout_that_no_controller_has_seen_asks_whether_one_runs() -> None:
    thing = rollout("")
    del thing["status"]
    (sentence,) = explaining.rollout(thing)
    assert sentence.endswith("is one running? (tiphys check)")


def test_a_run_says_for_each_metric_what_is_missing() -> None:
    done = {"phase": "Successful", "startedAt": BEGAN, "finishedAt": "2026-01-01T00:00:10Z"}
    result = {"name": "rate", "phase": "Running", "count": 2, "failed": 1, "measurements": [done]}
    thing = {
        "metadata": {"name": "run"},
        "spec": {"metrics": [{"name": "rate", "count": 5, "interval": "1m", "failureLimit": 2}, {"name": "load"}]},
        "status": {"phase": "Running", "startedAt": BEGAN, "metricResults": [result]},
    }
    assert explaining.analysis_run(thing) == [
        f"run is Running since {BEGAN}; ends when every metric is decided, or one fails",
        "  rate: 2 of 5 measurements; 1 failed, more than 2 end it; the next at 2026-01-01T00:01:10Z",
        "  load: 0 measurements; 0 failed, more than 0 end it",
    ]


def test_a_run_that_has_ended_says_how() -> None:
    status = {"phase": "Failed", "message": "too slow", "completedAt": BEGAN}
    assert explaining.analysis_run({"metadata": {"name": "run"}, "status": status}) == [
        f"run is Failed since {BEGAN}: too slow"
    ]


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        ({"duration": "5m"}, {"availableAt": BEGAN}, f"e is Running since {BEGAN}, until 2026-01-01T00:05:00Z"),
        ({}, {"availableAt": BEGAN}, f"e is Running since {BEGAN}; it has no duration: its analyses end it"),
        ({"duration": "5m"}, {}, "e is Running: it waits for its pods to be available"),
    ],
)
def test_an_experiment_says_until_when(spec: dict[str, Any], status: dict[str, Any], said: str) -> None:
    thing = {"metadata": {"name": "e"}, "spec": spec, "status": {"phase": "Running", **status}}
    (sentence,) = explaining.experiment(thing)
    assert sentence.startswith(said)
