"""Upstream's cases of versions that linger behind a router: after an update, after an abort, on the way back."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout import wire
from runtime.objects import Object
from tests.controllers.world import Fate
from tests.rollouts.routers import alb_ingress, routed
from tests.rollouts.world import RolloutWorld, rollout_world, service

pytestmark = pytest.mark.virtual_time

ALB = {"alb": {"ingress": "one", "rootService": "root", "servicePort": 80}}
PAUSE: Object = {"pause": {}}
QUARTERS = [{"setWeight": 25}, PAUSE, {"setWeight": 75}, PAUSE]


def known_template(wanted: Object) -> Object:
    """The template whose hash upstream's suite asserts."""
    name = "canary-scaledowndelay"
    port = {"name": "http", "containerPort": 80, "protocol": "TCP"}
    resources = {"requests": {"memory": "16Mi", "cpu": "5m"}}
    container = {"name": name, "image": "nginx:1.19-alpine", "ports": [port], "resources": resources}
    wanted["spec"]["selector"] = {"matchLabels": {"app": name}}
    wanted["spec"]["template"] = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    return wanted


async def begin(here: RolloutWorld, wanted: Object) -> None:
    app = wanted["spec"]["selector"]["matchLabels"]["app"]
    await here.apply(*(service(name, app) for name in ("c", "s", "root")), alb_ingress("one", "root"), wanted)
    await here.until_phase("Healthy")
    await here.settle(3)


def is_leaving(here: RolloutWorld, revision: int) -> bool:
    return wire.SCALE_DOWN_DEADLINE in here.sets()[revision]["metadata"]["annotations"]


async def test_CanaryScaleDownDelay() -> None:
    wanted = routed([{"setWeight": 100}], ALB, scaleDownDelayRevisionLimit=1, scaleDownDelaySeconds=600)
    async with rollout_world() as here:
        await begin(here, wanted)
        await here.image("v2")
        await here.until_phase("Healthy")
        await here.settle(2)
        assert (here.sizes(), is_leaving(here, 1)) == ({1: 1, 2: 1}, True)
        await here.image("v3")
        await here.until_phase("Healthy")
        await here.settle(2)
        assert (here.sizes(), is_leaving(here, 1), is_leaving(here, 2)) == ({1: 0, 2: 1, 3: 1}, False, True)
        await here.image("v2")
        await here.until_phase("Healthy")
        await here.settle(2)
        assert here.sizes() == {1: 0, 3: 1, 4: 1}
        assert [is_leaving(here, each) for each in (1, 3, 4)] == [False, True, False]


async def test_CanaryScaleDownDelayWithProgressDeadline() -> None:
    wanted = routed([{"setWeight": 100}], ALB, scaleDownDelaySeconds=60)
    wanted["spec"]["progressDeadlineSeconds"] = 5
    async with rollout_world() as here:
        await begin(here, wanted)
        await here.image("v2")
        await here.until_phase("Healthy")
        phases = here.watch(here.phase)
        await here.settle(3)
        before = here.system.statistics().scheduler.messages if here.system else 0
        await here.settle(50)
        assert is_leaving(here, 1)
        assert here.system is not None
        assert here.system.statistics().scheduler.messages - before < 20, "nothing is looked at all the time"
        await here.until(lambda: here.sizes() == {1: 0, 2: 1})
        await here.settle(20)
        assert phases == ["Healthy"]


async def test_CanaryScaleDownOnAbort() -> None:
    """Its template is upstream's in all that enters the hash: the Service's selector can be told to the letter."""
    wanted = known_template(routed([{"setWeight": 50}, PAUSE], ALB, abortScaleDownDelaySeconds=1))
    async with rollout_world() as here:
        await begin(here, wanted)
        await here.image("v2")
        await here.until_phase("Paused")
        await here.abort()
        await here.until_phase("Degraded")
        await here.settle(1)
        assert here.selected("c") == "674d8cf959"
        await here.settle(3)
        assert here.pods_of(2) == []


async def test_CanaryUnScaleDownOnAbort() -> None:
    steps = [{"setCanaryScale": {"replicas": 1}}, {"setWeight": 50}, PAUSE]
    async with rollout_world() as here:
        await begin(here, routed(steps, ALB, abortScaleDownDelaySeconds=0))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.abort()
        await here.until_phase("Degraded")
        await here.settle(1000)
        assert (len(here.pods_of(2)), is_leaving(here, 2)) == (1, False)


class Gates:
    """Pods get ready when somebody says so: the first `opened` of each version."""

    def __init__(self) -> None:
        self.opened: dict[str, int] = {}
        self.seen: dict[str, list[str]] = {}

    def fate(self, pod: Object) -> Fate:
        value = pod["metadata"]["labels"][wire.HASH]
        made = self.seen.setdefault(value, [])
        made.append(pod["metadata"]["uid"])
        return Fate(ready_s=0.5 if len(made) <= self.opened.get(value, 4) else 1e9)

    def hold(self, here: RolloutWorld, revision: int, ready: int) -> None:
        """Of the pods that this version gets from now on, only so many get ready."""
        value = here.hash(revision)
        self.opened[value] = len(self.seen.get(value, ())) + ready


async def shrunk(here: RolloutWorld, **more: Any) -> None:
    """A dynamic update of four pods that stands at 75 %: one of stable, three of the canary."""
    await begin(here, routed(QUARTERS, ALB, replicas=4, dynamicStableScale=True, **more))
    await here.image("v2")
    await here.until_phase("Paused")
    await here.settle(2)
    assert (here.sizes(), here.weights()) == ({1: 3, 2: 1}, (25, 75))
    await here.promote()
    await here.until(lambda: here.status()["currentStepIndex"] == 3 and here.phase() == "Paused")
    await here.settle(2)
    assert (here.sizes(), here.weights()) == ({1: 1, 2: 3}, (75, 25))


async def free(here: RolloutWorld, revision: int) -> None:
    """What of a version is not ready is replaced by pods that are."""
    ready = {pod["metadata"]["uid"] for pod in here.ready()}
    for pod in here.pods_of(revision):
        if pod["metadata"]["uid"] not in ready:
            await here.delete_pod(pod)


@pytest.mark.spec("RO-2.21-timelines", "RO-7-10", "RO-7-8")
async def test_CanaryDynamicStableScale() -> None:
    gates = Gates()
    async with rollout_world(gates.fate) as here:
        await shrunk(here)
        gates.hold(here, 1, 2)
        seen = here.watch(lambda: (here.weights(), tuple(here.sizes().values())))
        await here.abort()
        await here.until(lambda: here.sizes() == {1: 4, 2: 1})
        await here.settle(30)
        assert (here.sizes(), here.weights()) == ({1: 4, 2: 1}, (25, 75))
        assert here.selected("c") == here.hash(2) != here.selected("s")
        assert ((75, 25), (3, 3)) in seen, "the weight stays until three of stable are ready"
        gates.hold(here, 1, 4)
        await free(here, 1)
        await here.until(lambda: here.sizes() == {1: 4, 2: 0})
        await here.settle(2)
        assert (here.weights(), here.selected("c"), here.selected("s")) == ((0, 100), here.hash(1), here.hash(1))


async def test_CanaryDynamicStableScaleAbortScaleDownDelay() -> None:
    gates = Gates()
    async with rollout_world(gates.fate) as here:
        await shrunk(here, abortScaleDownDelaySeconds=20)
        gates.hold(here, 1, 0)
        await here.abort()
        await here.settle(10)
        assert (here.weights(), here.sizes()[2], is_leaving(here, 2)) == ((75, 25), 3, False)
        gates.hold(here, 1, 4)
        await free(here, 1)
        await here.until(lambda: here.weights() == (0, 100))
        await here.settle(2)
        assert (here.sizes(), is_leaving(here, 2)) == ({1: 4, 2: 3}, True)
        await here.until(lambda: here.sizes() == {1: 4, 2: 0})
        assert here.selected("c") == here.selected("s") == here.hash(1)


async def test_a_retry_brings_no_traffic_to_a_stable_side_that_is_not_back_yet() -> None:
    gates = Gates()
    async with rollout_world(gates.fate) as here:
        await shrunk(here)
        gates.hold(here, 1, 0)
        await here.abort()
        await here.settle(5)
        seen = here.watch(here.weights)
        await here.retry()
        await here.settle(20)
        assert set(seen) == {(75, 25)}, "one pod of stable is ready: it can take a quarter, and no more"
        gates.hold(here, 1, 4)
        await free(here, 1)
        await here.until(lambda: here.phase() == "Paused" and here.weights() == (25, 75))
