"""A canary without a router: weights are numbers of pods, one move at a time."""

from __future__ import annotations

import pytest

from actors.rollout.state import RolloutSettings
from tests.rollouts.world import broken, ready, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

FIVE = {
    "steps": [
        {"setWeight": 20}, {"pause": {}},
        {"setWeight": 40}, {"pause": {"duration": 600}},
        {"setWeight": 60}, {"pause": {"duration": "10m"}},
        {"setWeight": 80}, {"pause": {"duration": "10m"}},
    ]
}  # fmt: skip


@pytest.mark.spec("RO-1.3-basic", "RO-1.4-pause", "RO-7-4")
async def test_five_replicas_walk_through_every_step_one_move_at_a_time() -> None:
    """The example that everybody begins with: 20, a person, 40, 60, 80 with ten minutes each."""
    async with rollout_world() as here:
        await here.apply(rollout(replicas=5, canary=FIVE))
        await here.until_phase("Healthy")
        moves = here.watch(lambda: tuple(here.sizes().values()))
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.status()["message"] == "CanaryPauseStep"
        await here.settle(3000)
        assert here.phase() == "Paused"
        begin = here.server.now()
        await here.promote()
        await here.until_phase("Healthy", limit_s=4000)
        assert 1800 < here.server.now() - begin < 1860
        assert moves == [(5,), (5, 0), (4, 0), (4, 1), (3, 1), (3, 2), (2, 2), (2, 3), (1, 3), (1, 4), (0, 4), (0, 5)]
        assert here.status()["currentStepIndex"] == 8


@pytest.mark.spec("RO-2.16-phase", "RO-2.17-events", "RO-2.7-pauses", "RO-7-5")
async def test_events_of_abort_retry_and_the_end_come_in_upstreams_order() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(canary={"steps": [{"setWeight": 50}, {"pause": {"duration": "3s"}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.sizes() == {1: 1, 2: 1}
        await here.abort()
        await here.until_phase("Degraded")
        await here.until(lambda: here.sizes() == {1: 1, 2: 0})
        assert here.status()["message"] == "RolloutAborted: Rollout aborted update to revision 2"
        await here.retry()
        await here.until_phase("Paused")
        await here.until_phase("Healthy")
        assert here.sizes() == {1: 0, 2: 1}
        assert here.events() == [
            "RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted",
            "ScalingReplicaSet", "RolloutCompleted",
            "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ScalingReplicaSet",
            "RolloutStepCompleted", "RolloutPaused", "ScalingReplicaSet", "RolloutAborted", "ScalingReplicaSet",
            "RolloutStepCompleted", "RolloutPaused", "RolloutStepCompleted", "RolloutResumed",
            "ScalingReplicaSet", "RolloutCompleted",
        ]  # fmt: skip
        assert here.events("RolloutStepCompleted")[-2:] == [
            "Rollout step 1/2 completed (setWeight: 50)", "Rollout step 2/2 completed (pause: 3s)"
        ]  # fmt: skip
        assert here.events("RolloutCompleted")[-1].endswith("Completed all 2 canary steps")


async def test_without_steps_it_rolls_with_surge_and_unavailability() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={"maxSurge": 1, "maxUnavailable": 0}))
        await here.until_phase("Healthy")
        moves = here.watch(lambda: tuple(here.sizes().values()))
        await here.image("v2")
        await here.until_phase("Healthy")
        assert moves[2:] == [(4, 1), (3, 1), (3, 2), (2, 2), (2, 3), (1, 3), (1, 4), (0, 4)]
        assert "currentStepIndex" not in here.status()


@pytest.mark.spec("RO-1.3-steps")
async def test_the_first_deployment_walks_no_steps_and_stable_is_set_before_any_pod_is_ready() -> None:
    async with rollout_world(ready(30)) as here:
        await here.apply(rollout(replicas=3, canary={"steps": [{"setWeight": 10}, {"pause": {}}]}))
        await here.settle(5)
        status = here.status()
        assert status["stableRS"] == here.hash(1)
        assert status["currentStepIndex"] == 2
        assert status.get("availableReplicas", 0) == 0
        assert here.phase() == "Progressing"
        await here.until_phase("Healthy")


@pytest.mark.spec("RO-7-13")
async def test_scaling_while_paused_keeps_the_weight_and_no_step_moves() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(canary={"steps": [{"setWeight": 25}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.sizes() == {1: 1, 2: 1}
        await here.scale(8)
        await here.settle()
        assert (here.sizes(), here.phase(), here.status()["currentStepIndex"]) == ({1: 6, 2: 2}, "Paused", 1)
        await here.scale(4)
        await here.settle()
        assert (here.sizes(), here.phase()) == ({1: 3, 2: 1}, "Paused")


async def test_scaling_during_an_update_whose_canary_never_serves() -> None:
    canary = {"maxSurge": 2, "maxUnavailable": 0}
    async with rollout_world(broken("v2")) as here:
        await here.apply(rollout(replicas=4, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.settle()
        assert here.sizes() == {1: 4, 2: 2}
        await here.scale(8)
        await here.settle()
        assert here.sizes() == {1: 4, 2: 6}
        await here.scale(4)
        await here.settle()
        assert here.sizes() == {1: 4, 2: 2}


async def test_a_surge_of_all_lets_scaling_through() -> None:
    canary = {"maxSurge": "100%", "steps": [{"setWeight": 100}]}
    async with rollout_world(broken("v2")) as here:
        await here.apply(rollout(replicas=4, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.settle()
        assert here.sizes() == {1: 3, 2: 4}
        await here.scale(8)
        await here.settle()
        assert here.sizes() == {1: 3, 2: 8}
        await here.scale(4)
        await here.settle()
        assert here.sizes() == {1: 3, 2: 4}


async def test_a_second_bad_version_replaces_the_first_and_stable_stays() -> None:
    canary = {"maxSurge": 1, "maxUnavailable": 0}
    async with rollout_world(broken("bad", "worse")) as here:
        await here.apply(rollout(replicas=4, canary=canary, progressDeadlineSeconds=20))
        await here.until_phase("Healthy")
        await here.image("bad")
        await here.until_phase("Degraded")
        assert here.sizes() == {1: 4, 2: 1}
        assert here.status()["message"].startswith("ProgressDeadlineExceeded: ReplicaSet")
        await here.image("worse")
        await here.settle()
        assert here.sizes() == {1: 4, 2: 0, 3: 1}
        await here.image("good")
        await here.until_phase("Healthy")
        assert here.sizes() == {1: 0, 2: 0, 3: 0, 4: 4}


async def test_a_first_version_that_never_came_up_makes_way_without_steps() -> None:
    async with rollout_world(broken("bad")) as here:
        await here.apply(
            rollout(replicas=4, image="bad", canary={"steps": [{"setWeight": 50}]}, progressDeadlineSeconds=10)
        )
        await here.until_phase("Degraded")
        await here.image("good")
        await here.until_phase("Healthy", limit_s=200)
        assert here.sizes() == {1: 0, 2: 4}


@pytest.mark.spec("RO-2.4-revisions")
async def test_going_back_to_stable_is_quick_and_makes_no_new_replica_set() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={"steps": [{"setWeight": 50}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.image("v1")
        await here.until_phase("Healthy")
        assert here.sizes() == {2: 0, 3: 4}
        assert len(here.stored("apps", "replicasets")) == 2
        assert here.sets()[3]["metadata"]["annotations"]["rollout.argoproj.io/revision-history"] == "1"
        assert "SkipSteps" in here.events()
        assert here.status()["currentStepIndex"] == 2


@pytest.mark.spec("RO-2.8-actions")
async def test_promote_and_abort_and_the_old_image_again_is_healthy_at_once() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=2, canary={"steps": [{"setWeight": 50}, {"pause": {}}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until(lambda: here.status()["currentStepIndex"] == 2 and here.phase() == "Paused")
        await here.abort()
        await here.until_phase("Degraded")
        await here.image("v1")
        await here.until_phase("Healthy", limit_s=30)
        assert sorted(here.sizes().values()) == [0, 2]
        assert len(here.sets()) == 2


@pytest.mark.spec("RO-2.6-promotion")
async def test_promote_full_skips_all_steps() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={"steps": [{"setWeight": 25}, {"pause": {"duration": "24h"}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote_full()
        await here.until_phase("Healthy", limit_s=200)
        assert here.sizes() == {1: 0, 2: 4}
        assert "promoteFull" not in here.status()
        assert here.events("RolloutCompleted")[-1].endswith("Full promotion requested")


async def test_an_interrupted_version_goes_and_the_way_back_leads_to_the_last_stable_one() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={"steps": [{"setWeight": 25}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.image("v3")
        await here.until(lambda: here.phase() == "Paused" and 3 in here.sets())
        assert here.sizes() == {1: 3, 2: 0, 3: 1}
        await here.abort()
        await here.until(lambda: here.sizes() == {1: 4, 2: 0, 3: 0})
        assert here.phase() == "Degraded"


@pytest.mark.spec("RO-7-19")
async def test_editing_the_steps_begins_the_walk_anew_on_the_same_replica_set() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={"steps": [{"setWeight": 50}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
        seen = here.watch(lambda: here.status()["currentStepIndex"])
        await here.patch({"spec": {"strategy": {"canary": {"steps": steps}}}})
        await here.until(lambda: here.sizes() == {1: 3, 2: 1} and here.phase() == "Paused")
        assert seen == [1, 0, 1]
        assert len(here.sets()) == 2


@pytest.mark.spec("RO-1.3-services")
async def test_after_an_abort_both_services_select_stable() -> None:
    canary = {"canaryService": "c", "stableService": "s", "steps": [{"setWeight": 50}, {"pause": {}}]}
    async with rollout_world() as here:
        await here.apply(service("c"), service("s"), rollout(replicas=2, canary=canary))
        await here.until_phase("Healthy")
        await here.until(lambda: here.selected("s") == here.hash(1))
        await here.image("v2")
        await here.until_phase("Paused")
        assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(1))
        await here.abort()
        await here.until(lambda: here.sizes() == {1: 2, 2: 0})
        assert (here.selected("c"), here.selected("s")) == (here.hash(1), here.hash(1))


@pytest.mark.spec("RO-1.2-paused")
async def test_a_users_pause_holds_everything() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={"steps": [{"setWeight": 50}]}))
        await here.until_phase("Healthy")
        await here.patch({"spec": {"paused": True}})
        await here.until_phase("Paused")
        assert here.status()["message"] == "manually paused"
        before = here.system.statistics().scheduler.messages if here.system else 0
        await here.settle(600)
        after = here.system.statistics().scheduler.messages if here.system else 0
        assert after - before < 20
        await here.image("v2")
        await here.settle(60)
        assert here.sizes() == {1: 4, 2: 0}
        await here.patch({"spec": {"paused": False}})
        await here.until_phase("Healthy")
        assert here.sizes() == {1: 0, 2: 4}


@pytest.mark.spec("RO-1.2-progressDeadlineSeconds", "RO-7-18")
async def test_a_deadline_that_is_missed_degrades_and_does_not_abort() -> None:
    async with rollout_world(ready(60)) as here:
        canary = {"steps": [{"setWeight": 50}, {"pause": {}}]}
        await here.apply(rollout(replicas=2, progressDeadlineSeconds=5, canary=canary))
        await here.until_phase("Degraded")
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Degraded")
        await here.until_phase("Paused")
        assert not here.status().get("abort")
        await here.settle(300)
        assert here.phase() == "Paused"


@pytest.mark.spec("RO-1.2-progressDeadlineAbort")
async def test_a_deadline_that_aborts_brings_stable_back() -> None:
    async with rollout_world(broken("v2")) as here:
        await here.apply(rollout(replicas=4, canary={}, progressDeadlineSeconds=10, progressDeadlineAbort=True))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until(lambda: bool(here.status().get("abort")))
        await here.until(lambda: here.sizes() == {1: 4, 2: 0})
        assert "has timed out progressing." in here.status()["message"]


@pytest.mark.spec("RO-1.2-revisionHistoryLimit")
async def test_history_is_limited() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(canary={}, revisionHistoryLimit=1))
        for number in range(2, 6):
            await here.until_phase("Healthy")
            await here.image(f"v{number}")
            await here.settle(20)
        assert here.sizes() == {4: 0, 5: 1}


@pytest.mark.spec("RO-1.2-rollbackWindow", "RO-7-11")
async def test_a_rollback_within_the_window_skips_the_steps() -> None:
    canary = {"steps": [{"setWeight": 50}, {"pause": {"duration": 60}}]}
    async with rollout_world() as here:
        await here.apply(rollout(replicas=2, canary=canary, rollbackWindow={"revisions": 1}))
        for image in ("v2", "v3"):
            await here.until_phase("Healthy")
            await here.settle(2)
            await here.image(image)
            await here.settle(100)
        await here.until_phase("Healthy")
        begin = here.server.now()
        await here.image("v2")
        await here.until_phase("Healthy")
        assert here.server.now() - begin < 30
        assert here.events("RolloutCompleted")[-1].endswith("Rollback within window")
        await here.image("v0")
        await here.until_phase("Paused")


async def test_nothing_to_do_means_nothing_is_written() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=3, canary={}))
        await here.until_phase("Healthy")
        await here.settle(60)
        version = here.rollout()["metadata"]["resourceVersion"]
        await here.settle(3600)
        assert here.rollout()["metadata"]["resourceVersion"] == version


@pytest.mark.spec("RO-1.2-replicas")
async def test_missing_replicas_become_one() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=None, canary={}))
        await here.until_phase("Healthy")
        assert here.rollout()["spec"]["replicas"] == 1


@pytest.mark.spec("RO-1.13-instance")
async def test_rollouts_of_another_instance_are_left_alone() -> None:
    async with rollout_world(settings=RolloutSettings(instance_id="a")) as here:
        mine, other = rollout("mine", canary={}), rollout("other", canary={})
        mine["metadata"]["labels"] = {"argo-rollouts.argoproj.io/controller-instance-id": "a"}
        await here.apply(mine, other)
        await here.until_phase("Healthy", "mine")
        assert here.sizes("other") == {}
