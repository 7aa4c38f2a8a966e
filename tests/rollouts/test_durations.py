"""How long updates took, and how much of that a person was waited for."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.objects import Object
from tests.rollouts.world import RolloutWorld, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

STEPS = [{"setWeight": 50}, {"pause": {}}]


def of(here: RolloutWorld) -> Object:
    return here.status()["duration"]


async def begun(here: RolloutWorld, blue_green: bool, **more: Any) -> None:
    if blue_green:
        strategy: Object = {"blueGreen": {"activeService": "a", "autoPromotionEnabled": False}}
        await here.apply(service("a"))
    else:
        strategy = {"canary": {"steps": STEPS}}
    await here.apply(rollout(replicas=2, **strategy, **more))
    await here.until_phase("Healthy")
    assert of(here)["completionStatus"] == "Promoted"
    assert "totalManualPauseDurationSeconds" not in of(here)
    await here.settle(5)
    await here.image("v2")
    await here.until_phase("Paused")


@pytest.mark.parametrize("blue_green", [False, True])
@pytest.mark.spec("RO-1.12-durations")
async def test_waiting_for_a_person_is_counted(blue_green: bool) -> None:
    async with rollout_world() as here:
        await begun(here, blue_green)
        assert "manualPauseStartedAt" in of(here)
        await here.settle(100)
        await here.promote()
        await here.until_phase("Healthy")
        assert 100 <= of(here)["totalManualPauseDurationSeconds"] <= 110
        assert of(here)["completionStatus"] == "Promoted"
        metrics = here.system.metrics if here.system else None
        assert metrics is not None
        assert metrics.value("rollout_duration_seconds", (("status", "Promoted"),)) == 2


@pytest.mark.parametrize("blue_green", [False, True])
async def test_abort_and_retry(blue_green: bool) -> None:
    async with rollout_world() as here:
        await begun(here, blue_green)
        first = of(here)["rolloutStartedAt"]
        await here.abort()
        await here.until_phase("Degraded")
        assert of(here)["completionStatus"] == "Aborted"
        await here.settle(10)
        await here.retry()
        await here.until_phase("Paused")
        assert of(here)["rolloutStartedAt"] > first
        assert "finishedAt" not in of(here)


@pytest.mark.parametrize("blue_green", [False, True])
@pytest.mark.spec("RO-2.18-duration")
async def test_full_promotion_superseded_and_rolled_back(blue_green: bool) -> None:
    async with rollout_world() as here:
        await begun(here, blue_green)
        first = of(here)["rolloutStartedAt"]
        await here.settle(5)
        await here.image("v3")
        await here.until(lambda: 3 in here.sets() and here.phase() == "Paused")
        assert of(here)["rolloutStartedAt"] > first
        second = of(here)["rolloutStartedAt"]
        await here.image("v1")
        await here.until_phase("Healthy")
        await here.until(lambda: "finishedAt" in of(here))
        assert of(here)["rolloutStartedAt"] == second
        assert of(here)["completionStatus"] == "FastRolledBack"
        await here.image("v4")
        await here.until_phase("Paused")
        await here.promote_full()
        await here.until_phase("Healthy")
        await here.until(lambda: "finishedAt" in of(here))
        assert of(here)["completionStatus"] == "FastPromoted"


async def test_scaling_alone_is_no_update() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(canary={}))
        await here.until_phase("Healthy")
        before = of(here)
        await here.scale(3)
        await here.until_phase("Healthy")
        assert of(here) == before


@pytest.mark.parametrize("blue_green", [False, True])
async def test_a_users_pause_is_counted(blue_green: bool) -> None:
    body: Object = {"blueGreen": {"activeService": "a"}} if blue_green else {"canary": {"steps": [{"setWeight": 50}]}}
    async with rollout_world() as here:
        await here.apply(service("a"), rollout(replicas=2, **body))
        await here.until_phase("Healthy")
        await here.patch({"spec": {"paused": True}})
        await here.image("v2")
        await here.until(lambda: "manualPauseStartedAt" in of(here))
        await here.settle(50)
        await here.patch({"spec": {"paused": False}})
        await here.until(lambda: "finishedAt" in of(here) and here.phase() == "Healthy")
        assert of(here)["totalManualPauseDurationSeconds"] >= 50
        assert "manualPauseStartedAt" not in of(here)


@pytest.mark.parametrize("blue_green", [False, True])
async def test_a_pause_that_ends_by_itself_is_not_counted(blue_green: bool) -> None:
    timed = {"steps": [{"setWeight": 50}, {"pause": {"duration": 10}}]}
    body: Object = (
        {"blueGreen": {"activeService": "a", "autoPromotionSeconds": 10}} if blue_green else {"canary": timed}
    )
    async with rollout_world() as here:
        await here.apply(service("a"), rollout(replicas=2, **body))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.until(lambda: "finishedAt" in of(here) and here.phase() == "Healthy")
        assert "totalManualPauseDurationSeconds" not in of(here)
        assert of(here)["completionStatus"] == "Promoted"


@pytest.mark.parametrize("blue_green", [False, True])
@pytest.mark.parametrize(("revision", "status"), [(3, "FastRolledBack"), (1, "RolledBack")])
async def test_going_back_within_the_window_and_beyond_it(blue_green: bool, revision: int, status: str) -> None:
    steps = {"steps": [{"setWeight": 50}, {"pause": {}}]}
    body: Object = (
        {"blueGreen": {"activeService": "a", "autoPromotionEnabled": False}} if blue_green else {"canary": steps}
    )
    async with rollout_world() as here:
        await here.apply(service("a"), rollout(replicas=2, **body, rollbackWindow={"revisions": 1}))
        await here.until_phase("Healthy")
        for version in (2, 3, 4):
            await here.image(f"v{version}")
            await here.until_phase("Paused")
            if version < 4:
                await here.promote()
                await here.until_phase("Healthy")
                await here.settle(60)
        first = of(here)["rolloutStartedAt"]
        await here.image(f"v{revision}")
        if status == "RolledBack":
            await here.settle(5)
            assert here.phase() == "Paused"
            await here.promote()
        await here.until(lambda: "finishedAt" in of(here) and here.phase() == "Healthy")
        assert (of(here)["rolloutStartedAt"], of(here)["completionStatus"]) == (first, status)


async def test_going_back_while_the_old_version_still_runs_is_fast() -> None:
    async with rollout_world() as here:
        await begun(here, blue_green=True)
        await here.promote()
        await here.until_phase("Healthy")
        await here.image("v3")
        await here.until_phase("Paused")
        first = of(here)["rolloutStartedAt"]
        await here.image("v1")
        await here.until(lambda: "finishedAt" in of(here) and here.phase() == "Healthy")
        assert here.selected("a") == here.hash(4)
        assert of(here)["rolloutStartedAt"] == first
        assert of(here)["completionStatus"] == "FastRolledBack"
