"""Upstream's cases behind Ingresses and routers that have objects alone: ALB, Nginx, SMI, Apisix; none of them runs."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout.traffic.apisix import ROUTES
from actors.rollout.traffic.istio import VIRTUAL_SERVICES
from actors.rollout.traffic.nginx import INGRESSES
from runtime.objects import Object
from tests.analysis.world import Script
from tests.rollouts.routers import action, alb_ingress, apisix, define, destinations, mesh, routed, split, stored, thing
from tests.rollouts.world import RolloutWorld, ingress, rollout_world, service

pytestmark = pytest.mark.virtual_time

PAUSE: Object = {"pause": {}}
PAIR = {"pingPong": {"pingService": "ping", "pongService": "pong"}}
ONE = {"ingress": "one"}
SEVERAL = {"ingresses": ["one", "two"]}


def alb(which: Object, **more: Any) -> Object:
    return {"alb": {**which, "rootService": "root", "servicePort": 80}, **more}


def names(which: Object) -> list[str]:
    return which.get("ingresses") or [which["ingress"]]


async def begin(here: RolloutWorld, wanted: Object, *things: Object) -> None:
    await here.apply(*map(service, ("c", "s", "ping", "pong", "root")), *things)
    await here.apply(*(alb_ingress(name, "root") for name in ("one", "two")), ingress("stable", "s"), wanted)
    await here.until_phase("Healthy")
    await here.settle(3)


@pytest.mark.parametrize("which", [ONE, SEVERAL])
async def test_ALBPingPongUpdate(which: Object) -> None:
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 25}, PAUSE], alb(which), names=None, **PAIR))

        def shares() -> set[tuple[int, int]]:
            found = [action(here, "root", name) or {} for name in names(which)]
            return {(each["ping"], each["pong"]) for each in found}

        assert shares() == {(100, 0)}
        for image, during, after in (("v2", (75, 25), (0, 100)), ("v3", (25, 75), (100, 0))):
            await here.image(image)
            await here.until_phase("Paused")
            assert shares() == {during}
            await here.promote()
            await here.until_phase("Healthy")
            await here.settle(2)
            assert shares() == {after}


@pytest.mark.spec("RO-1.3-pingPong")
async def test_ALBMesh_PingPong_StableCanary_Update() -> None:
    """Behind ALB the two Services change their roles; inside the mesh stable stays stable, and canary canary."""
    routing = {**alb(ONE), "istio": {"virtualService": {"name": "v", "routes": ["primary"]}}}
    routes = {"hosts": ["x"], "http": [{"name": "primary", "route": destinations(("s", 100), ("c", 0))}]}
    async with rollout_world() as here:
        await define(here, VIRTUAL_SERVICES)
        await begin(
            here, routed([{"setWeight": 25}, PAUSE], routing, **PAIR), thing(VIRTUAL_SERVICES, "v", routes)
        )  # fmt: skip

        def shares() -> tuple[int, int]:
            found = action(here, "root", "one") or {}
            return found["ping"], found["pong"]

        assert (shares(), mesh(here)) == ((100, 0), {"s": 100, "c": 0})
        for image, during, after in (("v2", (75, 25), (0, 100)), ("v3", (25, 75), (100, 0))):
            await here.image(image)
            await here.until_phase("Paused")
            assert (shares(), mesh(here)) == (during, {"s": 75, "c": 25})
            await here.promote()
            await here.until_phase("Healthy")
            await here.settle(2)
            assert (shares(), mesh(here)) == (after, {"s": 100, "c": 0})


@pytest.mark.parametrize("which", [ONE, SEVERAL])
@pytest.mark.parametrize(("before", "weights", "during"), [
    ([{"setWeight": 10}], (20,), [10, 20, 70]), ([], (20, 20), [0, 20, 20, 60]),
])  # fmt: skip
async def test_ALBExperimentStep(
    which: Object, before: list[Object], weights: tuple[int, ...], during: list[int]
) -> None:
    versions = [{"name": f"try-{at}", "specRef": "canary", "weight": weight} for at, weight in enumerate(weights)]
    steps = [*before, {"experiment": {"templates": versions, "duration": "60s"}}]
    async with rollout_world(script=Script()) as here:
        await begin(here, routed(steps, alb(which)))

        def shares() -> dict[str, int]:
            first, *others = [action(here, "root", name) or {} for name in names(which)]
            assert all(each == first for each in others)
            return first

        assert shares() == {"c": 0, "s": 100}
        await here.image("v2")
        await here.until(lambda: len(action(here, "root", "one") or {}) == 2 + len(weights))
        await here.settle(3)
        [trial] = here.stored("argoproj.io", "experiments")
        services = [each["serviceName"] for each in trial["status"]["templateStatuses"]]
        assert shares() == dict(zip(["c", *services, "s"], during, strict=True))
        await here.until_phase("Healthy")
        await here.settle(3)
        assert shares() == {"c": 0, "s": 100}


@pytest.mark.parametrize("which", [ONE, SEVERAL])
async def test_AlbHeaderRoute(which: Object) -> None:
    match = [{"headerName": "Custom-Header", "headerValue": {"exact": "Mozilla*"}}]
    steps = [
        {"setWeight": 20}, PAUSE, {"setHeaderRoute": {"name": "h", "match": match}}, PAUSE,
        {"setHeaderRoute": {"name": "h"}}, PAUSE,
    ]  # fmt: skip
    async with rollout_world() as here:
        wanted = routed(steps, alb(which, managedRoutes=[{"name": "h"}]), replicas=5, scaleDownDelaySeconds=5)
        await begin(here, wanted)
        assert action(here, "root", "one") == {"c": 0, "s": 100}
        await here.image("v2")
        for route in (None, {"c": 100}, None):
            await here.until_phase("Paused")
            await here.settle(2)
            for name in names(which):
                assert action(here, "h", name) == route
                assert action(here, "root", name) == {"c": 20, "s": 80}
            await here.promote()
            await here.settle(3)


async def test_SMIExperimentStep() -> None:
    versions = [{"name": "try", "specRef": "canary", "weight": 5}]
    steps = [{"setWeight": 5}, {"experiment": {"templates": versions, "duration": "60s"}}]
    async with rollout_world(script=Script()) as here:
        await define(here)
        await begin(here, routed(steps, {"smi": {}}))
        assert split(here) == {"c": 0, "s": 100}
        await here.image("v2")
        await here.until(lambda: len(split(here)) == 3)
        await here.settle(3)
        [trial] = here.stored("argoproj.io", "experiments")
        [status] = trial["status"]["templateStatuses"]
        assert split(here) == {"c": 5, status["serviceName"]: 5, "s": 90}
        await here.until_phase("Healthy")
        await here.settle(3)
        assert split(here) == {"c": 0, "s": 100}
        assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(2))


async def test_SMIIngressCanaryStep() -> None:
    def annotated(name: str) -> str | None:
        notes = stored(here, INGRESSES, name)["metadata"].get("annotations") or {}
        return notes.get("nginx.ingress.kubernetes.io/canary-weight")

    steps = [{"setWeight": 5}, PAUSE, {"setWeight": 50}, PAUSE]
    async with rollout_world() as here:
        await define(here)
        await begin(here, routed(steps, {"smi": {}, "nginx": {"stableIngress": "stable"}}))
        assert split(here) == {"c": 0, "s": 100}
        await here.image("v2")
        for weight in (5, 50):
            await here.until_phase("Paused")
            assert split(here) == {"c": weight, "s": 100 - weight}
            assert (annotated("r-stable-canary"), annotated("stable")) == (str(weight), None)
            assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(1))
            await here.promote()
            await here.settle(3)
        await here.until_phase("Healthy")
        await here.settle(2)
        assert (split(here), annotated("r-stable-canary")) == ({"c": 0, "s": 100}, "0")
        assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(2))
        assert here.sizes() == {1: 1, 2: 1}


def apisix_route() -> Object:
    backends = [
        {"serviceName": "s", "servicePort": 80, "weight": 100},
        {"serviceName": "c", "servicePort": 80, "weight": 0},
    ]
    return thing(ROUTES, "a", {"http": [{"name": "main", "match": {"paths": ["/*"]}, "backends": backends}]})


APISIX = {"apisix": {"route": {"name": "a", "rules": ["main"]}}}


async def test_APISIXCanaryStep() -> None:
    async with rollout_world() as here:
        await define(here)
        await begin(here, routed([{"setWeight": 5}, PAUSE, {"setWeight": 50}, PAUSE], APISIX), apisix_route())
        assert apisix(here) == {"s": 100, "c": 0}
        await here.image("v2")
        for weight in (5, 50):
            await here.until_phase("Paused")
            assert apisix(here) == {"s": 100 - weight, "c": weight}
            await here.promote()
            await here.settle(3)
        await here.until_phase("Healthy")
        await here.settle(2)
        assert apisix(here) == {"s": 100, "c": 0}
        assert here.sizes() == {1: 1, 2: 1}


async def test_APISIXCanarySetHeaderStep() -> None:
    """Several things in one step: the pause counts, the scale and the route are made true."""
    match = [{"headerName": "trace", "headerValue": {"exact": "debug"}}]
    first = {
        "setCanaryScale": {"replicas": 1},
        "setHeaderRoute": {"name": "h", "match": match},
        "pause": {"duration": 15},
    }
    steps = [first, {"setWeight": 5}, PAUSE, {"setWeight": 50}, PAUSE]
    async with rollout_world() as here:
        await define(here)
        await begin(here, routed(steps, {**APISIX, "managedRoutes": [{"name": "h"}]}), apisix_route())
        await here.image("v2")
        await here.settle(8)
        assert here.status()["currentStepIndex"] == 0
        [rule] = stored(here, ROUTES, "h")["spec"]["http"]
        assert [each["serviceName"] for each in rule["backends"]] == ["c"]
        subject = {"scope": "Header", "name": "trace"}
        assert rule["match"]["exprs"] == [{"subject": subject, "op": "Equal", "value": "debug"}]
        for index, weight in ((2, 5), (4, 50)):
            await here.until(
                lambda index=index: here.status()["currentStepIndex"] == index and here.phase() == "Paused"
            )
            assert apisix(here) == {"s": 100 - weight, "c": weight}
            await here.promote()
        await here.until_phase("Healthy")
        await here.settle(2)
        assert apisix(here) == {"s": 100, "c": 0}
        assert [each["metadata"]["name"] for each in here.stored(ROUTES.group, ROUTES.plural)] == ["a"]
