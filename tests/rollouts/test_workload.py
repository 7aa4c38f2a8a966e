"""A Rollout that takes its template from a Deployment, and may take over its pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from actors.rollout import wire
from runtime.objects import Object, Reference
from tests.rollouts.world import RolloutWorld, broken, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time


def deployment(replicas: int = 2, image: str = "v1") -> Object:
    labels = {"app": "r"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}},
        },
    }


def referring(replicas: int = 2, scale_down: str | None = None, **strategy: Any) -> Object:
    thing = rollout(replicas=replicas, **(strategy or {"canary": {}}))
    del thing["spec"]["template"]
    del thing["spec"]["selector"]
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    thing["spec"]["workloadRef"] = ref | ({"scaleDown": scale_down} if scale_down else {})
    return thing


def left(here: RolloutWorld) -> int:
    [found] = here.stored("apps", "deployments")
    return found["spec"]["replicas"]


async def set_image(here: RolloutWorld, image: str) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
    await here.api.patch(Reference(wire.DEPLOYMENTS, "default", "d"), body)


@pytest.mark.spec("RO-1.2-workloadRef")
async def test_its_whole_life() -> None:
    async with rollout_world(broken("bad")) as here:
        thing = referring(blueGreen={"activeService": "a"})
        thing["spec"]["progressDeadlineSeconds"] = 5
        await here.apply(service("a"), thing)
        await here.until_phase("Degraded")
        assert 'deployments.apps "default/d" not found' in here.status()["message"]
        assert here.selected("a") == ""
        await here.apply(deployment(0))
        await here.until_phase("Healthy")
        assert here.status()["workloadObservedGeneration"] == "1"
        assert "template" not in here.rollout()["spec"]
        assert "selector" not in here.rollout()["spec"]
        await set_image(here, "bad")
        await here.until(lambda: here.status().get("workloadObservedGeneration") == "2")
        await here.until_phase("Degraded")
        await set_image(here, "good")
        await here.until_phase("Healthy")
        await here.patch({"spec": {"workloadRef": {"name": "no"}}})
        await here.until_phase("Degraded")
        await here.patch({"spec": {"workloadRef": {"name": "d"}}})
        await here.until_phase("Healthy")
        template = copy.deepcopy(deployment()["spec"]["template"])
        selector = deployment()["spec"]["selector"]
        await here.patch({"spec": {"workloadRef": None, "template": template, "selector": selector}})
        await here.until_phase("Healthy")
        await here.until(lambda: "workloadObservedGeneration" not in here.status())


@pytest.mark.parametrize("app", ["r", "other"])
@pytest.mark.spec("RO-1.2-workloadRef")
async def test_a_replica_set_that_gives_its_template_is_none_of_its_own(app: str) -> None:
    """Whether or not the selector matches it: it is neither adopted, let go, scaled nor counted."""
    given = {**copy.deepcopy(deployment(0)), "kind": "ReplicaSet"}
    given["metadata"]["labels"] = {"app": app}
    async with rollout_world() as here:
        thing = referring(replicas=1)
        thing["spec"]["workloadRef"]["kind"] = "ReplicaSet"
        thing["spec"]["selector"] = {"matchLabels": {"app": "r"}}
        await here.apply(given, thing)
        await here.until_phase("Healthy")
        assert here.status()["workloadObservedGeneration"] == "1"
        body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "v2"}]}}}}
        await here.api.patch(Reference(wire.REPLICA_SETS, "default", "d"), body)
        await here.until(lambda: here.status().get("workloadObservedGeneration") == "2")
        await here.until_phase("Healthy")
        found = {each["metadata"]["name"]: each for each in here.stored("apps", "replicasets")}
        assert len(found) == 3
        assert found["d"]["spec"]["replicas"] == 0
        assert "ownerReferences" not in found["d"]["metadata"]


async def test_a_template_beside_the_reference_is_refused() -> None:
    async with rollout_world() as here:
        thing = rollout(canary={})
        thing["spec"]["workloadRef"] = referring()["spec"]["workloadRef"]
        await here.apply(deployment(0), thing)
        await here.until_phase("Degraded")
        assert "template must be empty for workload reference rollout" in here.status()["message"]
        assert len(here.status()["conditions"]) == 1


async def test_labels_beside_the_reference_are_refused_by_the_controller_and_not_before() -> None:
    async with rollout_world() as here:
        thing = referring()
        thing["spec"]["template"] = {"metadata": {"labels": {"app": "r"}}}
        await here.apply(deployment(0), thing)
        await here.until_phase("Degraded")
        assert "template must be empty for workload reference rollout" in here.status()["message"]


async def test_a_workload_of_another_kind_is_refused() -> None:
    async with rollout_world() as here:
        thing = referring()
        thing["spec"]["workloadRef"]["kind"] = "StatefulSet"
        await here.apply(thing)
        await here.until_phase("Degraded")
        assert "workload of type apps/StatefulSet is not supported" in here.status()["message"]


@pytest.mark.parametrize(("mode", "rest"), [(None, 2), ("never", 2), ("onsuccess", 0), ("progressively", 0)])
@pytest.mark.spec("RO-1.2-workloadRef.scaleDown")
async def test_how_the_deployment_is_scaled_down(mode: str | None, rest: int) -> None:
    async with rollout_world() as here:
        await here.apply(deployment(2), referring(2, mode))
        await here.until_phase("Healthy")
        await here.settle(10)
        assert left(here) == rest


@pytest.mark.parametrize("strategy", [{"canary": {}}, {"blueGreen": {"activeService": "a"}}])
async def test_a_deployment_that_was_scaled_down_stays_so(strategy: dict[str, Any]) -> None:
    async with rollout_world() as here:
        await here.apply(service("a"), deployment(3), referring(3, "progressively", **strategy))
        seen = here.watch(lambda: left(here))
        await here.until_phase("Healthy")
        await here.settle(5)
        assert left(here) == 0
        assert seen == sorted(seen, reverse=True)
        for replicas in (5, 1):
            await here.scale(replicas)
            await here.settle(10)
            assert left(here) == 0
        await set_image(here, "v2")
        await here.settle(30)
        await here.until_phase("Healthy")
        assert left(here) == 0
