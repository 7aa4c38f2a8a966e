"""Cases of upstream's suite that the other modules do not tell; cases.py has a table of them all."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from actors.names.timestamps import rfc3339
from runtime.objects import DISRUPTION_BUDGETS, Reference
from tests.analysis.world import Script
from tests.rollouts.jobs import fate, sleep_job, sleeping
from tests.rollouts.world import broken, ready, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time


async def test_RolloutScalingWhenPaused() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=1, canary={"steps": [{"setWeight": 25}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        for replicas, sizes in ((1, {1: 1, 2: 1}), (8, {1: 6, 2: 2}), (4, {1: 3, 2: 1})):
            await here.scale(replicas)
            await here.settle(20)
            assert here.sizes() == sizes
            assert here.phase() == "Paused"


async def test_RolloutPauseDurationGreaterThanProgressDeadlineSeconds() -> None:
    async with rollout_world() as here:
        canary = {"steps": [{"setWeight": 50}, {"pause": {"duration": "30s"}}]}
        await here.apply(rollout(replicas=2, canary=canary, progressDeadlineSeconds=5))
        await here.until_phase("Healthy")
        phases = here.watch(here.phase)
        await here.image("v2")
        await here.until(lambda: here.sizes() == {1: 0, 2: 2} and here.phase() == "Healthy")
        assert "Degraded" not in phases


async def test_ReduceWeightAndHonorMaxUnavailable() -> None:
    steps = [{"setWeight": 10}, {"pause": {}}, {"setWeight": 100}, {"pause": {}}, {"setWeight": 0}, {"pause": {}}]
    canary = {"maxSurge": 2, "maxUnavailable": 0, "steps": steps}
    async with rollout_world() as here:
        await here.apply(rollout(replicas=3, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until(lambda: here.phase() == "Paused" and here.sizes() == {1: 0, 2: 3})
        served = here.watch(lambda: sum(each["status"].get("availableReplicas", 0) for each in here.sets().values()))
        sizes = here.watch(lambda: (here.sizes()[2], here.sizes()[1]))
        await here.promote()
        await here.until(lambda: here.phase() == "Paused" and here.sizes() == {1: 3, 2: 0})
        assert sizes[1] == (3, 2)
        assert min(served) >= 3


async def test_CanaryProgressDeadlineExceededWithPause() -> None:
    async with rollout_world(ready(20)) as here:
        canary = {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 25}, {"pause": {}}]}
        await here.apply(rollout(replicas=3, canary=canary, progressDeadlineSeconds=5))
        phases = here.watch(here.phase)
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.sizes() == {1: 3, 2: 1}
        await here.promote()
        await here.until_phase("Healthy")
        assert [each for each, _ in groupby(one for one in phases if one != "Progressing")] == [
            "Degraded", "Healthy", "Degraded", "Paused", "Degraded", "Healthy",
        ]  # fmt: skip


async def test_CompleteRolloutRestart() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=2, canary={}, progressDeadlineSeconds=20, progressDeadlineAbort=True))
        await here.until_phase("Healthy")
        await here.settle(60)
        at = rfc3339(here.server.now())
        await here.patch({"spec": {"restartAt": at}})
        await here.until(lambda: here.status().get("restartedAt") == at)
        await here.settle(60)
        assert here.phase() == "Healthy"
        assert not here.status().get("abort")


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
async def test_KubectlWaitForPausedAndCompleted(strategy: str) -> None:
    steps = {"steps": [{"pause": {}}]}
    body: dict[str, Any] = {"canary": steps} if strategy == "canary" else {
        "blueGreen": {"activeService": "a", "autoPromotionEnabled": False}
    }  # fmt: skip
    async with rollout_world() as here:

        def says(kind: str, status: str) -> bool:
            return (here.condition(kind) or {}).get("status") == status

        await here.apply(service("a"), rollout(replicas=1, **body))
        await here.until(lambda: says("Healthy", "True"))
        await here.image("v2")
        await here.until(lambda: says("Paused", "True"))
        await here.until(lambda: says("Healthy", "False"))
        await here.promote()
        await here.until(lambda: says("Paused", "False"))
        await here.until(lambda: says("Healthy", "True"))


async def test_CanaryWithPausedRollout() -> None:
    canary = {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 10}, {"pause": {}}]}
    async with rollout_world() as here:
        await here.apply(rollout(replicas=3, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.image("v3")
        await here.until(lambda: here.phase() == "Paused" and here.sizes() == {1: 3, 2: 0, 3: 1})


async def test_CanaryWithSpecPause() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=1, canary={}))
        await here.until_phase("Healthy")
        await here.patch({"spec": {"paused": True}})
        await here.until_phase("Paused")
        await here.settle(10)
        version = here.rollout()["metadata"]["resourceVersion"]
        await here.settle(600)
        assert here.rollout()["metadata"]["resourceVersion"] == version


async def test_RolloutBadToBadUpdate() -> None:
    canary = {"maxSurge": 1, "maxUnavailable": 0}
    async with rollout_world(broken("bad", "worse")) as here:
        await here.apply(rollout(replicas=4, image="bad", canary=canary, progressDeadlineSeconds=5))
        await here.until_phase("Degraded")
        await here.image("worse")
        await here.until_phase("Degraded")
        await here.settle(30)
        assert here.sizes() == {1: 4, 2: 1}


async def test_BlueGreenPreviewReplicaCountPromoteFull() -> None:
    body = {"activeService": "a", "autoPromotionEnabled": False, "previewReplicaCount": 1}
    async with rollout_world(ready(0.3)) as here:
        await here.apply(service("a"), rollout(replicas=2, blueGreen=body, progressDeadlineSeconds=2))
        await here.until_phase("Healthy")
        phases = here.watch(here.phase)
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(10)
        assert here.counts() == (2, 3, 1, 2, 2)
        await here.promote_full()
        await here.until_phase("Healthy")
        assert here.counts() == (2, 4, 2, 2, 2)
        assert "Degraded" not in phases


async def test_BlueGreenAbortAndUpdate() -> None:
    async with rollout_world(broken("v2")) as here:
        body = {"activeService": "a", "previewService": "p", "autoPromotionEnabled": False}
        await here.apply(service("a"), service("p"), rollout(replicas=2, blueGreen=body))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: here.sizes().get(2) == 2)
        await here.abort()
        await here.until_phase("Degraded")
        assert here.selected("a") == here.hash(1)
        await here.image("v3")
        await here.until_phase("Paused")
        await here.promote()
        await here.until_phase("Healthy")
        assert here.selected("a") == here.selected("p") == here.hash(3)


async def test_RolloutPodVolumesItemsSpec() -> None:
    thing = rollout(replicas=1, canary={})
    items = [{"key": "a", "path": "b"}, {"key": "c", "path": "d"}]
    thing["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "c", "items": items}}]
    async with rollout_world() as here:
        await here.apply(thing)
        await here.until_phase("Healthy")
        assert here.sets()[1]["spec"]["template"]["spec"]["volumes"][0]["configMap"]["items"] == items


async def test_RolloutPDBRestart() -> None:
    budget = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 4, "selector": {"matchLabels": {"app": "r"}}},
    }  # fmt: skip
    canary = {"maxUnavailable": "100%", "steps": [{"setWeight": 25}, {"pause": {}}]}
    async with rollout_world() as here:
        await here.apply(budget, rollout(replicas=4, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(2)
        await here.patch({"spec": {"restartAt": rfc3339(here.server.now())}})
        await here.settle(2)
        assert here.counts() == (4, 4, 1, 4, 4)
        here.fate = ready(1e9)
        await here.api.delete(Reference(DISRUPTION_BUDGETS, "default", "b"))
        await here.until(lambda: here.status().get("availableReplicas", 0) == 0, limit_s=60)


async def test_MalformedRolloutEphemeralCtr() -> None:
    thing = rollout(replicas=1, canary={})
    bad = {"name": "debug", "image": "i", "resources": {"requests": {"memory": "10MB!"}}}
    thing["spec"]["template"]["spec"]["ephemeralContainers"] = [bad]
    async with rollout_world() as here:
        await here.apply(thing)
        await here.until_phase("Healthy")
        await here.settle(1)
        [found] = here.rollout()["spec"]["template"]["spec"]["ephemeralContainers"]
        assert found == {"name": "debug", "image": "i", "resources": {"requests": {}}}


async def test_BlueGreenExceedProgressDeadlineAbort() -> None:
    body = {"activeService": "a", "abortScaleDownDelaySeconds": 2}
    async with rollout_world(broken("v2")) as here:
        await here.apply(service("a"), rollout(replicas=1, blueGreen=body))
        await here.until_phase("Healthy")
        await here.patch({"spec": {"progressDeadlineAbort": False, "progressDeadlineSeconds": 1}})
        await here.image("v2")
        await here.until_phase("Degraded")
        await here.settle(3)
        assert (here.sizes(), here.status().get("abort", False)) == ({1: 1, 2: 1}, False)
        await here.patch({"spec": {"progressDeadlineAbort": True}})
        await here.settle(1)
        await here.until_phase("Degraded")
        await here.settle(3)
        assert (here.sizes(), here.status()["abort"]) == ({1: 1, 2: 0}, True)
        assert len(here.status()["conditions"]) == 4


async def test_BlueGreenProgressDeadlineExceededWithoutPause() -> None:
    async with rollout_world(ready(20)) as here:
        body = {"activeService": "a", "previewService": "p"}
        await here.apply(service("a"), service("p"), rollout(replicas=2, blueGreen=body, progressDeadlineSeconds=5))
        phases = here.watch(here.phase)
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: 2 in here.sets() and here.selected("a") == here.hash(2) and here.phase() == "Healthy")
        told = [each for each, _ in groupby(one for one in phases if one != "Progressing")]
        assert told == ["Degraded", "Healthy", "Degraded", "Healthy"]


@pytest.mark.parametrize("canary", [{}, {"steps": [{"setWeight": 50}, {"pause": {"duration": "5s"}}]}])
async def test_RolloutBadToGoodUpdate(canary: dict[str, Any]) -> None:
    async with rollout_world(broken("bad")) as here:
        limits = {"maxSurge": 1, "maxUnavailable": 0}
        wanted = rollout(replicas=4, image="bad", canary={**canary, **limits}, progressDeadlineSeconds=5)
        await here.apply(wanted)
        await here.until_phase("Degraded")
        await here.image("good")
        await here.until_phase("Healthy", limit_s=200)
        await here.settle(10)
        assert (here.sizes(), len(here.pods_of(2))) == ({1: 0, 2: 4}, 4)


async def test_ReduceWeightByAbort() -> None:
    """The second half of upstream's case: an analysis fails at 100 %, and stable grows back before the canary goes."""
    steps = [{"setWeight": 100}, {"analysis": sleeping(1, 1)}]
    canary = {"maxSurge": 2, "maxUnavailable": 0, "steps": steps}
    async with rollout_world(fate, script=Script()) as here:
        await here.apply(sleep_job(), rollout(replicas=3, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: here.sizes() == {1: 0, 2: 3})
        sizes = here.watch(lambda: (here.sizes()[2], here.sizes()[1]))
        served = here.watch(lambda: sum(each["status"].get("availableReplicas", 0) for each in here.sets().values()))
        await here.until_phase("Degraded")
        await here.until(lambda: here.sizes() == {1: 3, 2: 0})
        assert sizes[1] == (3, 2)
        assert min(served) >= 3
