"""Whole roll-outs in virtual time: never too many pods, never too few, and they end, whatever dies when."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import pytest

from runtime.objects import Object, Reference
from tests.controllers.world import Fate, World, world
from tiphys.devcluster.controllers.deployment.bounds import deployment_bounds
from tiphys.devcluster.controllers.deployment.revisions import HASH_LABEL
from tiphys.devcluster.controllers.owners import DEPLOYMENTS

pytestmark = pytest.mark.virtual_time


def deployment(replicas: int = 4, **spec: Any) -> Object:
    """A Deployment of one container."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "m", "image": "web:1"}]}}
    selector = {"matchLabels": {"app": "web"}}
    return {
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": selector, "template": template} | spec,
    }


async def roll(here: World, ref: Reference, image: str) -> None:
    """Change the template."""
    body = {"spec": {"template": {"spec": {"containers": [{"name": "m", "image": image}]}}}}
    await here.api.patch(ref, body, kind="strategic")


def own(here: World) -> Object:
    """The Deployment as stored."""
    return here.stored("apps", "deployments")[0]


def is_done(here: World) -> bool:
    """Whether the roll-out is complete, as `kubectl rollout status` asks."""
    thing = own(here)
    status, wished = thing["status"], thing["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return status.get("observedGeneration") == thing["metadata"]["generation"] and counts == {wished}


def images(here: World) -> list[str]:
    """The images of all active pods."""
    return sorted(pod["spec"]["containers"][0]["image"] for pod in here.active())


def restless(seed: int) -> Any:
    """Pods that get ready late, waver, die or vanish."""
    dice = Random(seed)

    def fate(pod: Object) -> Fate:
        what = dice.random()
        return Fate(
            ready_s=dice.uniform(0, 4),
            wavers_s=dice.uniform(1, 20) if what < 0.3 else None,
            ends_s=dice.uniform(1, 30) if 0.3 <= what < 0.45 else None,
            code=1,
            vanishes_s=dice.uniform(0, 30) if 0.45 <= what < 0.6 else None,
            ending_s=dice.uniform(0, 5),
        )

    return fate


@pytest.mark.parametrize("seed", range(6))
async def test_never_more_pods_than_replicas_and_surge_and_it_converges(seed: int) -> None:
    dice = Random(seed)
    replicas = dice.randint(1, 8)
    rolling = {"maxSurge": dice.choice([0, 1, "25%", "60%"]), "maxUnavailable": dice.choice([0, 1, "25%", "50%"])}
    if rolling["maxSurge"] == rolling["maxUnavailable"] == 0:
        rolling["maxSurge"] = 1
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    most = 0
    async with world(restless(seed), seed=seed, bad=0.1, deaths_every_s=4.0) as here:
        thing = deployment(replicas, strategy=strategy)
        limit = replicas + deployment_bounds(thing).surge

        def look() -> None:
            nonlocal most
            most = max(most, len(here.active()))
            assert len(here.active()) <= limit, [pod["metadata"]["name"] for pod in here.active()]

        here.after_commit(look)
        ref = await here.create(DEPLOYMENTS, thing)
        for number in range(2, 6):
            await anyio.sleep(dice.uniform(0, 12))
            await roll(here, ref, f"web:{dice.choice([1, number])}")
        last = own(here)["spec"]["template"]["spec"]["containers"][0]["image"]
        here.fate = lambda pod: Fate()
        await here.until(lambda: is_done(here) and images(here) == [last] * replicas)
        assert here.deaths
        assert most >= replicas


@pytest.mark.parametrize("seed", range(5))
async def test_steady_pods_are_never_fewer_than_promised_while_it_rolls(seed: int) -> None:
    dice = Random(seed)
    replicas = dice.randint(1, 8)
    rolling = {"maxSurge": dice.choice([1, "40%"]), "maxUnavailable": dice.choice([0, 1, "30%"])}
    async with world(seed=seed, bad=0.1, deaths_every_s=5.0) as here:
        thing = deployment(replicas, strategy={"type": "RollingUpdate", "rollingUpdate": rolling})
        must = replicas - deployment_bounds(thing).unavailable
        ref = await here.create(DEPLOYMENTS, thing)
        await here.until(lambda: is_done(here))

        def look() -> None:
            assert len(here.ready()) >= must

        here.after_commit(look)
        await roll(here, ref, "web:2")
        await anyio.sleep(dice.uniform(0, 5))
        await roll(here, ref, dice.choice(["web:1", "web:3"]))
        await here.until(lambda: is_done(here))


async def test_recreate_has_no_pod_of_the_new_template_beside_one_of_the_old() -> None:
    async with world(lambda pod: Fate(ending_s=7), bad=0.05, deaths_every_s=6.0) as here:
        ref = await here.create(DEPLOYMENTS, deployment(3, strategy={"type": "Recreate"}))
        await here.until(lambda: is_done(here))
        here.after_commit(lambda: _one_hash(here))
        await roll(here, ref, "web:2")
        await here.until(lambda: is_done(here) and images(here) == ["web:2"] * 3)


def _one_hash(here: World) -> None:
    assert len({pod["metadata"]["labels"][HASH_LABEL] for pod in here.pods()}) <= 1


async def test_scaling_in_the_middle_of_a_roll_out_gives_every_set_its_share() -> None:
    async with world(lambda pod: Fate(ready_s=1 if "web:1" in str(pod["spec"]) else 1e6)) as here:
        ref = await here.create(DEPLOYMENTS, deployment(8))
        await here.until(lambda: is_done(here))
        await roll(here, ref, "web:2")
        await anyio.sleep(10)
        before = sorted(each["spec"]["replicas"] for each in here.stored("apps", "replicasets"))
        await here.api.patch(ref, {"spec": {"replicas": 16}})
        await anyio.sleep(10)
        after = sorted(each["spec"]["replicas"] for each in here.stored("apps", "replicasets"))
        assert (before, after) == ([4, 6], [8, 12])


async def test_what_makes_no_progress_is_told_after_the_deadline() -> None:
    async with world(lambda pod: Fate(ready_s=1e6)) as here:
        await here.create(DEPLOYMENTS, deployment(2, progressDeadlineSeconds=60))
        await anyio.sleep(55)
        assert {c["type"]: c["reason"] for c in own(here)["status"]["conditions"]} == {
            "Available": "MinimumReplicasUnavailable",
            "Progressing": "ReplicaSetUpdated",
        }
        await anyio.sleep(15)
        assert {c["type"]: (c["status"], c["reason"]) for c in own(here)["status"]["conditions"]}["Progressing"] == (
            "False",
            "ProgressDeadlineExceeded",
        )


async def test_old_sets_go_beyond_the_history_limit_and_an_undone_template_takes_its_set_again() -> None:
    async with world() as here:
        ref = await here.create(DEPLOYMENTS, deployment(1, revisionHistoryLimit=2))
        await here.until(lambda: is_done(here))
        for number in range(2, 6):
            await roll(here, ref, f"web:{number}")
            await anyio.sleep(20)
        sets = here.stored("apps", "replicasets")
        kept = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in sets}
        assert kept == {"web:3", "web:4", "web:5"}
        await roll(here, ref, "web:3")
        await anyio.sleep(20)
        assert len(here.stored("apps", "replicasets")) == 3
        revision = "deployment.kubernetes.io/revision"
        again = next(each for each in here.stored("apps", "replicasets") if each["spec"]["replicas"])
        assert again["metadata"]["annotations"][revision] == own(here)["metadata"]["annotations"][revision] == "6"
        assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "3"


async def test_a_paused_deployment_scales_and_does_not_roll() -> None:
    async with world() as here:
        ref = await here.create(DEPLOYMENTS, deployment(2))
        await here.until(lambda: is_done(here))
        await here.api.patch(ref, {"spec": {"paused": True}})
        await roll(here, ref, "web:2")
        await here.api.patch(ref, {"spec": {"replicas": 4}})
        await anyio.sleep(20)
        assert images(here) == ["web:1"] * 4
        await here.api.patch(ref, {"spec": {"paused": False}})
        await here.until(lambda: is_done(here) and images(here) == ["web:2"] * 4)


async def test_minimum_seconds_ready_hold_the_roll_out_back() -> None:
    async with world() as here:
        ref = await here.create(DEPLOYMENTS, deployment(1, minReadySeconds=30))
        began = anyio.current_time()
        await here.until(lambda: is_done(here))
        assert 30 <= anyio.current_time() - began < 34
        await roll(here, ref, "web:2")
        began = anyio.current_time()
        await here.until(lambda: is_done(here))
        assert 30 <= anyio.current_time() - began < 36


async def test_a_quiet_deployment_writes_nothing() -> None:
    async with world() as here:
        await here.create(DEPLOYMENTS, deployment(3))
        await here.until(lambda: is_done(here))
        await anyio.sleep(10)
        version = here.server.storage.version
        await anyio.sleep(2000)
        assert here.server.storage.version == version


async def test_a_strategy_that_makes_no_sense_is_told_by_an_event() -> None:
    async with world() as here:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "lots", "maxUnavailable": 0}}
        made = deployment(1, strategy=rolling)
        made["metadata"] |= {"namespace": "default", "uid": "u"}
        bucket = here.server.storage.bucket("apps", "deployments")
        here.server.storage.put(bucket, made)  # as a server without this rule has stored it
        await anyio.sleep(30)
        told = [each["message"] for each in here.stored("", "events") if each["reason"] == "InvalidStrategy"]
        assert told == ["spec.strategy.rollingUpdate: 'lots' is neither a number nor a percentage such as 25%"]
        assert here.created == []
