"""What is done to pods that run: restarts by eviction, ephemeral labels; and where new ones may be placed."""

from __future__ import annotations

import pytest

from actors.names.timestamps import rfc3339
from actors.rollout import wire
from runtime.objects import DISRUPTION_BUDGETS, Object, Reference
from tests.controllers.world import Fate
from tests.rollouts.world import RolloutWorld, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time


async def restart(here: RolloutWorld) -> str:
    at = rfc3339(here.server.now())
    await here.patch({"spec": {"restartAt": at}})
    return at


@pytest.mark.spec("RO-1.2-restartAt")
async def test_a_restart_evicts_as_many_as_may_be_missing() -> None:
    canary = {"maxUnavailable": "75%", "steps": [{"setWeight": 25}, {"pause": {}}]}
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary=canary))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(10)
        old = {pod["metadata"]["uid"] for pod in here.pods()}
        here.fate = lambda pod: Fate(ready_s=1e9)
        await restart(here)
        await here.settle(5)
        assert here.counts() == (4, 4, 1, 1, 1)
        assert len(old & {pod["metadata"]["uid"] for pod in here.active()}) == 1


async def test_a_restart_ends_when_no_older_pod_is_left() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=4, canary={}))
        await here.until_phase("Healthy")
        await here.settle(10)
        old = {pod["metadata"]["uid"] for pod in here.pods()}
        ready = here.watch(lambda: len(here.ready()))
        at = await restart(here)
        await here.until(lambda: here.status().get("restartedAt") == at)
        await here.until_phase("Healthy")
        assert not old & {pod["metadata"]["uid"] for pod in here.active()}
        assert min(ready) >= 3
        assert here.sizes() == {1: 4}


@pytest.mark.spec("RO-1.11-pdb")
async def test_a_disruption_budget_delays_a_restart() -> None:
    budget: Object = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": "default"},
        "spec": {"minAvailable": 4, "selector": {"matchLabels": {"app": "r"}}},
    }  # fmt: skip
    async with rollout_world() as here:
        await here.apply(budget, rollout(replicas=4, canary={"maxUnavailable": "100%"}))
        await here.until_phase("Healthy")
        await here.settle(10)
        old = {pod["metadata"]["uid"] for pod in here.pods()}
        at = await restart(here)
        await here.settle(100)
        assert {pod["metadata"]["uid"] for pod in here.active()} == old
        assert here.phase() == "Progressing"
        assert here.status()["message"] == "rollout is restarting"
        await here.api.delete(Reference(DISRUPTION_BUDGETS, "default", "b"))
        await here.until(lambda: here.status().get("restartedAt") == at, limit_s=100)
        assert not old & {pod["metadata"]["uid"] for pod in here.active()}


async def test_a_restart_in_the_future_waits() -> None:
    async with rollout_world() as here:
        await here.apply(rollout(replicas=1, canary={}))
        await here.until_phase("Healthy")
        at = rfc3339(here.server.now() + 500)
        await here.patch({"spec": {"restartAt": at}})
        await here.settle(400)
        assert "restartedAt" not in here.status()
        await here.until(lambda: here.status().get("restartedAt") == at, limit_s=200)


@pytest.mark.spec("RO-1.2-restartAt")
async def test_an_update_before_the_time_of_a_restart_does_not_take_it_away() -> None:
    async with rollout_world() as here:
        at = rfc3339(here.server.now() + 300)
        await here.apply(rollout(replicas=1, restartAt=at, canary={}))
        await here.until(lambda: len(here.ready()) == 1)
        assert here.status()["message"] == "rollout is restarting"
        await here.image("v2")
        await here.settle(200)
        old = {pod["metadata"]["uid"] for pod in here.pods()}
        assert "restartedAt" not in here.status()
        await here.until(lambda: here.status().get("restartedAt") == at, limit_s=200)
        await here.until_phase("Healthy")
        assert not old & {pod["metadata"]["uid"] for pod in here.active()}


def roles(here: RolloutWorld, revision: int) -> set[str]:
    return {pod["metadata"]["labels"].get("role", "") for pod in here.pods_of(revision)}


@pytest.mark.spec("RO-1.3-metadata", "RO-7-20")
async def test_ephemeral_labels_follow_the_role_and_restart_no_pod() -> None:
    canary = {
        "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"x": "y"}},
        "stableMetadata": {"labels": {"role": "stable"}},
        "steps": [{"setWeight": 50}, {"pause": {}}],
    }
    async with rollout_world() as here:
        await here.apply(rollout(replicas=2, canary=canary))
        await here.until_phase("Healthy")
        assert roles(here, 1) == {"stable"}
        plain = here.hash(1)
        await here.image("v2")
        await here.until_phase("Paused")
        assert (roles(here, 1), roles(here, 2)) == ({"stable"}, {"canary"})
        uid = here.pods_of(2)[0]["metadata"]["uid"]
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(10)
        assert roles(here, 2) == {"stable"}
        kept = next(pod for pod in here.pods_of(2) if pod["metadata"]["uid"] == uid)
        assert "x" not in (kept["metadata"].get("annotations") or {})
        body = {"spec": {"strategy": {"canary": {"stableMetadata": {"labels": {"role": "main"}}}}}}
        await here.patch(body)
        await here.until(lambda: roles(here, 2) == {"main"})
        assert len(here.stored("apps", "replicasets")) == 2
        assert plain == here.hash(1)


@pytest.mark.spec("RO-1.5-metadata")
async def test_blue_green_labels() -> None:
    strategy = {
        "activeService": "a", "autoPromotionEnabled": False,
        "previewMetadata": {"labels": {"role": "preview"}}, "activeMetadata": {"labels": {"role": "active"}},
    }  # fmt: skip
    async with rollout_world() as here:
        await here.apply(service("a"), rollout(replicas=2, blueGreen=strategy))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        assert (roles(here, 1), roles(here, 2)) == ({"active"}, {"preview"})
        await here.promote()
        await here.until(lambda: here.phase() == "Healthy" and roles(here, 2) == {"active"})


@pytest.mark.spec("RO-1.3-antiAffinity")
async def test_anti_affinity_is_injected_and_is_no_part_of_the_hash() -> None:
    apart = {"requiredDuringSchedulingIgnoredDuringExecution": {}}
    async with rollout_world() as here:
        await here.apply(
            rollout(replicas=2, canary={"antiAffinity": apart, "steps": [{"setWeight": 50}, {"pause": {}}]})
        )
        await here.until_phase("Healthy")
        assert "affinity" not in here.sets()[1]["spec"]["template"]["spec"]
        await here.image("v2")
        await here.until_phase("Paused")
        [term] = here.sets()[2]["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert term["labelSelector"]["matchExpressions"] == [
            {"key": wire.HASH, "operator": "In", "values": [here.hash(1)]}
        ]
        assert (term["namespaces"], term["topologyKey"]) == (["default"], "kubernetes.io/hostname")
        await here.promote()
        await here.until_phase("Healthy")
        assert len(here.sets()) == 2
        assert here.sets()[2]["spec"]["template"]["spec"]["affinity"]
