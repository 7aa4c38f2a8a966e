"""AnalysisRuns, from the object's creation to its verdict, in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.analysis.job import JOBS
from actors.analysis.query import Answer, ProviderError
from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from actors.names.timestamps import seconds
from tests.analysis.world import HANG, RUNS, Script, ends, job_metric, lab, metric, run_of

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("RO-AN-2")
async def test_a_run_measures_once_and_says_so():
    async with lab(Script({"m": [3.0]})) as here:
        ref = await here.create(RUNS, run_of("r", metric()))
        status = await here.phase(ref, "Successful", "Failed", "Error")

        at = status["startedAt"]
        assert status == {
            "phase": "Successful",
            "startedAt": at,
            "completedAt": at,
            "runSummary": {"count": 1, "successful": 1},
            "dryRunSummary": {},
            "metricResults": [
                {
                    "name": "m",
                    "phase": "Successful",
                    "count": 1,
                    "successful": 1,
                    "consecutiveSuccess": 1,
                    "measurements": [{"phase": "Successful", "startedAt": at, "finishedAt": at, "value": "3.0"}],
                }
            ],
        }
        await anyio.sleep(1)
        assert here.events() == [
            ("MetricSuccessful", "Metric 'm' Completed. Result: Successful"),
            ("AnalysisRunSuccessful", "Analysis Completed. Result: Successful"),
        ]


@pytest.mark.spec("RO-AN-13")
async def test_measurements_come_at_their_interval():
    async with lab(Script({"m": [1.0]})) as here:
        ref = await here.create(RUNS, run_of("r", metric(interval="20s", count=3)))
        await here.phase(ref, "Successful")

        times = [at for at, _ in here.script.asked]
        assert [round(at - times[0]) for at in times] == [0, 20, 40]


async def test_a_failure_ends_the_run_with_its_reason():
    async with lab(Script({"bad": [0.0], "good": [1.0]})) as here:
        ref = await here.create(RUNS, run_of("r", metric("bad"), metric("good", interval="1h")))
        status = await here.phase(ref, "Failed")

        assert status["message"] == 'Metric "bad" assessed Failed due to failed (1) > failureLimit (0)'
        assert status["runSummary"] == {"count": 2, "successful": 1, "failed": 1}


async def test_errors_are_retried_every_ten_seconds_until_there_are_too_many():
    async with lab(Script({"m": [ProviderError("it broke")]})) as here:
        ref = await here.create(RUNS, run_of("r", metric()))
        status = await here.phase(ref, "Error")

        assert status["message"] == (
            'Metric "m" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): '
            '"Error Message: it broke"'
        )
        assert round(here.script.asked[-1][0] - here.script.asked[0][0]) == 40


@pytest.mark.spec("RO-AN-17")
async def test_a_user_ends_an_endless_run():
    async with lab() as here:
        ref = await here.create(RUNS, run_of("r", metric(interval="10s")))
        await here.phase(ref, "Running")
        await anyio.sleep(25)
        await here.edit(ref, terminate=True)
        status = await here.phase(ref, "Successful")

        assert status["message"] == "Run Terminated"
        assert status["metricResults"][0]["count"] == 3


async def test_a_metric_that_hangs_holds_up_no_other_and_ends_with_the_run():
    async with lab(Script({"slow": [HANG], "bad": [1.0, 1.0, 0.0]})) as here:
        ref = await here.create(RUNS, run_of("r", metric("slow"), metric("bad", interval="10s", count=5)))
        status = await here.phase(ref, "Failed")

        assert [each["name"] for each in status["metricResults"]] == ["bad"]
        assert seconds(status["completedAt"]) - seconds(status["startedAt"]) == 30  # ten of them patience


async def test_a_metric_that_never_answers_is_an_error_in_the_end():
    async with lab(Script({"m": [HANG]})) as here:
        ref = await here.create(RUNS, run_of("r", metric(consecutiveErrorLimit=0)))
        status = await here.phase(ref, "Error")

        assert "gave no answer within" in status["message"]


@pytest.mark.spec("RO-AN-10")
async def test_a_dry_run_metric_is_measured_and_changes_nothing():
    async with lab(Script({"m": [0.0]})) as here:
        ref = await here.create(RUNS, run_of("r", metric(), dryRun=[{"metricName": ".*"}]))
        status = await here.phase(ref, "Successful")

        assert status["dryRunSummary"] == {"count": 1, "failed": 1}
        assert status["runSummary"] == {}
        assert status["metricResults"][0]["dryRun"] is True


@pytest.mark.spec("RO-AN-11")
async def test_as_many_measurements_are_kept_as_a_rule_says():
    async with lab() as here:
        rule = [{"metricName": "m", "limit": 2}]
        ref = await here.create(RUNS, run_of("r", metric(interval="1s", count=12), measurementRetention=rule))
        status = await here.phase(ref, "Successful")

        assert len(status["metricResults"][0]["measurements"]) == 2
        assert status["metricResults"][0]["count"] == 12


async def test_a_delayed_metric_waits():
    async with lab() as here:
        ref = await here.create(RUNS, run_of("r", metric("a"), metric("b", initialDelay="1m")))
        await here.phase(ref, "Successful")

        times = {name: at for at, name in here.script.asked}
        assert 60 <= times["b"] - times["a"] < 61


@pytest.mark.spec("RO-AN-18")
@pytest.mark.parametrize(("value", "strategy", "ttl"), [
    (1.0, {"secondsAfterSuccess": 20, "secondsAfterCompletion": 90}, 20),
    (0.0, {"secondsAfterFailure": 30, "secondsAfterSuccess": 5}, 30),
    (None, {"secondsAfterFailure": 5, "secondsAfterSuccess": 5, "secondsAfterCompletion": 40}, 40),
])  # fmt: skip
async def test_a_run_is_deleted_when_its_time_is_over(value, strategy, ttl):
    async with lab(Script({"m": [value]})) as here:
        wanted = run_of("r", metric(consecutiveErrorLimit=0), ttlStrategy=strategy)
        ref = await here.create(RUNS, wanted)
        status = await here.phase(ref, "Successful", "Failed", "Error")
        await anyio.sleep(ttl - 2)
        assert await here.get(ref) is not None
        await anyio.sleep(5)
        assert await here.get(ref) is None
        assert status["completedAt"]


@pytest.mark.spec("RO-AN-12", "RO-AN-16")
@pytest.mark.parametrize(("spec", "message"), [
    ({"metrics": []}, "Analysis spec invalid: no metrics specified"),
    ({"metrics": [metric("a"), metric("a")]}, "Analysis spec invalid: metrics[1]: duplicate name 'a'"),
    ({"metrics": [{"name": "a", "provider": {}}]}, "Analysis spec invalid: metrics[0]: no provider specified"),
    ({"metrics": [metric(count=3)]}, "Analysis spec invalid: metrics[0]: interval must be specified when count > 1"),
    ({"metrics": [metric(interval="soon")]},
     'Analysis spec invalid: metrics[0]: invalid interval string: time: invalid duration "soon"'),
    ({"metrics": [metric()], "dryRun": [{"metricName": "*"}]},
     "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)"),
    ({"metrics": [metric()], "measurementRetention": [{"metricName": "x", "limit": 1}]},
     "Analysis spec invalid: measurementRetention[0]: Rule didn't match any metric name(s)"),
    ({"metrics": [metric()], "args": [{"name": "x"}]},
     'Unable to resolve metric arguments: argument "x" was not supplied'),
    ({"metrics": [metric(successCondition="{{args.y}}")], "args": [{"name": "x", "value": "1"}]},
     "Unable to resolve metric arguments: failed to resolve {{args.y}}"),
])  # fmt: skip
async def test_a_run_that_cannot_be_measured_says_why(spec, message):
    async with lab() as here:
        ref = await here.create(RUNS, {"metadata": {"name": "r"}, "spec": spec})
        status = await here.phase(ref, "Error")

        assert status["message"] == message
        assert status["completedAt"]
        assert here.script.asked == []


# ------------------------------------------------------------------------------------------- bad weather


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_dies_and_gets_lost_the_verdict_is_the_same(seed):
    async with lab(Script({"m": [1.0]}), fate=ends(0), seed=seed, bad=0.2, deaths_every_s=15.0) as here:
        ref = await here.create(RUNS, run_of("r", metric(interval="10s", count=6), job_metric(interval="7s", count=4)))
        status = await here.phase(ref, "Successful", "Failed", "Error", "Inconclusive")

        assert status["phase"] == "Successful"
        results = {result["name"]: result for result in status["metricResults"]}
        assert results["m"]["count"] == results["m"]["successful"] == 6
        assert results["j"]["count"] == results["j"]["successful"] == 4
        assert len({job["metadata"]["name"] for job in here.stored(JOBS)}) == 4
        assert len(results["m"]["measurements"]) == 6


async def test_a_status_that_a_user_wipes_is_begun_anew():
    async with lab() as here:
        ref = await here.create(RUNS, run_of("r", metric(interval="10s", count=3)))
        await anyio.sleep(15)
        await here.world.api.patch(ref, {"status": None})
        status = await here.phase(ref, "Successful")

        assert status["metricResults"][0]["count"] == 3
        assert len(here.script.asked) == 5


async def test_a_judgement_that_takes_a_while_is_looked_at_until_it_is_done():
    metadata = {"canaryExecutionId": "e"}
    running = Answer(phase="Running", metadata=metadata, resume_after_s=15.0)
    script = Script(
        {"m": [running, Answer(phase="Running", resume_after_s=15.0), Answer(phase="Successful", text="95")]}
    )
    async with lab(script) as here:
        ref = await here.create(RUNS, run_of("r", metric()))
        status = await here.phase(ref, "Successful")

        [measurement] = status["metricResults"][0]["measurements"]
        assert (measurement["phase"], measurement["value"], measurement["metadata"]) == ("Successful", "95", metadata)
        assert "resumeAt" not in measurement
        assert [query.unfinished is not None for query in script.queries] == [False, True, True]
        assert round(script.asked[2][0] - script.asked[0][0]) == 30


async def test_a_judgement_under_way_goes_on_where_it_was_when_the_controller_dies():
    answers = [
        Answer(phase="Running", metadata={"canaryExecutionId": "e"}, resume_after_s=60.0),
        Answer(phase="Failed"),
    ]
    async with lab(Script({"m": answers}), deaths_every_s=10.0, seed=3) as here:
        ref = await here.create(RUNS, run_of("r", metric()))
        await here.phase(ref, "Failed")

        assert here.deaths > 1
        assert here.script.queries[-1].unfinished["metadata"] == {"canaryExecutionId": "e"}
        assert len(here.script.queries) == 2


async def test_only_runs_with_the_label_of_this_installation_are_its_business():
    mine = {"argo-rollouts.argoproj.io/controller-instance-id": "me"}

    def rooms(measure: Any) -> list[Any]:
        return [analysis_room(measure, AnalysisSettings("system", instance_id="me"))]

    async with lab(rooms=rooms) as here:
        other = await here.create(RUNS, run_of("other", metric()))
        own = await here.create(RUNS, {**run_of("own", metric()), "metadata": {"name": "own", "labels": mine}})
        await here.phase(own, "Successful")
        await anyio.sleep(60)

        assert await here.status(other) == {}
