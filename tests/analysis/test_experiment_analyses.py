"""Analyses of Experiments: when they are made, what they are told, and what their verdicts do."""

from __future__ import annotations

import anyio
import pytest

from actors.experiment.makes import REPLICA_SETS
from actors.names.podhash import HASH_LABEL
from runtime.objects import Reference
from tests.analysis.trials import analysis, analysis_template, experiment, sizes, template, world
from tests.analysis.world import CLUSTER_TEMPLATES, EXPERIMENTS, RUNS, TEMPLATES, Script, metric

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("RO-AN-19")
async def test_analyses_begin_when_the_pods_are_available_and_know_their_hashes():
    async with world() as here:
        texts = {"hash": "{{templates.a.podTemplateHash}}", "set": "{{templates.a.replicaset.name}}"}
        declared = [{"name": name} for name in texts]
        await here.create(TEMPLATES, analysis_template("t", args=declared))
        args = [{"name": name, "value": value} for name, value in texts.items()]
        wanted = experiment(template("a"), analyses=[analysis("x", args=args)], duration="1m",
                            analysisRunMetadata={"labels": {"l": "1"}, "annotations": {"n": "2"}})  # fmt: skip
        ref = await here.create(EXPERIMENTS, wanted)
        status = await here.phase(ref, "Successful")

        [replicas] = here.stored(REPLICA_SETS)
        [run] = here.stored(RUNS)
        assert run["metadata"]["name"] == "e-x"
        assert run["metadata"]["labels"] == {"l": "1"}
        assert run["metadata"]["annotations"] == {"n": "2"}
        assert run["spec"]["args"] == [
            {"name": "hash", "value": replicas["metadata"]["labels"][HASH_LABEL]},
            {"name": "set", "value": "e-a"},
        ]
        assert status["analysisRuns"] == [{"name": "x", "analysisRun": "e-x", "phase": "Successful"}]


@pytest.mark.spec("RO-EX-6")
async def test_a_failed_analysis_ends_the_experiment():
    async with world(Script({"bad": [1.0, 0.0]})) as here:
        await here.create(TEMPLATES, analysis_template("t", metric("bad", interval="10s", count=5)))
        await here.create(CLUSTER_TEMPLATES, analysis_template("c", metric("endless", interval="10s")))
        both = [analysis("x"), analysis("y", "c", clusterScope=True)]
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=both))
        status = await here.phase(ref, "Failed")

        assert status["message"] == 'Metric "bad" assessed Failed due to failed (1) > failureLimit (0)'
        other = Reference(RUNS, "default", "e-y")
        found = await here.phase(other, "Successful")
        assert found["message"] == "Run Terminated"
        await here.world.until(lambda: not here.world.pods())
        assert ("AnalysisRunTerminating", "Terminating y (e-y)") in here.events()


@pytest.mark.spec("RO-EX-7")
@pytest.mark.parametrize("endless", [False, True])
async def test_the_experiment_ends_when_what_is_required_has_succeeded_whatever_else_runs(endless):
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="10s", count=3)))
        await here.create(TEMPLATES, analysis_template("endless", metric(interval="10s")))
        more = [analysis("y", "endless")] if endless else []
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True), *more]))  # fmt: skip
        status = await here.phase(ref, "Successful")

        assert status["message"] == "Required AnalysisRuns completed"
        if endless:
            assert (await here.phase(Reference(RUNS, "default", "e-y"), "Successful"))["message"] == "Run Terminated"


async def test_an_experiment_that_is_told_to_end_waits_for_no_required_analysis():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="10s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True)]))  # fmt: skip
        await here.until(ref, lambda status: (status.get("analysisRuns") or [{}])[0].get("phase") == "Running")
        await here.edit(ref, terminate=True)
        await here.phase(ref, "Successful")


@pytest.mark.spec("RO-EX-3")
async def test_an_experiment_without_required_analyses_waits_for_its_duration_only():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="10s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")], duration="30s"))
        await here.phase(ref, "Successful")

        found = await here.phase(Reference(RUNS, "default", "e-x"), "Successful")
        assert found["message"] == "Run Terminated"


@pytest.mark.parametrize("cluster", [False, True])
async def test_a_template_that_is_missing_is_an_error_before_anything_is_measured(cluster):
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", clusterScope=cluster)]))  # fmt: skip
        status = await here.phase(ref, "Error")

        kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
        assert status["message"] == (
            f"{kind} verification failed for analysis 'x': {kind.lower()}.argoproj.io \"t\" not found"
        )
        assert here.stored(RUNS) == []


async def test_an_experiment_that_is_over_before_it_has_pods_gets_none():
    """The delay before its pods go holds those that there are."""
    async with world() as here:
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")]))
        await here.phase(ref, "Error")
        for _ in range(40):
            await anyio.sleep(1)
            assert (sizes(here), here.world.pods()) == ({"e-a": 0}, [])


async def test_an_argument_that_nobody_gives_is_an_error():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", args=[{"name": "who"}]))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")]))
        status = await here.phase(ref, "Error")

        assert status["message"] == "Failed to create AnalysisRun for analysis 'x': args.who was not resolved"


async def test_nested_templates_are_measured_together():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("inner", metric("inner")))
        outer = analysis_template("t", metric("outer"), templates=[{"templateName": "inner"}])
        await here.create(TEMPLATES, outer)
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")], duration="20s"))
        await here.phase(ref, "Successful")

        [run] = here.stored(RUNS)
        assert [each["name"] for each in run["spec"]["metrics"]] == ["outer", "inner"]


@pytest.mark.spec("RO-EX-9")
async def test_dry_run_and_retention_of_the_experiment_reach_its_runs():
    async with world(Script({"m": [0.0]})) as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="1s", count=4, failureLimit=4)))
        rules = {"dryRun": [{"metricName": ".*"}], "measurementRetention": [{"metricName": "m", "limit": 2}]}
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[
            analysis("x", requiredForCompletion=True)], **rules))  # fmt: skip
        await here.phase(ref, "Successful")

        status = here.stored(RUNS)[0]["status"]
        assert status["dryRunSummary"] == {"count": 1, "successful": 1}
        assert len(status["metricResults"][0]["measurements"]) == 2


async def test_a_run_that_is_there_already_is_left_and_another_name_is_taken():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t"))
        await here.create(RUNS, {"metadata": {"name": "e-x"}, "spec": {"metrics": [metric()]}})
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")], duration="20s"))
        status = await here.phase(ref, "Successful")

        assert status["analysisRuns"][0]["analysisRun"] == "e-x.1"


async def test_a_run_that_somebody_deletes_is_an_error():
    async with world() as here:
        await here.create(TEMPLATES, analysis_template("t", metric(interval="5s")))
        ref = await here.create(EXPERIMENTS, experiment(template("a"), analyses=[analysis("x")]))
        await here.until(ref, lambda status: (status.get("analysisRuns") or [{}])[0].get("phase") == "Running")
        await here.world.api.delete(Reference(RUNS, "default", "e-x"))
        status = await here.phase(ref, "Error")

        assert status["message"] == 'analysisruns.argoproj.io "e-x" not found'
