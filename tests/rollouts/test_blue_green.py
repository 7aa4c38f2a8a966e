"""Blue-green: the new version is made whole beside the old one, then a Service is switched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rollouts.world import broken, ready, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time


def blue_green(replicas: int = 2, **more: Any) -> dict[str, Any]:
    top = {key: more.pop(key) for key in list(more) if key in ("progressDeadlineSeconds", "progressDeadlineAbort")}
    return rollout(replicas=replicas, blueGreen={"activeService": "a", "previewService": "p", **more}, **top)


@pytest.mark.spec("RO-1.5-activeService", "RO-1.5-scaleDownDelaySeconds", "RO-2.12-cutover")
async def test_an_update_switches_and_the_old_version_lingers() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(3))
        await here.until_phase("Healthy")
        assert (here.selected("a"), here.selected("p")) == (here.hash(1), here.hash(1))
        counts = here.watch(here.counts)
        await here.image("v2")
        await here.until_phase("Healthy")
        assert here.counts() == (3, 6, 3, 3, 3)
        assert here.selected("a") == here.hash(2)
        await here.settle(35)
        assert here.sizes() == {1: 0, 2: 3}
        assert counts[-1] == (3, 3, 3, 3, 3)
        assert here.events() == [
            "RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "SwitchService",
            "ScalingReplicaSet", "RolloutCompleted", "SwitchService",
            "RolloutUpdated", "NewReplicaSetCreated", "SwitchService", "RolloutNotCompleted", "ScalingReplicaSet",
            "SwitchService", "RolloutCompleted", "ScalingReplicaSet",
        ]  # fmt: skip


@pytest.mark.spec("RO-1.5-autoPromotionEnabled", "RO-1.5-previewService", "RO-7-15")
async def test_manual_promotion_with_a_small_preview() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(2, autoPromotionEnabled=False, previewReplicaCount=1))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.status()["message"] == "BlueGreenPause"
        assert here.counts() == (2, 3, 1, 2, 2)
        assert (here.selected("a"), here.selected("p")) == (here.hash(1), here.hash(2))
        await here.promote()
        await here.until_phase("Healthy")
        assert here.counts() == (2, 4, 2, 2, 2)
        assert here.selected("a") == here.hash(2)


async def test_auto_promotion_waits_its_seconds_and_no_longer() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(autoPromotionSeconds=100))
        await here.until_phase("Healthy")
        begin = here.server.now()
        await here.image("v2")
        await here.until_phase("Paused")
        await here.until_phase("Healthy")
        assert 100 < here.server.now() - begin < 110
        assert "RolloutResumed" in here.events()


@pytest.mark.spec("RO-1.5-autoPromotionSeconds")
async def test_promoting_before_the_seconds_have_passed_counts() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(autoPromotionSeconds=10_000))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until_phase("Healthy", limit_s=20)


@pytest.mark.spec("RO-1.5-previewReplicaCount")
async def test_full_promotion_skips_pause_and_preview_size() -> None:
    async with rollout_world() as here:
        await here.apply(
            service("a"), service("p"),
            blue_green(2, autoPromotionEnabled=False, previewReplicaCount=1, progressDeadlineSeconds=1),
        )  # fmt: skip
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(50)
        assert here.counts() == (2, 3, 1, 2, 2)
        assert here.phase() == "Paused"
        await here.promote_full()
        await here.until_phase("Healthy", limit_s=20)
        assert here.counts() == (2, 4, 2, 2, 2)


@pytest.mark.spec("RO-1.5-abortScaleDownDelaySeconds")
async def test_an_aborted_preview_goes_after_its_delay() -> None:
    async with rollout_world() as here:
        await here.apply(
            service("a"), service("p"),
            blue_green(2, autoPromotionEnabled=False, previewReplicaCount=1, abortScaleDownDelaySeconds=5),
        )  # fmt: skip
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.abort()
        await here.until_phase("Degraded")
        assert here.sizes() == {1: 2, 2: 1}
        await here.settle(10)
        assert here.sizes() == {1: 2, 2: 0}
        assert here.selected("a") == here.hash(1)


async def test_going_back_within_the_delay_is_quick() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(2, autoPromotionEnabled=False))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(3)
        assert "scale-down-deadline" in here.sets()[1]["metadata"]["annotations"]
        await here.image("v1")
        await here.until_phase("Healthy", limit_s=10)
        assert here.selected("a") == here.hash(3)
        assert len(here.sets()) == 2
        assert "scale-down-deadline" not in here.sets()[3]["metadata"]["annotations"]


@pytest.mark.spec("RO-1.3-scaleDownDelayRevisionLimit", "RO-1.5-scaleDownDelayRevisionLimit")
async def test_the_revision_limit_of_the_delay() -> None:
    async with rollout_world() as here:
        await here.apply(
            service("a"), service("p"), blue_green(1, scaleDownDelayRevisionLimit=2, scaleDownDelaySeconds=600)
        )
        await here.until_phase("Healthy")
        for number in (2, 3, 4):
            await here.image(f"v{number}")
            await here.settle(10)
        assert here.sizes() == {1: 0, 2: 1, 3: 1, 4: 1}
        await here.patch({"spec": {"strategy": {"blueGreen": {"scaleDownDelayRevisionLimit": 1}}}})
        await here.settle(10)
        assert here.sizes() == {1: 0, 2: 0, 3: 1, 4: 1}


async def test_a_deadline_that_aborts_leaves_stable_serving() -> None:
    async with rollout_world(broken("v2")) as here:
        await here.apply(
            service("a"), service("p"),
            blue_green(2, progressDeadlineSeconds=5, progressDeadlineAbort=True, abortScaleDownDelaySeconds=2),
        )  # fmt: skip
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: bool(here.status().get("abort")))
        await here.settle(10)
        assert here.sizes() == {1: 2, 2: 0}
        assert here.selected("a") == here.hash(1)
        assert here.phase() == "Degraded"


async def test_a_deadline_without_abort_degrades_while_pods_are_slow_and_recovers() -> None:
    async with rollout_world(ready(30)) as here:
        await here.apply(
            service("a"), service("p"), blue_green(2, autoPromotionEnabled=False, progressDeadlineSeconds=5)
        )
        await here.until_phase("Degraded")
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Degraded")
        await here.until_phase("Paused")
        await here.promote()
        await here.until_phase("Healthy")
        assert not here.status().get("abort")


@pytest.mark.spec("RO-2.11-services")
async def test_switching_to_a_canary_gives_the_service_its_plain_selector_back() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(2))
        await here.until_phase("Healthy")
        strategy = {"blueGreen": None, "canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
        template = {"spec": {"containers": [{"name": "app", "image": "v2"}]}}
        await here.patch({"spec": {"strategy": strategy, "template": template}})
        await here.until_phase("Paused")
        assert here.sizes() == {1: 1, 2: 1}
        await here.settle(5)
        assert (here.selected("a"), here.selected("p")) == ("", "")


async def test_scaling_and_a_new_template_at_once() -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), service("p"), blue_green(2, scaleDownDelaySeconds=5))
        await here.until_phase("Healthy")
        for number in (3, 4):
            template = {"spec": {"containers": [{"name": "app", "image": f"v{number}"}]}}
            await here.patch({"spec": {"replicas": number, "template": template}})
            await here.until_phase("Healthy")
            await here.settle(20)
            assert here.counts() == (number,) * 5
