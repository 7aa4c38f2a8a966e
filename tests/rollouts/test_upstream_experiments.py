"""Upstream's cases of Experiments, with pods, runs and Jobs that are carried out."""

from __future__ import annotations

import pytest

from runtime.objects import Object, owner_uid
from tests.analysis.world import EXPERIMENTS, Script
from tests.rollouts.jobs import fate, sleeper, template
from tests.rollouts.world import RolloutWorld, rollout, rollout_world

pytestmark = pytest.mark.virtual_time

HASH = "rollouts-pod-template-hash"


async def test_RolloutWithExperimentAndAnalysis() -> None:
    """What the Job of an Experiment's run is told: the hashes of both sides, and of the versions made for it."""
    latest, stable = ({"valueFrom": {"podTemplateHashValue": side}} for side in ("Latest", "Stable"))
    args = [
        {"name": "latest", **latest}, {"name": "stable", **stable},
        {"name": "base", "value": "{{templates.baseline.podTemplateHash}}"},
        {"name": "try", "value": "{{templates.canary.podTemplateHash}}"},
    ]  # fmt: skip
    metric = sleeper(job={"metadata": {"labels": {"foo": "bar"}, "annotations": {"foo2": "bar2"}}})
    container = metric["provider"]["job"]["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": each["name"], "value": f"{{{{args.{each['name']}}}}}"} for each in args]
    sides = [{"name": "baseline", "specRef": "stable"}, {"name": "canary", "specRef": "canary"}]
    analysis = {"name": "x", "templateName": "t", "args": args, "requiredForCompletion": True}
    steps = [{"experiment": {"templates": sides, "analyses": [analysis]}}, {"pause": {}}]
    async with rollout_world(fate, script=Script()) as here:
        declared = template("t", metric, args=[{"name": each["name"]} for each in args])
        await here.apply(declared, rollout(canary={"steps": steps}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        [trial] = here.stored("argoproj.io", "experiments")
        assert trial["status"]["phase"] == "Successful"
        own = [each for each in here.stored("apps", "replicasets") if owner_uid(each) == trial["metadata"]["uid"]]
        made = {each["metadata"]["annotations"]["experiment.argoproj.io/template-name"]: each for each in own}
        for revision, name in ((1, "baseline"), (2, "canary")):
            assert made[name]["spec"]["template"]["spec"] == here.sets()[revision]["spec"]["template"]["spec"]
        base, canary = (made[name]["metadata"]["labels"][HASH] for name in ("baseline", "canary"))
        assert len({base, canary, here.hash(1), here.hash(2)}) == 4
        [job] = here.stored("batch", "jobs")
        told = {each["name"]: each["value"] for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert told == {"latest": here.hash(2), "stable": here.hash(1), "base": base, "try": canary}
        assert (job["metadata"]["labels"]["foo"], job["metadata"]["annotations"]["foo2"]) == ("bar", "bar2")
        await here.promote()
        await here.until_phase("Healthy")


def experiment(**spec: object) -> Object:
    container = {"name": "app", "image": "i"}
    version = {
        "name": "test", "replicas": 1, "service": {}, "selector": {"matchLabels": {"app": "e"}},
        "template": {"metadata": {"labels": {"app": "e"}}, "spec": {"containers": [container]}},
    }  # fmt: skip
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment",
        "metadata": {"name": "e", "namespace": "default"},
        "spec": {"templates": [version], "analyses": [{"name": "x", "templateName": "t"}], "duration": "30s", **spec},
    }  # fmt: skip


async def run_of(here: RolloutWorld, metric: Object, **spec: object) -> Object:
    """The status of the run of an Experiment that has been successful."""
    await here.apply(template("t", metric), experiment(**spec))
    await here.until(
        lambda: here.stored(EXPERIMENTS.group, EXPERIMENTS.plural)[0].get("status", {}).get("phase") == "Successful"
    )
    await here.settle(3)
    [run] = here.stored("argoproj.io", "analysisruns")
    status: Object = run["status"]
    return status


async def test_ExperimentWithDryRunMetrics() -> None:
    async with rollout_world(fate, script=Script()) as here:
        status = await run_of(here, sleeper("test-1", code=1), dryRun=[{"metricName": "test.*"}])
        assert (status["phase"], status["dryRunSummary"]) == ("Successful", {"count": 1, "failed": 1})


async def test_ExperimentWithMeasurementRetentionMetrics() -> None:
    async with rollout_world(fate, script=Script()) as here:
        kept = [{"metricName": "test.*", "limit": 2}]
        status = await run_of(here, sleeper("test-1", interval="3s", failureLimit=1), measurementRetention=kept)
        [result] = status["metricResults"]
        assert (len(result["measurements"]), result["count"] > 2) == (2, True)
