"""Runs and experiments of a Rollout: when they are made, what their verdicts do, when they are ended and forgotten.

The verdicts are the test's: who measures is another room, and the two agree through the run's status alone.
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout import wire
from runtime.objects import Object, reference
from tests.rollouts.world import RolloutWorld, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

TEMPLATES = [{"templateName": "t"}]


def template(name: str = "t", interval: str | None = None, **spec: Any) -> Object:
    """A template of one metric."""
    metric = {"name": "m", "provider": {"job": {"spec": {"template": {"spec": {"containers": []}}}}}}
    if interval:
        metric["interval"] = interval
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"metrics": [metric], **spec},
    }


def runs(here: RolloutWorld) -> dict[str, Object]:
    return {run["metadata"]["name"]: run for run in here.stored("argoproj.io", "analysisruns")}


def name(here: RolloutWorld, revision: int, *parts: str) -> str:
    return "-".join(["r", here.hash(revision), str(revision), *parts])


async def verdict(here: RolloutWorld, run: str, phase: str, message: str = "") -> None:
    status = {"phase": phase, **({"message": message} if message else {})}
    await here.api.patch(reference(wire.ANALYSIS_RUNS, runs(here)[run]), {"status": status})
    await here.settle(2)


async def paused(here: RolloutWorld, *things: Object, canary: Object, replicas: int = 1) -> None:
    await here.apply(template(), *things, rollout(replicas=replicas, canary=canary))
    await here.until_phase("Healthy")
    assert runs(here) == {}
    await here.image("v2")
    await here.settle(10)


@pytest.mark.spec("RO-1.4-analysis", "RO-2.19-runs")
async def test_a_step_waits_for_its_run() -> None:
    args = [
        {"name": "h", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "s", "valueFrom": {"podTemplateHashValue": "Stable"}},
        {"name": "l", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    declared = [{"name": each["name"]} for each in args]
    analysis = {"templates": [{"templateName": "u"}], "args": args, "analysisRunMetadata": {"labels": {"x": "y"}}}
    async with rollout_world() as here:
        await paused(here, template("u", args=declared), canary={"steps": [{"setWeight": 50}, {"analysis": analysis}]})
        run = runs(here)[name(here, 2, "1")]
        assert run["metadata"]["labels"] == {
            "app": "r", "x": "y", "rollout-type": "Step", "step-index": "1", wire.HASH: here.hash(2)
        }  # fmt: skip
        values = {each["name"]: each["value"] for each in run["spec"]["args"]}
        assert values == {"h": here.hash(2), "s": here.hash(1), "l": "r"}
        assert here.phase() == "Progressing"
        await verdict(here, run["metadata"]["name"], "Running")
        assert here.status()["canary"]["currentStepAnalysisRunStatus"]["status"] == "Running"
        await verdict(here, run["metadata"]["name"], "Successful")
        await here.until_phase("Healthy")
        assert "AnalysisRunSuccessful" in here.events()


async def test_a_failed_step_aborts_with_its_message_and_a_retry_runs_anew() -> None:
    async with rollout_world() as here:
        steps = [{"setWeight": 50}, {"analysis": {"templates": TEMPLATES}}]
        await paused(here, canary={"steps": steps}, replicas=2)
        await verdict(here, name(here, 2, "1"), "Failed", "too bad")
        await here.until_phase("Degraded")
        text = "Step-based analysis phase error/failed: too bad"
        assert here.status()["message"] == f"RolloutAborted: Rollout aborted update to revision 2: {text}"
        await here.until(lambda: here.sizes() == {1: 2, 2: 0})
        await here.retry()
        await here.until(lambda: len(runs(here)) == 2)
        again = name(here, 2, "1") + ".1"
        await verdict(here, again, "Successful")
        await here.until_phase("Healthy")


@pytest.mark.spec("RO-7-6")
async def test_an_inconclusive_step_pauses_and_promote_skips_it() -> None:
    async with rollout_world() as here:
        await paused(here, canary={"steps": [{"analysis": {"templates": TEMPLATES}}, {"pause": {}}]})
        await verdict(here, name(here, 2, "0"), "Inconclusive")
        await here.until_phase("Paused")
        assert here.status()["message"] == "InconclusiveAnalysisRun"
        await here.promote()
        await here.until(lambda: here.status()["currentStepIndex"] == 1)
        await here.until(lambda: here.status()["message"] == "CanaryPauseStep")
        assert len(runs(here)) == 1


@pytest.mark.spec("RO-1.3-analysis")
async def test_the_background_run_lives_from_its_step_to_the_end() -> None:
    canary = {
        "steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"pause": {}}],
        "analysis": {"templates": TEMPLATES, "startingStep": 2},
    }
    async with rollout_world() as here:
        await paused(here, canary=canary, replicas=5)
        assert runs(here) == {}
        await here.promote()
        await here.until(lambda: len(runs(here)) == 1)
        run = name(here, 2)
        assert runs(here)[run]["metadata"]["labels"]["rollout-type"] == "Background"
        await verdict(here, run, "Running")
        await here.until_phase("Paused")
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(3)
        assert runs(here)[run]["spec"]["terminate"] is True


async def test_a_failing_background_run_brings_stable_back() -> None:
    canary = {"steps": [{"setWeight": 40}, {"pause": {}}], "analysis": {"templates": TEMPLATES}}
    async with rollout_world() as here:
        await paused(here, canary=canary, replicas=5)
        assert here.phase() == "Paused"
        await verdict(here, name(here, 2), "Failed", "no")
        await here.until_phase("Degraded")
        await here.until(lambda: here.sizes() == {1: 5, 2: 0})
        assert "Background analysis phase error/failed: no" in here.status()["message"]


@pytest.mark.spec("RO-1.5-analysis", "RO-7-12")
async def test_blue_green_measures_before_and_after_the_switch() -> None:
    strategy = {"activeService": "a", "prePromotionAnalysis": {"templates": TEMPLATES},
                "postPromotionAnalysis": {"templates": TEMPLATES}}  # fmt: skip
    async with rollout_world() as here:
        await here.apply(template(), service("a"), rollout(replicas=2, blueGreen=strategy))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: name(here, 2, "pre") in runs(here) if 2 in here.sets() else False)
        assert here.selected("a") == here.hash(1)
        await verdict(here, name(here, 2, "pre"), "Successful")
        await here.until(lambda: here.selected("a") == here.hash(2))
        await here.settle(3)
        assert here.status()["message"] == "waiting for analysis to complete"
        assert here.status()["stableRS"] == here.hash(1)
        await here.settle(100)
        assert here.sizes() == {1: 2, 2: 2}
        await verdict(here, name(here, 2, "post"), "Failed")
        await here.until_phase("Degraded")
        await here.until(lambda: here.selected("a") == here.hash(1))
        assert here.status()["stableRS"] == here.hash(1)
        await here.image("v1")
        await here.until_phase("Healthy")
        assert len(runs(here)) == 2


async def test_full_promotion_makes_no_more_runs() -> None:
    strategy = {"activeService": "a", "autoPromotionEnabled": False, "prePromotionAnalysis": {"templates": TEMPLATES},
                "postPromotionAnalysis": {"templates": TEMPLATES}}  # fmt: skip
    async with rollout_world() as here:
        await here.apply(template(), service("a"), rollout(replicas=2, blueGreen=strategy))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: len(runs(here)) == 1)
        await here.promote_full()
        await here.until_phase("Healthy", limit_s=60)
        assert len(runs(here)) == 1
        assert here.selected("a") == here.hash(2)


@pytest.mark.spec("RO-1.2-analysis")
async def test_runs_are_kept_by_outcome() -> None:
    async with rollout_world() as here:
        thing = rollout(canary={"steps": [{"analysis": {"templates": TEMPLATES}}]})
        thing["spec"]["analysis"] = {"successfulRunHistoryLimit": 1}
        await here.apply(template(), thing)
        await here.until_phase("Healthy")
        for number in (2, 3, 4):
            await here.image(f"v{number}")
            await here.until(lambda number=number: number in here.sets() and name(here, number, "0") in runs(here))
            await verdict(here, name(here, number, "0"), "Successful")
            await here.until_phase("Healthy")
            await here.settle(5)
        assert set(runs(here)) == {name(here, 4, "0")}


@pytest.mark.spec("RO-1.4-experiment")
async def test_an_experiment_step() -> None:
    sides = [{"name": "base", "specRef": "stable"}, {"name": "new", "specRef": "canary"}]
    step = {"duration": "5m", "templates": sides, "analyses": [{"name": "a", "templateName": "t"}]}
    async with rollout_world() as here:
        await paused(here, canary={"steps": [{"experiment": step}, {"pause": {}}]})
        [experiment] = here.stored("argoproj.io", "experiments")
        assert experiment["metadata"]["name"] == name(here, 2, "0")
        first, second = experiment["spec"]["templates"]
        assert first["template"]["spec"]["containers"][0]["image"] == "v1"
        assert second["template"]["spec"]["containers"][0]["image"] == "v2"
        assert first["selector"]["matchLabels"][wire.HASH] == here.hash(1)
        assert here.status()["canary"]["currentExperiment"] == name(here, 2, "0")
        assert "ExperimentCreated" in here.events()
        await here.api.patch(reference(wire.EXPERIMENTS, experiment), {"status": {"phase": "Running"}})
        await here.settle(60)
        await here.api.patch(reference(wire.EXPERIMENTS, experiment), {"status": {"phase": "Successful"}})
        await here.until_phase("Paused")
        assert here.status()["currentStepIndex"] == 1


def experiments(here: RolloutWorld) -> list[Object]:
    """Its Experiments, in the order of their making."""
    found = here.stored("argoproj.io", "experiments")
    return sorted(found, key=lambda each: int(each["metadata"]["resourceVersion"]))


async def conclude(here: RolloutWorld, phase: str) -> None:
    """Give the Experiment that is under way its verdict."""
    name = here.status()["canary"]["currentExperiment"]
    [one] = [each for each in experiments(here) if each["metadata"]["name"] == name]
    await here.api.patch(reference(wire.EXPERIMENTS, one), {"status": {"phase": phase}})
    await here.settle(20)


TRY = {"experiment": {"templates": [{"name": "a", "specRef": "canary"}]}}


@pytest.mark.spec("RO-1.4-experiment")
async def test_an_inconclusive_experiment_is_repeated_only_when_a_person_resumes() -> None:
    async with rollout_world() as here:
        await paused(here, canary={"steps": [{"setWeight": 50}, TRY, {"pause": {}}]})
        await conclude(here, "Inconclusive")
        assert (here.phase(), here.status()["message"]) == ("Paused", "InconclusiveExperiment")
        assert len(experiments(here)) == 1
        await here.promote()
        await here.settle(20)
        first, again = (each["metadata"]["name"] for each in experiments(here))
        assert (again, here.status()["canary"]["currentExperiment"]) == (f"{first}-1", f"{first}-1")
        await conclude(here, "Inconclusive")
        assert (here.phase(), len(experiments(here))) == ("Paused", 2)
        await here.promote()
        await here.settle(20)
        await conclude(here, "Successful")
        assert (here.status()["currentStepIndex"], here.status()["message"]) == (2, "CanaryPauseStep")
        assert len(experiments(here)) == 3


@pytest.mark.spec("RO-1.4-experiment")
async def test_a_rollout_on_hold_does_not_repeat_an_experiment_that_succeeded() -> None:
    async with rollout_world() as here:
        await paused(here, canary={"steps": [TRY, TRY]})
        await here.patch({"spec": {"paused": True}})
        await conclude(here, "Successful")
        assert (here.status()["currentStepIndex"], len(experiments(here))) == (0, 1)
        await here.patch({"spec": {"paused": False}})
        await here.settle(20)
        assert (here.status()["currentStepIndex"], len(experiments(here))) == (1, 2)
        await conclude(here, "Successful")
        await here.until_phase("Healthy")


@pytest.mark.spec("RO-1.4-experiment")
async def test_the_success_of_an_experiment_is_not_that_of_the_next_step() -> None:
    async with rollout_world() as here:
        await paused(here, canary={"steps": [TRY, TRY]})
        await here.patch({"spec": {"paused": True}})
        await conclude(here, "Successful")
        await here.promote()  # it goes on, and skips the step
        await here.settle(20)
        assert (here.status()["currentStepIndex"], len(experiments(here))) == (1, 2)


async def test_a_failed_experiment_aborts_and_an_abort_ends_it() -> None:
    step = {"templates": [{"name": "new", "specRef": "canary"}]}
    async with rollout_world() as here:
        await paused(here, canary={"steps": [{"experiment": step}]})
        [experiment] = here.stored("argoproj.io", "experiments")
        await here.abort()
        await here.settle(3)
        [experiment] = here.stored("argoproj.io", "experiments")
        assert experiment["spec"]["terminate"] is True
        await here.retry()
        await here.until(lambda: len(here.stored("argoproj.io", "experiments")) == 2)
        every = {each["metadata"]["name"]: each for each in here.stored("argoproj.io", "experiments")}
        del every[experiment["metadata"]["name"]]
        [other] = every.values()
        await here.api.patch(reference(wire.EXPERIMENTS, other), {"status": {"phase": "Failed", "message": "late"}})
        await here.until_phase("Degraded")
        assert here.status()["message"].endswith("Experiment analysis phase is error/failed: late")


@pytest.mark.parametrize("replicas", [1, 4])
async def test_an_inconclusive_background_run_holds_even_a_timed_pause(replicas: int) -> None:
    steps = [{"setWeight": 50}, {"pause": {"duration": "30s"}}]
    async with rollout_world() as here:
        await paused(here, canary={"steps": steps, "analysis": {"templates": TEMPLATES}}, replicas=replicas)
        await verdict(here, name(here, 2), "Inconclusive")
        await here.settle(100)
        assert here.phase() == "Paused"
        assert here.status()["message"] == "InconclusiveAnalysisRun"
        assert here.status()["stableRS"] == here.hash(1)
        assert len(here.pods_of(2)) == (1 if replicas == 1 else 2)
        await here.promote()
        await here.settle(100)
        assert here.phase() == "Healthy"


async def test_auto_promotion_counts_from_the_end_of_the_analysis() -> None:
    strategy = {"activeService": "a", "previewService": "p", "previewReplicaCount": 1, "autoPromotionSeconds": 10,
                "prePromotionAnalysis": {"templates": TEMPLATES},
                "postPromotionAnalysis": {"templates": TEMPLATES}}  # fmt: skip
    async with rollout_world() as here:
        await here.apply(template(), service("a"), service("p"), rollout(replicas=2, blueGreen=strategy))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: len(runs(here)) == 1)
        await here.settle(60)
        assert here.sizes() == {1: 2, 2: 1}
        await verdict(here, name(here, 2, "pre"), "Successful")
        await here.settle(5)
        assert (here.phase(), here.sizes()) == ("Paused", {1: 2, 2: 1})
        await here.until(lambda: here.selected("a") == here.hash(2), limit_s=20)
        assert here.sizes() == {1: 2, 2: 2}
        await here.until(lambda: len(runs(here)) == 2)
        await verdict(here, name(here, 2, "post"), "Failed")
        await here.until_phase("Degraded")
        assert here.selected("a") == here.hash(1)
        assert here.counts() == (2, 4, 2, 2, 2)
