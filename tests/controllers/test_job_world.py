"""Whole jobs in virtual time: every end is counted once, whatever dies when, and nothing holds a pod back then."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from random import Random
from typing import Any

import anyio
import pytest

from runtime.api import Gone
from runtime.objects import PODS, Object, Reference, reference
from tests.controllers.world import Fate, World, world
from tiphys.devcluster.controllers.job.workers import INDEX, is_tracked
from tiphys.devcluster.controllers.owners import JOBS

pytestmark = pytest.mark.virtual_time


def job(**spec: Any) -> Object:
    """A Job of one container."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "busybox"}]}}
    return {"metadata": {"name": "j"}, "spec": {"template": template} | spec}


def status(here: World) -> Object:
    """The Job's status as stored."""
    found: Object = here.stored("batch", "jobs")[0]["status"]
    return found


def conditions(here: World) -> dict[str, str]:
    """Type and reason of all conditions that hold."""
    return {c["type"]: c.get("reason", "") for c in status(here).get("conditions") or () if c["status"] == "True"}


def ends(here: World) -> bool:
    """Whether the Job is finished."""
    return bool({"Complete", "Failed"} & conditions(here).keys())


def good(seconds: float = 2.0) -> Callable[[Object], Fate]:
    """Every pod succeeds."""
    return lambda pod: Fate(ready_s=0.5, ends_s=seconds)


def bad(pod: Object) -> Fate:
    """Every pod fails."""
    return Fate(ready_s=0.5, ends_s=1, code=3)


async def test_a_job_completes_with_its_conditions_times_and_counts() -> None:
    async with world(good()) as here:
        await here.create(JOBS, job(completions=5, parallelism=2))
        most = 0

        def look() -> None:
            nonlocal most
            most = max(most, len(here.active()))

        here.after_commit(look)
        await here.until(lambda: ends(here))
        assert conditions(here) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
        found = status(here)
        assert (found["succeeded"], found["ready"], found["terminating"], found.get("active")) == (5, 0, 0, None)
        assert found["startTime"] < found["completionTime"]
        assert found["uncountedTerminatedPods"] == {}
        assert (most, len(here.created)) == (2, 5)
        assert not any(is_tracked(pod) for pod in here.pods())


@pytest.mark.parametrize("seed", range(5))
async def test_every_end_is_counted_once_whatever_dies_when(seed: int) -> None:
    dice = Random(seed)
    codes: dict[str, int] = {}

    def fate(pod: Object) -> Fate:
        code = codes[pod["metadata"]["uid"]] = 1 if dice.random() < 0.3 else 0
        return Fate(ready_s=0.2, ends_s=dice.uniform(0.3, 5), code=code)

    async with world(fate, seed=seed, bad=0.1, deaths_every_s=3.0) as here:
        completions, parallelism = dice.randint(1, 8), dice.randint(1, 4)
        here.after_commit(lambda: _at_most(here, parallelism))
        await here.create(JOBS, job(completions=completions, parallelism=parallelism, backoffLimit=100))
        await here.until(lambda: ends(here), 6000)
        assert "Complete" in conditions(here)
        assert status(here)["succeeded"] == completions == list(codes.values()).count(0)
        assert status(here).get("failed", 0) == list(codes.values()).count(1)
        assert not any(is_tracked(pod) for pod in here.pods())
        assert here.deaths


def _at_most(here: World, number: int) -> None:
    assert len(here.active()) <= number


@pytest.mark.parametrize("seed", range(4))
async def test_an_indexed_job_does_every_index_once_and_goes_on_after_failures(seed: int) -> None:
    failed: set[str] = set()

    def fate(pod: Object) -> Fate:
        index = pod["metadata"]["annotations"][INDEX]
        first = index not in failed
        failed.add(index)
        return Fate(ready_s=0.2, ends_s=1, code=1 if first and index in ("1", "3") else 0)

    async with world(fate, seed=seed, bad=0.1, deaths_every_s=4.0) as here:
        await here.create(JOBS, job(completions=5, parallelism=3, completionMode="Indexed"))
        await here.until(lambda: ends(here))
        found = status(here)
        assert (found["succeeded"], found["failed"], found["completedIndexes"]) == (5, 2, "0-4")
        indexes = sorted(pod["metadata"]["labels"][INDEX] for pod in here.pods())
        assert indexes == ["0", "1", "1", "2", "3", "3", "4"]
        pod = here.pods()[0]
        index = pod["metadata"]["labels"][INDEX]
        assert pod["spec"]["hostname"] == f"j-{index}"
        variable = pod["spec"]["containers"][0]["env"][0]
        assert variable["name"] == "JOB_COMPLETION_INDEX"
        assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{INDEX}']"


async def test_failures_back_off_exponentially_until_the_limit() -> None:
    async with world(bad) as here:
        times: list[float] = []
        here.fate = lambda pod: times.append(anyio.current_time()) or bad(pod)  # type: ignore[func-returns-value]
        await here.create(JOBS, job(backoffLimit=3))
        await here.until(lambda: ends(here))
        assert conditions(here) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
        assert status(here)["failed"] == 4
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert [round(gap / 10) for gap in gaps] == [1, 2, 4]
        assert "completionTime" not in status(here)


async def test_the_deadline_stops_what_runs_and_fails_the_job() -> None:
    async with world(lambda pod: Fate(ending_s=5)) as here:
        await here.create(JOBS, job(parallelism=2, completions=2, activeDeadlineSeconds=20))
        await anyio.sleep(22)
        assert conditions(here) == {"FailureTarget": "DeadlineExceeded"}
        await here.until(lambda: ends(here))
        assert conditions(here)["Failed"] == "DeadlineExceeded"
        assert here.pods() == []
        assert status(here)["failed"] == 2


async def test_a_suspended_job_has_no_pods_and_its_time_starts_anew() -> None:
    async with world(lambda pod: Fate(ends_s=30)) as here:
        ref = await here.create(JOBS, job(suspend=True))
        await anyio.sleep(10)
        assert (here.created, conditions(here)) == ([], {"Suspended": "JobSuspended"})
        assert "startTime" not in status(here)
        await here.api.patch(ref, {"spec": {"suspend": False}})
        await anyio.sleep(10)
        first = status(here)["startTime"]
        await here.api.patch(ref, {"spec": {"suspend": True}})
        await anyio.sleep(10)
        assert here.active() == []
        assert status(here).get("failed") is None
        await here.api.patch(ref, {"spec": {"suspend": False}})
        await here.until(lambda: ends(here))
        assert status(here)["startTime"] > first
        assert status(here)["succeeded"] == 1


async def test_a_finished_job_goes_with_its_pods_when_its_time_to_live_is_over() -> None:
    async with world(good()) as here:
        ref = await here.create(JOBS, job(ttlSecondsAfterFinished=50))
        await here.until(lambda: ends(here))
        await anyio.sleep(45)
        assert await here.api.get(ref)
        await anyio.sleep(10)
        assert here.stored("batch", "jobs") == []
        assert here.pods() == []


@pytest.mark.parametrize("deaths_every_s", [None, 0.7])
async def test_pods_of_a_deleted_job_are_let_go(deaths_every_s: float | None) -> None:
    async with world(deaths_every_s=deaths_every_s, bad=0.1) as here:
        ref = await here.create(JOBS, job(parallelism=3, completions=3))
        await here.until(lambda: len(here.active()) == 3)
        await here.api.delete(ref, propagation="Background")
        await here.until(lambda: not here.pods())


async def test_orphaned_pods_are_let_go_and_adopted_by_whom_selects_them() -> None:
    async with world() as here:
        ref = await here.create(JOBS, job())
        await here.until(lambda: len(here.ready()) == 1)
        await here.api.delete(ref, propagation="Orphan")
        await here.until(lambda: not any(is_tracked(pod) for pod in here.pods()))
        pod = here.pods()[0]
        assert not pod["metadata"].get("ownerReferences")


async def test_a_rule_of_the_failure_policy_fails_the_job_or_ignores_the_failure() -> None:
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]

    async def end(here: World, ref: Reference, body: Object) -> None:
        await here.api.patch(ref, {"status": {"phase": "Failed", **body}}, subresource="status")

    async with world() as here:
        await here.create(JOBS, job(backoffLimit=0, podFailurePolicy={"rules": rules}, podReplacementPolicy="Failed"))
        await here.until(lambda: len(here.ready()) == 1)
        disrupted = [{"type": "DisruptionTarget", "status": "True"}]
        await end(here, reference(PODS, here.active()[0]), {"conditions": disrupted})
        await here.until(lambda: len(here.created) == 2 and len(here.ready()) == 1)
        assert status(here).get("failed") is None
        terminated = [{"name": "m", "state": {"terminated": {"exitCode": 42}}}]
        await end(here, reference(PODS, here.active()[0]), {"containerStatuses": terminated})
        await here.until(lambda: ends(here))
        assert conditions(here)["Failed"] == "PodFailurePolicy"
        message = json.dumps(status(here)["conditions"])
        assert "failed with exit code 42 matching FailJob rule at index 1" in message


async def test_a_deleted_pod_is_a_failure_that_is_replaced() -> None:
    async with world(lambda pod: Fate(ready_s=0.5, ends_s=20, ending_s=3)) as here:
        ref = await here.create(JOBS, job())
        await here.until(lambda: len(here.ready()) == 1)
        await here.api.delete(reference(PODS, here.active()[0]))
        await here.until(lambda: ends(here))
        assert (status(here)["succeeded"], status(here)["failed"]) == (1, 1)
        await here.api.delete(ref)
        with pytest.raises(Gone):
            await here.api.get(ref)


async def test_a_quiet_job_writes_nothing() -> None:
    async with world() as here:
        await here.create(JOBS, job(parallelism=2, completions=3))
        await here.until(lambda: len(here.ready()) == 2)
        await anyio.sleep(20)
        version = here.server.storage.version
        await anyio.sleep(500)
        assert here.server.storage.version == version
