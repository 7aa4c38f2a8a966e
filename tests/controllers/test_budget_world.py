"""A disruption budget says at any time how many of its pods may go, and is never generous by mistake."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.api import Throttled
from runtime.objects import CRDS, PODS, Object, Reference, Resource, evictions
from tests.controllers.world import Fate, World, world
from tiphys.devcluster.controllers.budget import arithmetic
from tiphys.devcluster.controllers.budget.mind import BUDGETS
from tiphys.devcluster.controllers.conditions import condition
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, REPLICA_SETS
from tiphys.devcluster.metadata import stamp

pytestmark = pytest.mark.virtual_time

FLEETS = Resource("example.com/v1", "Fleet", "fleets")
POD: Object = {"containers": [{"name": "m", "image": "busybox"}]}
LABELS = {"app": "web"}


def replica_set(replicas: int) -> Object:
    template = {"metadata": {"labels": LABELS}, "spec": POD}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "selector": _of(), "template": template}}


def _of() -> Object:
    return {"matchLabels": LABELS}


def budget(**spec: Any) -> Object:
    return {"metadata": {"name": "web"}, "spec": {"selector": _of(), **spec}}


def told(here: World) -> tuple[int, int, int, int]:
    """currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed."""
    status = here.stored("policy", "poddisruptionbudgets")[0].get("status") or {}
    fields = ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed")
    have, desired, expected, allowed = (status.get(name, -1) for name in fields)
    return have, desired, expected, allowed


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (5, 2, 5, 3)),
        ({"minAvailable": "50%"}, (5, 3, 5, 2)),
        ({"maxUnavailable": 1}, (5, 4, 5, 1)),
        ({"maxUnavailable": "30%"}, (5, 3, 5, 2)),
        ({"maxUnavailable": 9}, (5, 0, 5, 5)),
        ({"minAvailable": 6}, (5, 6, 5, 0)),
    ],
)
async def test_numbers_and_percentages_are_of_what_the_controller_wants(spec: Any, expected: Any) -> None:
    async with world() as here:
        await here.create(REPLICA_SETS, replica_set(5))
        await here.create(BUDGETS, budget(**spec))
        await here.until(lambda: told(here) == expected)
        status = here.stored("policy", "poddisruptionbudgets")[0]["status"]
        said = condition(status, "DisruptionAllowed")
        assert said is not None
        wanted = ("True", "SufficientPods") if expected[3] else ("False", "InsufficientPods")
        assert (said["status"], said["reason"]) == wanted
        assert (said["observedGeneration"], status["observedGeneration"]) == (1, 1)


async def test_a_deployment_speaks_for_all_of_its_sets() -> None:
    async with world() as here:
        deployment = {**replica_set(4), "metadata": {"name": "web"}}
        ref = await here.create(DEPLOYMENTS, deployment)
        await here.create(BUDGETS, budget(maxUnavailable=1))
        await here.until(lambda: told(here) == (4, 3, 4, 1))
        here.fate = lambda pod: Fate(ready_s=1e9)  # the new pods never get ready: the old ones are all there is
        change = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
        await here.api.patch(ref, change)
        await here.until(lambda: len(here.active()) > 4)
        await anyio.sleep(20)
        assert told(here)[1:3] == (3, 4)
        assert told(here)[3] == max(0, len(here.ready()) - 3)


async def test_pods_that_are_not_ready_are_not_healthy_and_are_awaited() -> None:
    async with world(lambda pod: Fate(ready_s=30)) as here:
        await here.create(BUDGETS, budget(maxUnavailable=1))
        await here.until(lambda: told(here) == (0, 0, 0, 0))
        ref = await here.create(REPLICA_SETS, replica_set(3))
        await here.until(lambda: told(here) == (0, 2, 3, 0))
        await here.until(lambda: told(here) == (3, 2, 3, 1))
        await here.api.patch(ref, {"spec": {"replicas": 0}})
        await here.until(lambda: told(here) == (0, 0, 0, 0))


async def test_a_granted_eviction_counts_at_once_and_is_not_believed_for_ever() -> None:
    async with world() as here:
        await here.create(REPLICA_SETS, replica_set(3))
        ref = await here.create(BUDGETS, budget(maxUnavailable=1))
        await here.until(lambda: told(here) == (3, 2, 3, 1))
        name = here.pods()[0]["metadata"]["name"]
        granted = {"disruptedPods": {name: stamp(here.server.now())}, "disruptionsAllowed": 0}
        await here.api.patch(ref, {"status": granted}, subresource="status")
        await here.until(lambda: told(here) == (2, 2, 3, 0))
        await anyio.sleep(100)
        assert told(here) == (2, 2, 3, 0)
        await here.until(lambda: told(here) == (3, 2, 3, 1), limit_s=60)
        status = here.stored("policy", "poddisruptionbudgets")[0]["status"]
        assert not status.get("disruptedPods")


async def test_evictions_are_granted_one_by_one_as_pods_are_replaced() -> None:
    async with world(lambda pod: Fate(ready_s=10)) as here:
        await here.create(REPLICA_SETS, replica_set(3))
        await here.create(BUDGETS, budget(maxUnavailable=1))
        await here.until(lambda: told(here) == (3, 2, 3, 1))
        least, refusals = [3], set[str]()
        here.after_commit(lambda: least.append(len(here.ready())))
        for name in [pod["metadata"]["name"] for pod in here.pods()]:
            while True:
                try:
                    await here.api.create(evictions(name), {"metadata": {"name": name, "namespace": "default"}})
                except Throttled as refusal:
                    refusals.add(refusal.message)
                    await anyio.sleep(1)
                else:
                    break
        await here.until(lambda: told(here) == (3, 2, 3, 1))
        assert (min(least), len(here.created)) == (2, 6)
        assert refusals == {"Cannot evict pod as it would violate the pod's disruption budget."}


async def test_pods_of_nobody_count_for_numbers_only_and_that_is_told() -> None:
    async with world() as here:
        for number in range(3):
            await here.create(PODS, {"metadata": {"name": f"p{number}", "labels": LABELS}, "spec": POD})
        ref = await here.create(BUDGETS, budget(minAvailable=2))
        await here.until(lambda: told(here) == (3, 2, 3, 1))
        await here.api.patch(ref, {"spec": {"minAvailable": "50%"}})
        await here.until(lambda: told(here) == (3, 0, 0, 0))
        await here.until(lambda: "NoControllers" in {event["reason"] for event in here.stored("", "events")})


async def test_a_controller_of_another_kind_is_asked_for_its_number() -> None:
    async with world() as here:
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        definition = {
            "metadata": {"name": "fleets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"kind": "Fleet", "plural": "fleets"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        }
        await here.api.create(CRDS, definition)
        fleet = await here.create(FLEETS, {"metadata": {"name": "f"}, "spec": {"replicas": 10}})
        owner = {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "f", "uid": fleet.uid, "controller": True}
        for number in range(3):
            meta = {"name": f"p{number}", "labels": LABELS, "ownerReferences": [owner]}
            await here.create(PODS, {"metadata": meta, "spec": POD})
        await here.create(BUDGETS, budget(maxUnavailable="80%"))
        await here.until(lambda: told(here) == (3, 2, 10, 1))
        await here.api.patch(fleet, {"spec": {"replicas": 3}})
        await here.until(lambda: told(here) == (3, 0, 3, 3), limit_s=60)


async def test_it_settles_rightly_in_bad_weather_and_with_dying_controllers() -> None:
    async with world(seed=7, bad=0.2, deaths_every_s=3.0) as here:
        await here.create(REPLICA_SETS, replica_set(4))
        await here.create(BUDGETS, budget(minAvailable="75%"))
        await here.until(lambda: told(here) == (4, 3, 4, 1))
        await here.api.delete(Reference(PODS, "default", here.active()[0]["metadata"]["name"]))
        await here.until(lambda: told(here) == (4, 3, 4, 1) and len(here.created) == 5)


@given(pods=st.integers(0, 20), ready=st.integers(0, 20), scale=st.integers(0, 20), percent=st.integers(0, 100))
def test_what_is_allowed_never_leaves_fewer_than_desired(pods: int, ready: int, scale: int, percent: int) -> None:
    things = [
        {"metadata": {"name": f"p{n}"}, "status": {"conditions": [{"type": "Ready", "status": str(n < ready)}]}}
        for n in range(pods)
    ]
    for spec in ({"minAvailable": f"{percent}%"}, {"maxUnavailable": f"{percent}%"}, {"minAvailable": percent}):
        said = arithmetic.status({"metadata": {"generation": 1}, "spec": spec}, things, scale, 0.0)
        left = said["currentHealthy"] - said["disruptionsAllowed"]
        assert said["disruptionsAllowed"] == 0 or left >= said["desiredHealthy"]
