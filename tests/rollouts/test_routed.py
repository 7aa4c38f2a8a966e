"""A canary behind a router: pods for the traffic, the weight after the pods, the Services in between."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.objects import Reference
from tests.controllers.world import Fate
from tests.rollouts.world import RolloutWorld, image_of, ingress, ready, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

NGINX = {"nginx": {"stableIngress": "ing"}}


def routed(replicas: int, steps: list[Any], **more: Any) -> dict[str, Any]:
    canary = {"canaryService": "c", "stableService": "s", "trafficRouting": NGINX, "steps": steps, **more}
    return rollout(replicas=replicas, canary=canary)


async def begin(here: RolloutWorld, thing: dict[str, Any]) -> None:
    await here.apply(service("c"), service("s"), ingress("ing", "s"), thing)
    await here.until_phase("Healthy")
    await here.settle(3)


def weight(here: RolloutWorld) -> str:
    found = here.server.storage.bucket("networking.k8s.io", "ingresses").records["default", "r-ing-canary"].object
    return found["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]


@pytest.mark.spec(
    "RO-1.3-scaleDownDelaySeconds", "RO-1.4-setWeight", "RO-1.6-nginx", "RO-2.10-weights", "RO-2.21-timelines", "RO-7-7"
)
async def test_the_worked_timeline_of_ten_replicas() -> None:
    """20, pause, 60: each line is one state that somebody could see."""
    async with rollout_world() as here:
        await begin(here, routed(10, [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]))
        assert here.weights() == (0, 100)
        seen = here.watch(lambda: (here.weights(), weight(here), tuple(here.sizes().values()), here.selected("c")))
        short = here.watch(lambda: int(weight(here)) * 10 // 100 > _ready(here, here.selected("c")))
        await here.image("v2")
        await here.until_phase("Paused")
        assert seen[-1] == ((20, 80), "20", (10, 2), here.hash(2))
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(5)
        assert here.sizes() == {1: 10, 2: 10}
        assert "scale-down-deadline" in here.sets()[1]["metadata"]["annotations"]
        await here.settle(40)
        assert here.sizes() == {1: 0, 2: 10}
        assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(2))
        assert set(short) == {False}
        steps = [(each[0], each[2]) for each in seen]
        order = [
            ((0, 100), (10, 0)), ((0, 100), (10, 2)), ((20, 80), (10, 2)), ((20, 80), (10, 6)), ((60, 40), (10, 6)),
            ((60, 40), (10, 10)), ((100, 0), (10, 10)), ((0, 100), (10, 10)), ((0, 100), (0, 10)),
        ]  # fmt: skip
        assert [each for i, each in enumerate(steps) if i == 0 or each != steps[i - 1]][1:] == order
        assert here.events("TrafficWeightUpdated")[-4:] == [
            "Traffic weight updated from 0 to 20", "Traffic weight updated from 20 to 60",
            "Traffic weight updated from 60 to 100", "Traffic weight updated from 100 to 0",
        ]  # fmt: skip


@pytest.mark.spec("RO-1.3-abortScaleDownDelaySeconds", "RO-7-9")
async def test_an_abort_takes_the_traffic_at_once_and_the_pods_later() -> None:
    async with rollout_world() as here:
        await begin(here, routed(10, [{"setWeight": 60}, {"pause": {}}]))
        await here.image("v2")
        await here.until_phase("Paused")
        assert (here.weights(), here.sizes()) == ((60, 40), {1: 10, 2: 6})
        await here.abort()
        await here.until_phase("Degraded")
        await here.settle(2)
        assert (here.weights(), here.sizes(), here.selected("c")) == ((0, 100), {1: 10, 2: 6}, here.hash(1))
        switches = len(here.events("SwitchService"))
        await here.settle(40)
        assert here.sizes() == {1: 10, 2: 0}
        assert len(here.events("SwitchService")) == switches
        await here.retry()
        await here.until_phase("Paused")
        assert (here.weights(), here.sizes(), here.selected("c")) == ((60, 40), {1: 10, 2: 6}, here.hash(2))


@pytest.mark.spec("RO-1.4-setCanaryScale")
async def test_set_canary_scale_decouples_pods_from_the_weight() -> None:
    pause: dict[str, Any] = {"pause": {}}
    steps = [
        pause, {"setCanaryScale": {"replicas": 1}}, pause, {"setWeight": 50}, {"setCanaryScale": {"weight": 25}}, pause,
        {"setCanaryScale": {"replicas": 3}}, pause, {"setCanaryScale": {"matchTrafficWeight": True}}, pause,
    ]  # fmt: skip
    async with rollout_world() as here:
        await begin(here, routed(4, steps))
        await here.image("v2")
        found = []
        for _ in range(5):
            await here.until_phase("Paused")
            await here.settle(3)
            found.append((here.sizes()[2], here.sizes()[1]))
            await here.promote()
            await here.settle(3)
        await here.until_phase("Healthy")
        assert found == [(0, 4), (1, 4), (1, 4), (3, 4), (2, 4)]
        assert (here.sizes()[2], here.sizes()[1]) == (4, 4)


@pytest.mark.spec("RO-1.3-dynamicStableScale", "RO-7-10", "RO-7-8")
async def test_dynamic_stable_scale_shrinks_stable_and_abort_walks_back() -> None:
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
    async with rollout_world() as here:
        await begin(here, routed(4, steps, dynamicStableScale=True))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(3)
        assert (here.weights(), here.sizes()) == ((25, 75), {1: 3, 2: 1})
        await here.promote()
        await here.until(lambda: here.status()["currentStepIndex"] == 3 and here.sizes() == {1: 1, 2: 3})
        seen = here.watch(lambda: (here.weights(), here.selected("c") == here.hash(2)))
        slow = iter((5.0, 20.0, 40.0))
        here.fate = lambda pod: Fate(ready_s=next(slow))
        await here.abort()
        await here.until(lambda: here.sizes() == {1: 4, 2: 0})
        await here.settle(3)
        assert here.weights() == (0, 100)
        assert here.selected("c") == here.hash(1)
        assert [each for i, each in enumerate(seen) if i == 0 or each != seen[i - 1]] == [
            ((75, 25), True), ((25, 75), True), ((25, 75), False), ((0, 100), False),
        ]  # fmt: skip


@pytest.mark.spec("RO-1.3-dynamicStableScale", "RO-1.3-minPodsPerReplicaSet")
async def test_an_abort_with_dynamic_scale_ends_although_no_canary_is_smaller_than_the_least_number_of_pods() -> None:
    steps = [{"setWeight": 10}, {"pause": {}}, {"setWeight": 90}, {"pause": {}}]
    async with rollout_world() as here:
        await begin(here, routed(4, steps, dynamicStableScale=True, minPodsPerReplicaSet=2))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until(lambda: here.sizes() == {1: 2, 2: 4} and here.phase() == "Paused")
        await here.abort()
        await here.settle(60)
        assert (here.weights(), here.sizes()) == ((0, 100), {1: 4, 2: 0})


async def scaled_to_three_quarters(here: RolloutWorld) -> None:
    """An update that has taken three pods of four from the stable version, and waits for a person."""
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
    await begin(here, routed(4, steps, dynamicStableScale=True))
    await here.image("v2")
    await here.until_phase("Paused")
    await here.promote()
    await here.until(lambda: here.sizes() == {1: 1, 2: 3} and here.phase() == "Paused")


async def test_going_back_to_stable_with_dynamic_scale_keeps_the_traffic_until_stable_is_back() -> None:
    async with rollout_world() as here:
        await scaled_to_three_quarters(here)
        canary = here.hash(2)
        here.fate = lambda pod: Fate(ready_s=60)
        await here.image("v1")
        await here.settle(10)
        assert here.sizes() == {2: 3, 3: 4}
        assert (here.weights(), here.selected("c")) == ((75, 25), canary)
        await here.until_phase("Healthy")
        await here.settle(70)
        assert (here.weights(), here.selected("c"), here.selected("s")) == ((0, 100), here.hash(3), here.hash(3))
        assert here.sizes() == {2: 0, 3: 4}


async def test_an_update_on_the_heels_of_a_way_back_takes_no_pod_from_stable_while_its_share_grows() -> None:
    async with rollout_world() as here:
        await scaled_to_three_quarters(here)
        here.fate = lambda pod: Fate(ready_s=1e9 if image_of(pod) == "v3" else 10)
        await here.image("v1")
        await here.settle(5)
        missing = here.watch(lambda: (100 - int(weight(here))) * 4 // 100 > _ready(here, here.selected("s")))
        await here.image("v3")
        await here.settle(60)
        assert weight(here) == "0"
        assert set(missing) == {False}


@pytest.mark.spec("RO-7-14")
async def test_an_interrupted_canary_keeps_its_service_until_its_weight_is_taken() -> None:
    """Stable has no pods to take the traffic back with: the third version must not get all of it meanwhile."""
    async with rollout_world() as here:
        await begin(here, routed(3, [{"setWeight": 5}, {"setWeight": 100}, {"pause": {}}], dynamicStableScale=True))
        await here.image("v2")
        await here.until(lambda: here.sizes() == {1: 0, 2: 3} and here.phase() == "Paused")
        here.fate = lambda pod: Fate(ready_s=1 if image_of(pod) == "v3" else 30)
        seen = here.watch(lambda: (weight(here), here.selected("c")))
        await here.image("v3")
        await here.settle(20)
        assert seen[-1] == ("100", here.hash(2))
        assert here.status()["currentStepIndex"] == 0
        await here.until_phase("Paused")
        assert [each for each in seen if each[1] == here.hash(3)] == [("5", here.hash(3)), ("100", here.hash(3))]


@pytest.mark.spec("RO-2.10-weights")
@pytest.mark.parametrize("skips", ["one", "all"])
async def test_a_step_that_is_skipped_raises_no_weight_before_its_pods_are_there(skips: str) -> None:
    steps = [{"setWeight": 10}, {"pause": {}}, {"setWeight": 90}, {"pause": {}}]
    async with rollout_world(lambda pod: Fate(ready_s=30 if image_of(pod) == "v2" else 1)) as here:
        await begin(here, routed(10, steps, dynamicStableScale=True))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.settle(5)
        short = here.watch(lambda: int(weight(here)) * 10 // 100 > _ready(here, here.selected("c")))
        index = 3 if skips == "one" else 4
        await here.patch({"status": {"currentStepIndex": index}}, subresource="status")
        await here.settle(20)
        assert (weight(here), here.sizes()[1]) == ("10", 9)
        reached = here.watch(lambda: weight(here))
        await here.until_phase("Healthy" if skips == "all" else "Paused")
        await here.settle(20)
        assert ("100" if skips == "all" else "90") in reached
        assert set(short) == {False}


async def test_a_weight_that_falls_waits_for_one_pod_of_stable_however_little_is_left_to_it() -> None:
    steps = [{"setWeight": 100}, {"pause": {}}, {"setWeight": 90}, {"pause": {}}]
    async with rollout_world() as here:
        await begin(here, routed(3, steps, dynamicStableScale=True))
        await here.image("v2")
        await here.until(lambda: here.sizes() == {1: 0, 2: 3} and here.phase() == "Paused")
        here.fate = lambda pod: Fate(ready_s=20)
        await here.promote()
        await here.settle(10)
        assert (weight(here), here.sizes()) == ("100", {1: 1, 2: 3})
        await here.settle(20)
        assert weight(here) == "90"


def _ready(here: RolloutWorld, value: str) -> int:
    return sum(1 for pod in here.ready() if pod["metadata"]["labels"].get("rollouts-pod-template-hash") == value)


async def test_weight_waits_while_stable_is_short_of_pods() -> None:
    async with rollout_world() as here:
        await begin(here, routed(4, [{"setWeight": 25}, {"pause": {}}]))
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.weights() == (25, 75)


@pytest.mark.spec("RO-1.3-minPodsPerReplicaSet")
async def test_min_pods_and_threshold() -> None:
    steps = [{"setWeight": 5}, {"pause": {}}]
    async with rollout_world(lambda pod: Fate(ready_s=1e9 if image_of(pod) == "v2" else 1)) as here:
        threshold = {"type": "Pods", "value": 0}
        await begin(here, routed(10, steps, minPodsPerReplicaSet=2, replicaProgressThreshold=threshold))
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.sizes() == {1: 10, 2: 2}
        assert here.weights() == (0, 100)


@pytest.mark.spec("RO-2.9-retire", "RO-7-14")
async def test_an_interrupted_canary_is_scaled_away_and_the_weight_is_taken_first() -> None:
    async with rollout_world() as here:
        await begin(here, routed(4, [{"setWeight": 50}, {"pause": {}}]))
        await here.image("v2")
        await here.until_phase("Paused")
        here.fate = ready(30)
        await here.image("v3")
        await here.settle(10)
        assert here.weights() == (0, 100)
        await here.until_phase("Paused")
        await here.settle(5)
        assert here.sizes() == {1: 4, 2: 0, 3: 2}
        assert here.weights() == (50, 50)


async def test_a_routed_canary_without_steps_is_promoted_when_all_its_pods_are_there() -> None:
    async with rollout_world() as here:
        await begin(here, routed(3, []))
        seen = here.watch(here.weights)
        await here.image("v2")
        await here.until_phase("Healthy")
        await here.settle(5)
        assert set(seen) == {(0, 100)}
        assert here.selected("s") == here.hash(2)


@pytest.mark.spec("RO-1.6-drift")
async def test_somebody_who_edits_the_canary_ingress_is_corrected() -> None:
    async with rollout_world() as here:
        await begin(here, routed(4, [{"setWeight": 50}, {"pause": {}}]))
        await here.image("v2")
        await here.until_phase("Paused")
        kind = next(kind for kind in here.server.catalog if kind.resource.kind == "Ingress").resource
        note = {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "99"}}}
        await here.api.patch(Reference(kind, "default", "r-ing-canary"), note)
        await here.settle(3)
        assert weight(here) == "50"


@pytest.mark.spec("RO-2.10-weights")
@pytest.mark.parametrize("dynamic", [False, True])
async def test_a_weight_that_falls_is_taken_before_the_pods_go(dynamic: bool) -> None:
    """Also to nothing: no moment in which the canary gets traffic and has too few pods for it."""
    steps = [{"setWeight": 75}, {"pause": {}}, {"setWeight": 25}, {"pause": {}}, {"setWeight": 0}, {"pause": {}}]
    async with rollout_world() as here:
        await begin(here, routed(4, steps, dynamicStableScale=dynamic))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.settle(3)
        seen = here.watch(lambda: (int(weight(here)), here.sizes()[2], here.sizes()[1]))
        for share, pods in ((25, 1), (0, 0)):
            await here.promote()
            await here.until(lambda share=share: here.phase() == "Paused" and here.weights() == (share, 100 - share))
            await here.settle(3)
            assert here.sizes() == {1: 4 - pods if dynamic else 4, 2: pods}
        assert all(pods * 25 >= share and stable * 25 >= 100 - share for share, pods, stable in seen)
