"""Indexed jobs: each index has attempts and an end of its own, and some indexes may be enough."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from runtime.objects import Object
from tests.controllers.test_job_world import conditions, ends, good, job, status
from tests.controllers.world import Fate, World, world
from tiphys.devcluster.controllers.job import success
from tiphys.devcluster.controllers.job.perindex import Before, after, has_failed
from tiphys.devcluster.controllers.job.workers import FAILURES, INDEX, is_tracked
from tiphys.devcluster.controllers.owners import JOBS

pytestmark = pytest.mark.virtual_time


def indexed(completions: int, **spec: Any) -> Object:
    return job(completions=completions, parallelism=completions, completionMode="Indexed", **spec)


def index(pod: Object) -> int:
    return int(pod["metadata"]["annotations"][INDEX])


def failing(*indexes: int, code: int = 3) -> Any:
    """Pods of these indexes always fail, all others succeed."""
    return lambda pod: Fate(ready_s=0.5, ends_s=1, code=code if index(pod) in indexes else 0)


def attempts(here: World, number: int) -> list[str]:
    """What the pods of an index carry of its failures, in their order."""
    pods = sorted(
        (pod for pod in here.pods() if index(pod) == number), key=lambda p: p["metadata"]["annotations"][FAILURES]
    )
    return [pod["metadata"]["annotations"][FAILURES] for pod in pods]


async def test_each_index_has_attempts_of_its_own_and_the_others_go_on() -> None:
    async with world(failing(1)) as here:
        await here.create(JOBS, indexed(3, backoffLimitPerIndex=2))
        await here.until(lambda: ends(here))
        assert conditions(here) == {"FailureTarget": "FailedIndexes", "Failed": "FailedIndexes"}
        assert (status(here)["completedIndexes"], status(here)["failedIndexes"]) == ("0,2", "1")
        assert (status(here)["succeeded"], status(here)["failed"]) == (2, 3)
        assert attempts(here, 1) == ["0", "1", "2"]
        assert attempts(here, 0) == ["0"]
        assert not any(is_tracked(pod) for pod in here.pods())


async def test_the_back_off_of_an_index_is_its_own() -> None:
    began = anyio.current_time()
    async with world(failing(0)) as here:
        await here.create(JOBS, indexed(2, backoffLimitPerIndex=2))
        await here.until(lambda: status(here).get("completedIndexes") == "1")
        assert anyio.current_time() - began < 5
        await here.until(lambda: ends(here))
        assert 30 <= anyio.current_time() - began < 45  # 10 + 20, and three runs


async def test_too_many_failed_indexes_end_the_job_at_once() -> None:
    def fate(pod: Object) -> Fate:
        return Fate(ends_s=1, code=1) if index(pod) in (0, 1) else Fate()

    async with world(fate) as here:
        await here.create(JOBS, indexed(3, backoffLimitPerIndex=0, maxFailedIndexes=1))
        await here.until(lambda: ends(here))
        assert conditions(here)["Failed"] == "MaxFailedIndexesExceeded"
        assert not here.active()


def ended(code: int, failures: str = "0") -> dict[str, Any]:
    """A pod of index 0 whose container ended with `code`."""
    states = [{"name": "m", "state": {"terminated": {"exitCode": code}}}]
    annotations = {INDEX: "0", FAILURES: failures}
    meta = {"name": "p", "namespace": "n", "uid": f"{code}-{failures}", "annotations": annotations}
    return {"metadata": meta, "status": {"phase": "Failed", "containerStatuses": states}}


def test_a_policy_may_give_an_index_up_or_forgive_it() -> None:
    rules = [
        {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [7]}},
    ]
    own = indexed(2, backoffLimitPerIndex=1, podFailurePolicy={"rules": rules})
    assert has_failed(own, ended(42))
    assert not has_failed(own, ended(7, "5"))
    assert not has_failed(own, ended(3, "0"))
    assert has_failed(own, ended(3, "1"))
    assert after(own, ended(7, "1")) == Before(1, 1)
    assert after(own, ended(3, "1")) == Before(2, 0)


@pytest.mark.parametrize("seed", range(3))
async def test_no_index_gets_an_attempt_too_many_whatever_dies_when(seed: int) -> None:
    async with world(failing(1, 3), seed=seed, bad=0.15, deaths_every_s=4.0) as here:
        await here.create(JOBS, indexed(5, backoffLimitPerIndex=1))
        await here.until(lambda: ends(here))
        assert (status(here)["completedIndexes"], status(here)["failedIndexes"]) == ("0,2,4", "1,3")
        assert (status(here)["succeeded"], status(here)["failed"]) == (3, 4)
        assert attempts(here, 1) == attempts(here, 3) == ["0", "1"]


async def test_some_indexes_may_be_enough() -> None:
    def fate(pod: Object) -> Fate:
        return Fate(ends_s=2) if index(pod) in (1, 2) else Fate()

    policy = {"rules": [{"succeededIndexes": "0"}, {"succeededIndexes": "1-4", "succeededCount": 2}]}
    async with world(fate) as here:
        await here.create(JOBS, indexed(5, successPolicy=policy))
        await here.until(lambda: ends(here))
        assert conditions(here) == {"SuccessCriteriaMet": "SuccessPolicy", "Complete": "SuccessPolicy"}
        said = next(c for c in status(here)["conditions"] if c["type"] == "Complete")
        assert said["message"] == "Matched rules at index 1"
        assert status(here)["completedIndexes"] == "1,2"
        await here.until(lambda: not here.active())


async def test_a_job_with_both_succeeds_although_an_index_failed() -> None:
    async with world(failing(0)) as here:
        policy = {"rules": [{"succeededCount": 2}]}
        await here.create(JOBS, indexed(4, backoffLimitPerIndex=5, successPolicy=policy))
        await here.until(lambda: ends(here))
        assert "Complete" in conditions(here)


async def test_without_limits_of_its_own_an_index_is_tried_as_before() -> None:
    async with world(good()) as here:
        await here.create(JOBS, indexed(2))
        await here.until(lambda: ends(here))
        assert all(FAILURES not in pod["metadata"]["annotations"] for pod in here.pods())
        assert "failedIndexes" not in status(here)


@pytest.mark.parametrize(
    ("rule", "completed", "holds"),
    [
        ({"succeededIndexes": "0,2-3"}, {0, 2, 3}, True),
        ({"succeededIndexes": "0,2-3"}, {0, 1, 2}, False),
        ({"succeededIndexes": "0,2-3", "succeededCount": 1}, {3}, True),
        ({"succeededIndexes": "0,2-3", "succeededCount": 1}, {1}, False),
        ({"succeededCount": 2}, {7, 8}, True),
        ({"succeededCount": 3}, {7, 8}, False),
    ],
)
def test_a_rule_is_about_the_indexes_it_names(rule: Any, completed: set[int], holds: bool) -> None:
    own = {"spec": {"successPolicy": {"rules": [rule]}}}
    assert bool(success.met(own, completed)) is holds


def test_what_a_policy_ignores_counts_apart() -> None:
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    own = {"spec": {"podFailurePolicy": {"rules": rules}}}
    pod = ended(1, "2")
    assert after(own, pod) == Before(3, 0)
    pod["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]
    assert after(own, pod).annotations == {FAILURES: "2", "batch.kubernetes.io/job-index-ignored-failure-count": "1"}
