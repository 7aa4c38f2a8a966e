"""Metrics that are Jobs: made once, judged by their end, deleted with the run or when too many are kept."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.analysis.job import JOBS
from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from runtime.api import Refused
from runtime.objects import NAMESPACES, PODS, Reference, reference
from tests.analysis.world import RUNS, Script, ends, job_metric, lab, metric, run_of
from tests.kernel.coat import Coat

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("RO-PR-3")
@pytest.mark.parametrize(("code", "phase"), [(0, "Successful"), (1, "Failed")])
async def test_the_end_of_a_job_is_the_verdict(code, phase):
    async with lab(fate=ends(code)) as here:
        ref = await here.create(RUNS, run_of("r", job_metric()))
        status = await here.phase(ref, "Successful", "Failed", "Error")

        assert status["phase"] == phase
        [job] = here.stored(JOBS)
        meta = job["metadata"]
        assert meta["name"] == f"{ref.uid}.j.1"
        assert meta["labels"] == {"mine": "yes", "analysisrun.argoproj.io/uid": ref.uid}
        assert meta["annotations"]["analysisrun.argoproj.io/metric-name"] == "j"
        assert meta["annotations"]["note"] == "x"
        assert [owner["uid"] for owner in meta["ownerReferences"]] == [ref.uid]
        [measurement] = status["metricResults"][0]["measurements"]
        assert measurement["metadata"] == {"job-name": meta["name"], "job-namespace": "default"}


async def test_jobs_may_be_made_in_a_namespace_of_their_own():
    def rooms(measure: Any) -> list[Any]:
        return [analysis_room(measure, AnalysisSettings("system", job_namespace="jobs"))]

    async with lab(fate=ends(0), rooms=rooms) as here:
        await here.world.api.create(NAMESPACES, {"metadata": {"name": "jobs"}})
        ref = await here.create(RUNS, run_of("r", job_metric()))
        await here.until(ref, lambda status: bool(status.get("metricResults")))
        [job] = here.stored(JOBS)
        assert job["metadata"]["namespace"] == "jobs"
        assert "ownerReferences" not in job["metadata"]
        done = {"conditions": [{"type": "Complete", "status": "True"}]}
        await here.world.api.patch(reference(JOBS, job), {"status": done}, subresource="status")
        status = await here.phase(ref, "Successful")

        assert status["metricResults"][0]["measurements"][0]["metadata"]["job-namespace"] == "jobs"


async def test_a_job_under_way_is_ended_with_the_run_and_is_inconclusive():
    async with lab() as here:
        ref = await here.create(RUNS, run_of("r", job_metric()))
        await here.until(ref, lambda status: bool(status.get("metricResults")))
        await here.edit(ref, terminate=True)
        status = await here.phase(ref, "Inconclusive")

        [measurement] = status["metricResults"][0]["measurements"]
        assert (measurement["phase"], measurement["message"]) == ("Inconclusive", "Metric Terminated")
        await here.world.until(lambda: not here.stored(JOBS))


async def test_a_job_whose_image_cannot_be_had_is_inconclusive():
    async with lab() as here:
        ref = await here.create(RUNS, run_of("r", job_metric()))
        await here.world.until(lambda: bool(here.world.pods()))
        [pod] = here.world.pods()
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
        stuck = [{"name": "c", "image": "busybox", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}]
        meta = pod["metadata"]
        await here.world.api.patch(
            Reference(PODS, "default", meta["name"]), {"status": {"containerStatuses": stuck}}, subresource="status"
        )
        status = await here.phase(ref, "Inconclusive")

        name = meta["name"]
        assert status["metricResults"][0]["message"] == (
            f"Pod {name}, container c has terminal error (ImagePullBackOff): no such image"
        )


async def test_a_job_that_somebody_deletes_is_an_error():
    async with lab() as here:
        ref = await here.create(RUNS, run_of("r", job_metric(consecutiveErrorLimit=0)))
        await here.until(ref, lambda status: bool(status.get("metricResults")))
        await here.world.api.delete(Reference(JOBS, "default", f"{ref.uid}.j.1"), propagation="Background")
        status = await here.phase(ref, "Error")

        assert f'job.batch "{ref.uid}.j.1" not found' in status["message"]


async def test_jobs_beyond_those_that_are_kept_are_deleted():
    async with lab(fate=ends(0)) as here:
        rule = [{"metricName": "j", "limit": 2}]
        wanted = run_of("r", job_metric(interval="5s", count=5), measurementRetention=rule)
        ref = await here.create(RUNS, wanted)
        await here.phase(ref, "Successful")
        await here.world.until(lambda: len(here.stored(JOBS)) == 2)

        assert sorted(job["metadata"]["name"][-1] for job in here.stored(JOBS)) == ["4", "5"]


async def test_what_may_not_be_deleted_is_not_asked_for_all_the_time():
    tries: list[tuple[str, Any]] = []

    def fault(verb: str, subject: Any) -> Exception | None:
        if verb == "delete":
            tries.append((verb, subject))
            return Refused("no right to delete")
        return None

    async with lab(fate=ends(0), coat=lambda api: Coat(api, fault=fault)) as here:
        rule = [{"metricName": "j", "limit": 1}]
        wanted = job_metric(interval="5s", count=2)
        ref = await here.create(RUNS, run_of("r", wanted, measurementRetention=rule,
                                             ttlStrategy={"secondsAfterCompletion": 5}))  # fmt: skip
        await here.phase(ref, "Successful")
        await anyio.sleep(300)

        assert 10 < len(tries) < 30
        assert await here.get(ref) is not None


async def test_a_job_of_somebody_else_under_that_name_is_an_error():
    async with lab() as here:
        first = await here.create(RUNS, run_of("r", job_metric(initialDelay="30s", consecutiveErrorLimit=0)))
        foreign = job_metric()["provider"]["job"]["spec"]
        await here.create(JOBS, {"metadata": {"name": f"{first.uid}.j.1"}, "spec": foreign})
        status = await here.phase(first, "Error")

        assert "already exists and is not of this run" in status["message"]


async def test_a_failing_metric_ends_a_job_that_would_run_for_a_year():
    async with lab(Script({"bad": [0.0]})) as here:
        ref = await here.create(RUNS, run_of("r", job_metric("long"), metric("bad", initialDelay="5s")))
        status = await here.phase(ref, "Failed")

        phases = {result["name"]: result["phase"] for result in status["metricResults"]}
        assert phases == {"long": "Inconclusive", "bad": "Failed"}
        await here.world.until(lambda: not here.stored(JOBS))
