"""Controllers over the simulated node, in virtual time: pods that serve late, badly or never, by the hundred."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from runtime.api import Selection
from runtime.objects import PODS, Object, Reference
from runtime.system import System
from tests.node.cluster import Cluster, cluster
from tests.virtual_time import VirtualClock
from tiphys.devcluster.controllers import rooms
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, REPLICA_SETS

pytestmark = pytest.mark.virtual_time

IMAGES = {"shop:2*": {"ready-after": "never"}, "shop:3": {"fail-after": "5"}, "shop:*": {"ready-after": "10"}}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Cluster]:
    clock = VirtualClock()
    async with (
        cluster(tmp_path / "node", "simulated", clock=clock.wall, simulated_images=IMAGES) as built,
        anyio.create_task_group() as tasks,
    ):
        await tasks.start(System(built.api, rooms(), clock=clock, dice=Random(1)).run)
        yield built
        tasks.cancel_scope.cancel()


def workload(replicas: int, image: str, **spec: Any) -> Object:
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "metadata": {"name": "shop"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


async def counts(made: Cluster, resource: Any) -> tuple[int, int, int]:
    """replicas, readyReplicas, availableReplicas."""
    status = (await made.api.get(Reference(resource, "default", "shop"))).get("status") or {}
    ready, available = status.get("readyReplicas", 0), status.get("availableReplicas", 0)
    return status.get("replicas", 0), ready, available


async def test_a_hundred_pods_are_ready_at_their_time_and_available_after_that(made: Cluster) -> None:
    await made.create(workload(100, "shop:1", minReadySeconds=20), REPLICA_SETS)
    await anyio.sleep(9)
    assert await counts(made, REPLICA_SETS) == (100, 0, 0)
    await anyio.sleep(6)
    assert await counts(made, REPLICA_SETS) == (100, 100, 0)
    await anyio.sleep(30)
    assert await counts(made, REPLICA_SETS) == (100, 100, 100)
    await made.api.patch(Reference(REPLICA_SETS, "default", "shop"), {"spec": {"replicas": 10}})
    await anyio.sleep(40)
    assert await counts(made, REPLICA_SETS) == (10, 10, 10)


async def test_a_roll_out_to_pods_that_never_serve_stops_and_the_way_back_is_open(made: Cluster) -> None:
    ref = Reference(DEPLOYMENTS, "default", "shop")
    await made.create(workload(8, "shop:1", progressDeadlineSeconds=60), DEPLOYMENTS)
    await anyio.sleep(30)
    assert await counts(made, DEPLOYMENTS) == (8, 8, 8)

    def image(name: str) -> Object:
        return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": name}]}}}}

    await made.api.patch(ref, image("shop:2.7"))
    await anyio.sleep(100)
    stuck = (await made.api.get(ref))["status"]
    assert stuck["readyReplicas"] == 6  # a quarter may be missing
    assert "ProgressDeadlineExceeded" in {c.get("reason") for c in stuck["conditions"]}
    await made.api.patch(ref, image("shop:1"))
    await anyio.sleep(60)
    assert await counts(made, DEPLOYMENTS) == (8, 8, 8)


async def test_crashing_pods_are_restarted_and_never_counted_for_long(made: Cluster) -> None:
    await made.create(workload(5, "shop:3", minReadySeconds=30), REPLICA_SETS)
    await anyio.sleep(60)
    assert (await counts(made, REPLICA_SETS))[2] == 0
    pods = (await made.api.list(PODS, Selection("default"))).items
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] >= 2 for pod in pods)
