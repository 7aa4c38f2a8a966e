"""Replica sets in virtual time: they keep their number, take what is theirs, and say when they cannot."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import pytest

from runtime.objects import PODS, Object, Resource, owner_uid, reference
from tests.controllers.world import Fate, World, owned_by, world
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, JOBS, REPLICA_SETS

pytestmark = pytest.mark.virtual_time
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
POD = {"containers": [{"name": "m", "image": "busybox"}]}


def replica_set(replicas: int, name: str = "r", **labels: str) -> Object:
    """A ReplicaSet of one container."""
    chosen = labels or {"app": name}
    template = {"metadata": {"labels": chosen}, "spec": POD}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": chosen}, "template": template},
    }


def status(here: World) -> Object:
    """The ReplicaSet's status as stored."""
    found: Object = here.stored("apps", "replicasets")[0]["status"]
    return found


async def test_the_status_counts_what_is_there() -> None:
    async with world() as here:
        await here.create(REPLICA_SETS, replica_set(3))
        await here.until(lambda: status(here).get("availableReplicas") == 3)
        assert status(here) == {
            "replicas": 3,
            "fullyLabeledReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "terminatingReplicas": 0,
            "observedGeneration": 1,
        }
        pod = here.pods()[0]
        assert pod["metadata"]["generateName"] == "r-"
        assert pod["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is True


@pytest.mark.parametrize("seed", range(4))
async def test_the_number_is_never_exceeded_and_always_reached(seed: int) -> None:
    dice = Random(seed)

    def fate(pod: Object) -> Fate:
        return Fate(dice.uniform(0, 2), vanishes_s=dice.uniform(0, 20) if dice.random() < 0.5 else None)

    async with world(fate, seed=seed, bad=0.2, deaths_every_s=2.0) as here:
        most = 5
        here.after_commit(lambda: _at_most(here, most))
        ref = await here.create(REPLICA_SETS, replica_set(5))
        await anyio.sleep(60)
        here.fate = lambda pod: Fate()
        await here.until(lambda: len(here.ready()) == 5 and status(here).get("readyReplicas") == 5)
        await here.api.patch(ref, {"spec": {"replicas": 2}})
        await here.until(lambda: len(here.active()) == 2 and status(here)["replicas"] == 2)


def _at_most(here: World, number: int) -> None:
    assert len(here.active()) <= number


async def test_pods_of_nobody_that_match_are_adopted_and_surplus_ones_go() -> None:
    async with world() as here:
        for number in range(3):
            await here.create(PODS, {"metadata": {"name": f"p{number}", "labels": {"app": "r"}}, "spec": POD})
        await here.create(PODS, {"metadata": {"name": "other", "labels": {"app": "x"}}, "spec": POD})
        await anyio.sleep(2)
        ref = await here.create(REPLICA_SETS, replica_set(2))
        await here.until(lambda: len(owned_by(here.pods(), ref.uid)) == 2 and len(here.active()) == 3)
        assert {pod["metadata"]["name"] for pod in here.active()} > {"other"}
        assert len(here.created) == 4


async def test_a_pod_that_is_relabelled_is_released_and_replaced_and_taken_back() -> None:
    async with world() as here:
        ref = await here.create(REPLICA_SETS, replica_set(1))
        await here.until(lambda: len(here.ready()) == 1)
        pod = reference(PODS, here.pods()[0])
        await here.api.patch(pod, {"metadata": {"labels": {"app": "debug"}}})
        await here.until(lambda: len(here.ready()) == 2)
        assert not owner_uid(await here.api.get(pod))
        await here.api.patch(pod, {"metadata": {"labels": {"app": "r"}}})
        await here.until(lambda: len(here.active()) == 1)
        assert len(owned_by(here.active(), ref.uid)) == 1


async def test_a_new_set_takes_over_the_pods_of_one_deleted_with_orphan() -> None:
    async with world() as here:
        ref = await here.create(REPLICA_SETS, replica_set(2))
        await here.until(lambda: len(here.ready()) == 2)
        await here.api.delete(ref, propagation="Orphan")
        await here.until(lambda: here.stored("apps", "replicasets") == [])
        again = await here.create(REPLICA_SETS, replica_set(2))
        await here.until(lambda: len(owned_by(here.active(), again.uid)) == 2)
        assert len(here.created) == 2


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_a_deleted_set_takes_its_pods_with_it(propagation: Any) -> None:
    async with world() as here:
        ref = await here.create(REPLICA_SETS, replica_set(3))
        await here.until(lambda: len(here.ready()) == 3)
        await here.api.delete(ref, propagation=propagation)
        await here.until(lambda: not here.pods() and not here.stored("apps", "replicasets"))
        assert len(here.created) == 3


async def test_a_refused_pod_is_told_in_the_status_and_by_an_event_and_tried_again() -> None:
    async with world() as here:
        ref = await here.create(REPLICA_SETS, replica_set(0))
        broken = {"metadata": {"annotations": {"bad key!": "x"}}}
        await here.api.patch(ref, {"spec": {"template": broken, "replicas": 2}})
        await anyio.sleep(30)
        failure = status(here)["conditions"][0]
        assert (failure["type"], failure["status"], failure["reason"]) == ("ReplicaFailure", "True", "FailedCreate")
        assert "bad key!" in failure["message"]
        events = [each for each in here.stored("", "events") if each["reason"] == "FailedCreate"]
        assert 0 < len(events) <= 2  # one for each pod that was tried, however often
        assert {each["type"] for each in events} == {"Warning"}
        await here.api.patch(ref, {"spec": {"template": {"metadata": {"annotations": {"bad key!": None}}}}})
        await here.until(lambda: status(here).get("replicas") == 2)
        assert "conditions" not in status(here)


async def test_a_namespace_that_ends_takes_its_sets_and_their_pods() -> None:
    async with world() as here:
        await here.api.create(NAMESPACES, {"metadata": {"name": "room"}})
        thing = replica_set(2)
        thing["metadata"]["namespace"] = "room"
        await here.api.create(REPLICA_SETS, thing)
        await here.until(lambda: len(here.pods()) == 2)
        found = next(each for each in here.stored("", "namespaces") if each["metadata"]["name"] == "room")
        await here.api.delete(reference(NAMESPACES, found))
        await here.until(
            lambda: all(each["metadata"]["name"] != "room" for each in here.stored("", "namespaces")), limit_s=100
        )


async def test_a_set_whose_owner_is_orphaned_is_adopted_by_a_deployment_of_its_template() -> None:
    async with world() as here:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        ref = await here.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
        await here.until(lambda: len(here.ready()) == 2)
        await here.api.delete(ref, propagation="Orphan")
        await here.until(lambda: here.stored("apps", "deployments") == [])
        again = await here.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
        await here.until(lambda: len(owned_by(here.stored("apps", "replicasets"), again.uid)) == 1)
        await anyio.sleep(10)
        assert len(here.stored("apps", "replicasets")) == 1
        assert len(here.created) == 2
        assert here.stored("batch", JOBS.plural) == []
