"""AWS confirms weights: a step waits for its load balancers, and the status says which ones those are."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout.balancer_query import TAG, BalancerAnswer, BalancerQuery, TargetGroup
from actors.rollout.state import RolloutSettings
from actors.rollout.traffic.nginx import INGRESSES
from runtime.objects import Object, Reference
from tests.rollouts.routers import action, alb_ingress, routed
from tests.rollouts.world import RolloutWorld, rollout_world, service

pytestmark = pytest.mark.virtual_time

STEPS: list[Object] = [{"setWeight": 50}, {"pause": {}}]
ARN = "arn:aws:elasticloadbalancing:r:1:"


class Cloud:
    """Load balancers of AWS, one for each Ingress; they have the weights that were there when they last looked."""

    def __init__(self, *ingresses: str) -> None:
        self.weights: dict[str, dict[str, int]] = {name: {} for name in ingresses}
        self.error = ""
        self.lost = False
        self.asked: list[BalancerQuery] = []

    def look(self, here: RolloutWorld) -> None:
        """Take over what the Ingresses say."""
        self.weights = {name: action(here, "s", name) or {} for name in self.weights}

    async def ask(self, query: BalancerQuery) -> BalancerAnswer:
        self.asked.append(query)
        if self.error or self.lost:
            return BalancerAnswer(error=self.error)
        name = query.hostname.removesuffix(".aws")
        groups = [
            TargetGroup(f"tg-{each}", f"{ARN}targetgroup/tg-{each}/7", f"default/{name}-{each}:80", weight)
            for each, weight in self.weights[name].items()
        ]
        return BalancerAnswer(f"lb-{name}", f"{ARN}loadbalancer/app/lb-{name}/5", (*groups, TargetGroup("x", "y")))


def world(cloud: Cloud, *, verifies: bool = True):  # type: ignore[no-untyped-def]
    settings = RolloutSettings(verifies_weights=verifies)
    return rollout_world(settings=settings, services={"load-balancer": cloud.ask})


async def begin(here: RolloutWorld, cloud: Cloud, **more: Any) -> None:
    names = list(cloud.weights)
    which: Object = {"ingresses": names} if len(names) > 1 else {"ingress": names[0]}
    await here.apply(service("c"), service("s"), *(alb_ingress(name, "s") for name in names))
    for name in names:
        body = {"status": {"loadBalancer": {"ingress": [{"hostname": f"{name}.aws"}]}}}
        await here.api.patch(Reference(INGRESSES, "default", name), body, subresource="status")
    await here.apply(routed(STEPS, {"alb": {**which, "servicePort": 80}, **more}, replicas=2))
    await here.until_phase("Healthy")
    await here.settle(3)


@pytest.mark.spec("RO-1.6-alb-verify")
@pytest.mark.parametrize("names", [("one",), ("one", "two")])
async def test_a_step_waits_until_every_load_balancer_has_its_weight(names: tuple[str, ...]) -> None:
    cloud = Cloud(*names)
    async with world(cloud) as here:
        await begin(here, cloud)
        cloud.look(here)
        await here.image("v2")
        await here.settle(45)
        weights = here.status()["canary"]["weights"]
        assert (weights["canary"]["weight"], weights["verified"], here.status()["currentStepIndex"]) == (50, False, 0)
        assert 3 * len(names) <= len(cloud.asked) <= 12 * len(names)  # each 10 s, and not again and again
        late = f"(TargetGroup {ARN}targetgroup/tg-c/7) not verified: canary weight 50 not yet set (current: 0)"
        assert here.events("TargetGroupUnverified") == [f"Service c {late}"]
        cloud.look(here)
        await here.until_phase("Paused", limit_s=15)
        assert here.status()["albs"] == [found(name) for name in names]
        assert here.status()["alb"] == found(names[-1])
        assert here.events("TargetGroupVerified")


def found(name: str) -> Object:
    def group(service_name: str) -> Object:
        title = f"tg-{service_name}"
        return {"name": title, "arn": f"{ARN}targetgroup/{title}/7", "fullName": f"{title}/7"}

    balancer = {"name": f"lb-{name}", "arn": f"{ARN}loadbalancer/app/lb-{name}/5", "fullName": f"lb-{name}/5"}
    sides = {"canaryTargetGroup": group("c"), "stableTargetGroup": group("s")}
    return {"ingress": name, "loadBalancer": balancer, **sides}


async def test_at_the_end_nothing_is_promoted_before_the_last_weight_is_confirmed() -> None:
    cloud = Cloud("one")
    async with world(cloud) as here:
        await begin(here, cloud)
        await here.image("v2")
        await here.until(lambda: here.weights() == (50, 50))
        cloud.look(here)
        await here.until_phase("Paused")
        at_the_pause = len(cloud.asked)
        await here.settle(300)
        assert len(cloud.asked) == at_the_pause
        await here.promote()
        await here.settle(60)
        assert here.status()["stableRS"] == here.hash(1)
        assert here.sizes() == {1: 2, 2: 2}
        cloud.look(here)
        await here.until_phase("Healthy", limit_s=15)


async def test_a_cloud_that_cannot_be_asked_holds_the_step_and_is_told_once() -> None:
    cloud = Cloud("one")
    async with world(cloud) as here:
        await begin(here, cloud)
        cloud.error = "AccessDenied: no"
        await here.image("v2")
        await here.settle(120)
        assert here.status()["currentStepIndex"] == 0
        assert here.events("WeightVerifyError") == ["Failed to verify weight: AccessDenied: no"]
        text = "Failed to verify Service c (TargetGroup unknown): AccessDenied: no"
        assert here.events("TargetGroupVerifyError") == [text]
        cloud.error, cloud.lost = "", True
        await here.settle(20)
        assert here.events("LoadBalancerNotFound") == ["Failed to find load balancer: one.aws"]
        cloud.lost = False
        cloud.look(here)
        await here.until_phase("Paused", limit_s=15)


async def test_an_abort_waits_for_nobody() -> None:
    cloud = Cloud("one")
    async with world(cloud) as here:
        await begin(here, cloud)
        await here.image("v2")
        await here.settle(20)
        await here.abort()
        await here.settle(60)
        assert (here.weights(), here.sizes()) == ((0, 100), {1: 2, 2: 0})


async def test_nobody_asks_where_it_is_not_wanted_and_an_old_record_goes() -> None:
    cloud = Cloud("one")
    async with world(cloud, verifies=False) as here:
        await begin(here, cloud)
        await here.patch({"status": {"albs": [{"ingress": "one"}]}}, subresource="status")
        await here.image("v2")
        await here.until_phase("Paused")
        assert cloud.asked == []
        assert "albs" not in here.status()
        assert "verified" not in here.status()["canary"]["weights"]


async def test_an_ingress_without_a_load_balancer_yet_is_not_confirmed() -> None:
    cloud = Cloud("one")
    async with world(cloud) as here:
        await begin(here, cloud)
        body = {"status": {"loadBalancer": None}}
        await here.api.patch(Reference(INGRESSES, "default", "one"), body, subresource="status")
        await here.image("v2")
        await here.settle(60)
        assert here.status()["canary"]["weights"]["verified"] is False


def test_the_question_is_its_own_key() -> None:
    assert BalancerQuery("h").call == BalancerQuery("h", TAG)
    assert BalancerQuery("h").failed("why") == BalancerAnswer(error="why")
