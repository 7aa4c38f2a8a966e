"""What routers are told, seen by a router that writes everything down: ping-pong, routes, verification, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout import wire
from actors.rollout.model import Ro
from actors.rollout.state import RolloutSettings
from actors.rollout.traffic.protocol import (
    EXPERIMENT,
    HEADER,
    MIRROR,
    PING_PONG,
    WEIGHT,
    Fault,
    Moves,
    Objects,
    Refusal,
    Router,
    Shift,
)
from actors.rollout.traffic.routers import ROUTERS
from runtime.objects import Object, Reference, Resource, reference
from tests.rollouts.test_analysis import template
from tests.rollouts.world import RolloutWorld, ingress, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time


class Recorder:
    """Stands where Istio's router stands."""

    key = "istio"
    title = "Recorder"
    resources: tuple[Resource, ...] = ()
    abroad: tuple[Resource, ...] = ()
    prefers_ping_pong = False

    def __init__(self, *abilities: str) -> None:
        self.abilities = frozenset(abilities or (WEIGHT, HEADER, MIRROR, EXPERIMENT, PING_PONG))
        self.shifts: list[Shift] = []
        self.confirms: bool | None = None
        self.refuses = ""

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        return ()

    def follows(self, ro: Ro, objects: Objects) -> tuple[Reference, ...]:
        return ()

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        return []

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        if self.refuses:
            return Refusal(self.refuses)
        if not self.shifts or self.shifts[-1] != shift:
            self.shifts.append(shift)
        return Moves()

    def verify(self, ro: Ro, objects: Objects, shift: Shift) -> bool | None:
        return self.confirms

    def references_hash(self, ro: Ro, objects: Objects, value: str) -> bool:
        return False

    def weights(self) -> list[int]:
        return [shift.canary for shift in self.shifts]


def world(router: Recorder):  # type: ignore[no-untyped-def]
    routers: dict[str, Router] = {**ROUTERS, "istio": router}
    return rollout_world(settings=RolloutSettings(routers=routers))


def thing(steps: list[Object], **more: Any) -> Object:
    routing = {"istio": {"virtualService": {"name": "v"}}, "managedRoutes": [{"name": "h"}, {"name": "m"}]}
    canary = {"canaryService": "c", "stableService": "s", "trafficRouting": routing, "steps": steps, **more}
    return rollout(replicas=2, canary={key: value for key, value in canary.items() if value is not None})


async def begin(here: RolloutWorld, wanted: Object) -> None:
    await here.apply(*(service(name) for name in ("c", "s", "ping", "pong")), wanted)
    await here.until_phase("Healthy")
    await here.settle(3)


@pytest.mark.spec("RO-1.3-pingPong")
async def test_ping_pong_changes_roles_and_not_selectors() -> None:
    router = Recorder()
    pair = {"pingService": "ping", "pongService": "pong"}
    more = {"pingPong": pair, "canaryService": None, "stableService": None}
    async with world(router) as here:
        await begin(here, thing([{"setWeight": 25}, {"pause": {}}], **more))
        assert router.shifts[-1].stable_service == "ping"
        for image, canary, stable in (("v2", "pong", "ping"), ("v3", "ping", "pong")):
            await here.image(image)
            await here.until_phase("Paused")
            assert (router.shifts[-1].canary_service, router.shifts[-1].stable_service) == (canary, stable)
            assert here.selected(canary) == here.hash(max(here.sets()))
            await here.promote()
            await here.until_phase("Healthy")
            await here.settle(40)
            assert here.status()["canary"]["stablePingPong"] == canary


@pytest.mark.spec("RO-1.4-setHeaderRoute", "RO-1.4-setMirrorRoute", "RO-1.6-managedRoutes")
async def test_routes_of_steps_are_told_from_the_second_revision_on_and_removed_in_the_end() -> None:
    header = {"name": "h", "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]}
    mirror = {"name": "m", "match": [{"path": {"prefix": "/"}}], "percentage": 35}
    steps = [{"setHeaderRoute": header}, {"pause": {}}, {"setMirrorRoute": mirror}, {"setWeight": 50}, {"pause": {}}]
    router = Recorder()
    async with world(router) as here:
        await begin(here, thing(steps))
        assert {shift.header_route for shift in router.shifts} == {None}
        assert all(shift.removes_managed for shift in router.shifts)
        await here.image("v2")
        await here.until_phase("Paused")
        assert header in [shift.header_route for shift in router.shifts]
        await here.promote()
        await here.until(lambda: here.status()["currentStepIndex"] == 4)
        assert mirror in [shift.mirror_route for shift in router.shifts]
        assert not router.shifts[-1].removes_managed
        await here.promote_full()
        await here.until_phase("Healthy")
        await here.settle(3)
        assert router.shifts[-1].removes_managed


@pytest.mark.spec("RO-1.6-verify")
async def test_a_step_waits_until_the_router_has_confirmed_the_weight() -> None:
    router = Recorder()
    async with world(router) as here:
        router.confirms = True
        await begin(here, thing([{"setWeight": 50}, {"pause": {}}]))
        router.confirms = False
        await here.image("v2")
        await here.settle(30)
        weights = here.status()["canary"]["weights"]
        assert (weights["canary"]["weight"], weights["verified"], here.status()["currentStepIndex"]) == (50, False, 0)
        router.confirms = True
        await here.until_phase("Paused", limit_s=15)
        router.confirms = False
        await here.promote()
        await here.settle(60)
        assert here.sizes() == {1: 2, 2: 2}
        assert here.status()["stableRS"] == here.hash(1)
        router.confirms = True
        await here.until_phase("Healthy")


async def test_a_refusal_is_told_once_and_tried_again() -> None:
    router = Recorder()
    async with world(router) as here:
        await begin(here, thing([{"setWeight": 50}, {"pause": {}}]))
        router.refuses = "no such host"
        await here.image("v2")
        await here.settle(60)
        assert here.events("TrafficRoutingError") == ["no such host"]
        router.refuses = ""
        await here.until_phase("Paused", limit_s=80)


async def test_a_refusal_of_one_router_does_not_keep_an_abort_from_the_others() -> None:
    router = Recorder()
    strategy = thing([{"setWeight": 50}, {"pause": {}}])
    routing = strategy["spec"]["strategy"]["canary"]["trafficRouting"]
    routing["nginx"] = {"stableIngress": "i"}
    async with world(router) as here:
        await here.apply(ingress("i", "s"))
        await begin(here, strategy)
        await here.image("v2")
        await here.until_phase("Paused")
        router.refuses = "no such host"
        await here.abort()
        await here.settle(5)
        [canary] = [
            each for each in here.stored("networking.k8s.io", "ingresses") if "canary" in each["metadata"]["name"]
        ]
        assert canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] == "0"


@pytest.mark.spec("RO-1.6-refusal")
async def test_what_the_router_cannot_do_is_refused_when_the_rollout_is_read() -> None:
    router = Recorder(WEIGHT)
    mirror = {"name": "m", "match": [{"path": {"prefix": "/"}}]}
    async with world(router) as here:
        await here.apply(*(service(name) for name in "cs"), thing([{"setMirrorRoute": mirror}]))
        await here.until_phase("Degraded")
        text = here.status()["message"]
        assert "Recorder cannot do mirror routes: " in text
        assert "Recorder: weights" in text


@pytest.mark.spec("RO-1.6-protocol")
async def test_weighted_experiments_are_destinations_while_they_run() -> None:
    step = {"templates": [{"name": "a", "specRef": "stable", "weight": 5}, {"name": "b", "specRef": "canary"}]}
    router = Recorder()
    async with world(router) as here:
        await begin(here, thing([{"setWeight": 10}, {"experiment": step}, {"pause": {}}]))
        await here.image("v2")
        await here.until(lambda: len(here.stored("argoproj.io", "experiments")) == 1)
        [experiment] = here.stored("argoproj.io", "experiments")
        assert "service" in experiment["spec"]["templates"][0]
        statuses = [{"name": "a", "serviceName": "sa", "podTemplateHash": "ha"}, {"name": "b", "podTemplateHash": "hb"}]
        running = {"status": {"phase": "Running", "templateStatuses": statuses}}
        await here.api.patch(reference(wire.EXPERIMENTS, experiment), running)
        await here.settle(3)
        weights = here.status()["canary"]["weights"]
        assert weights["additional"] == [{"weight": 5, "serviceName": "sa", "podTemplateHash": "ha"}]
        assert (weights["canary"]["weight"], weights["stable"]["weight"]) == (10, 85)
        assert here.events("TrafficWeightUpdated")[-1] == "Traffic weight updated additional: [{5 sa ha}]"
        await here.api.patch(reference(wire.EXPERIMENTS, experiment), {"status": {"phase": "Successful"}})
        await here.until_phase("Paused")
        assert "additional" not in here.status()["canary"]["weights"]


@pytest.mark.spec("RO-1.11-hpa")
async def test_the_scale_subresource_is_what_autoscalers_see() -> None:
    async with rollout_world() as here:
        await here.apply(template(), rollout(replicas=3, canary={"steps": [{"setWeight": 34}, {"pause": {}}]}))
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        status = here.status()
        assert (status["HPAReplicas"], status["selector"]) == (3, "app=r")
        scale = {"spec": {"replicas": 6}}
        await here.api.patch(Reference(wire.ROLLOUTS, "default", "r"), scale, subresource="scale")
        await here.settle(5)
        assert here.sizes() == {1: 4, 2: 2}
        assert here.phase() == "Paused"
