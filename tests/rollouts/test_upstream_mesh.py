"""Upstream's cases behind Istio: a VirtualService and a DestinationRule in the API, no mesh."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout import wire
from actors.rollout.traffic.istio import DESTINATION_RULES, VIRTUAL_SERVICES
from runtime.objects import Object
from tests.analysis.world import Script
from tests.rollouts.routers import define, destinations, mesh, routed, stored, subsets, thing
from tests.rollouts.world import RolloutWorld, rollout_world, service

pytestmark = pytest.mark.virtual_time

BY_HOST = {"istio": {"virtualService": {"name": "v", "routes": ["primary"]}}}
BY_SUBSET = {
    "istio": {
        "virtualService": {"name": "v"},
        "destinationRule": {"name": "d", "canarySubsetName": "canary", "stableSubsetName": "stable"},
    }
}
PAUSE: Object = {"pause": {}}


def hosts() -> Object:
    return {"route": destinations(("s", 100), ("c", 0))}


async def begin(here: RolloutWorld, wanted: Object, **protocols: Any) -> None:
    """A Rollout by hosts, with a VirtualService of these routes, to its first rest."""
    routes = protocols or {"http": [{"name": "primary", **hosts()}]}
    await define(here)
    names = ("c", "s", "ping", "pong")
    await here.apply(*map(service, names), thing(VIRTUAL_SERVICES, "v", {"hosts": ["x"], **routes}), wanted)
    await here.until_phase("Healthy")
    await here.settle(3)


async def begin_by_subset(here: RolloutWorld, wanted: Object, *routes: Object) -> None:
    """A Rollout by subsets of one host, to its first rest."""
    rule = {"host": "r", "subsets": [{"name": each, "labels": {"app": "r"}} for each in ("stable", "canary")]}
    spec = {"hosts": ["x"], "http": list(routes) or [by_subset()]}
    await define(here)
    await here.apply(
        service("r"), thing(DESTINATION_RULES, "d", rule), thing(VIRTUAL_SERVICES, "v", spec), wanted
    )  # fmt: skip
    await here.until_phase("Healthy")
    await here.settle(3)


def by_subset() -> Object:
    return {"route": destinations(("stable", 100), ("canary", 0), host="r")}


TLS = {"match": [{"port": 3000, "sniHosts": ["x"]}], **hosts()}
ONLY_TLS = {"istio": {"virtualService": {"name": "v", "tlsRoutes": [{"port": 3000, "sniHosts": ["x"]}]}}}
BOTH = {
    "istio": {"virtualService": {"name": "v", "routes": ["primary"], "tlsRoutes": [{"port": 3000, "sniHosts": ["x"]}]}}
}


@pytest.mark.parametrize(("routing", "protocols"), [
    (BY_HOST, {"http": [{"name": "primary", **hosts()}]}),
    (BOTH, {"http": [{"name": "primary", **hosts()}], "tls": [TLS]}),
    (ONLY_TLS, {"tls": [TLS]}),
], ids=["http", "http and tls", "only tls"])  # fmt: skip
async def test_IstioHostSplit(routing: Object, protocols: Object) -> None:
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 10}, PAUSE], routing), **protocols)
        assert all(mesh(here, each) == {"s": 100, "c": 0} for each in protocols)
        assert (here.selected("c"), here.selected("s")) == (here.hash(1), here.hash(1))
        await here.image("v2")
        await here.until_phase("Paused")
        assert all(mesh(here, each) == {"s": 90, "c": 10} for each in protocols)
        assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(1))
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(2)
        assert all(mesh(here, each) == {"s": 100, "c": 0} for each in protocols)
        assert (here.selected("c"), here.selected("s")) == (here.hash(2), here.hash(2))
        assert here.sizes() == {1: 1, 2: 1}


@pytest.mark.parametrize("names_route", [False, True])
async def test_IstioSubsetSplit(names_route: bool) -> None:
    routing: Any = {"istio": dict(BY_SUBSET["istio"])}
    routes = [{"name": "primary", **by_subset()}] if names_route else [by_subset()]
    if names_route:
        routing["istio"]["virtualService"] = {"name": "v", "routes": ["primary"]}
    async with rollout_world() as here:
        await begin_by_subset(here, routed([{"setWeight": 10}, PAUSE], routing, names=None), *routes)
        assert (mesh(here), subsets(here)) == (
            {"stable": 100, "canary": 0},
            {"stable": here.hash(1), "canary": here.hash(1)},
        )
        await here.image("v2")
        await here.until_phase("Paused")
        assert (mesh(here), subsets(here)) == (
            {"stable": 90, "canary": 10},
            {"stable": here.hash(1), "canary": here.hash(2)},
        )
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(2)
        assert (mesh(here), subsets(here)) == (
            {"stable": 100, "canary": 0},
            {"stable": here.hash(2), "canary": here.hash(2)},
        )
        assert here.sizes() == {1: 1, 2: 1}
        await here.patch({"spec": {"strategy": {"canary": {"trafficRouting": None}}}})
        await here.settle(3)
        assert subsets(here) == {"stable": "", "canary": ""}
        assert wire.MANAGED_BY not in (stored(here, DESTINATION_RULES, "d")["metadata"].get("annotations") or {})
        assert here.sizes() == {1: 0, 2: 1}


async def test_IstioAbortUpdate() -> None:
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 10}, PAUSE], BY_HOST))
        await here.abort()
        await here.settle(3)
        assert (here.phase(), len(here.pods_of(1))) == ("Healthy", 1)
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until_phase("Healthy")
        await here.abort()
        await here.settle(3)
        assert (here.phase(), len(here.pods_of(2))) == ("Healthy", 1)
        assert "abort" not in here.status()


async def test_IstioUpdateInMiddleZeroCanaryReplicas() -> None:
    steps = [{"setWeight": 0}, {"setCanaryScale": {"replicas": 1}}, PAUSE]
    async with rollout_world() as here:
        await begin(here, routed(steps, BY_HOST, replicas=2))
        await here.image("v2")
        await here.until_phase("Paused")
        assert len(here.pods_of(2)) == 1
        await here.image("v3")
        await here.until(lambda: 3 in here.sets() and here.phase() == "Paused")
        assert len(here.pods_of(3)) == 1


async def test_IstioAbortUpdateDeleteAllCanaryPods() -> None:
    steps = [
        {"setCanaryScale": {"replicas": 2}}, {"setWeight": 20}, PAUSE,
        {"setCanaryScale": {"replicas": 4}}, {"setWeight": 40}, PAUSE,
    ]  # fmt: skip
    async with rollout_world() as here:
        await begin(here, routed(steps, BY_HOST, replicas=5))
        await here.image("v2")
        await here.until_phase("Paused")
        assert len(here.pods_of(2)) == 2
        await here.promote()
        await here.until(lambda: here.phase() == "Paused" and len(here.pods_of(2)) == 4)
        await here.abort()
        await here.until_phase("Degraded")
        await here.settle(2)
        assert (len(here.pods_of(1)), len(here.pods_of(2))) == (5, 4)
        assert wire.SCALE_DOWN_DEADLINE in here.sets()[2]["metadata"]["annotations"]
        assert mesh(here) == {"s": 100, "c": 0}


@pytest.mark.parametrize("subset", [False, True])
async def test_IstioExperimentStep(subset: bool) -> None:
    """A third share of the traffic goes to the Experiment's version, for as long as it runs."""
    versions = [{"name": "try", "specRef": "canary", "weight": 20}]
    steps = [{"setWeight": 10}, {"experiment": {"templates": versions, "duration": "60s"}}]
    async with rollout_world(script=Script()) as here:
        if subset:
            await begin_by_subset(here, routed(steps, BY_SUBSET, names=None))
        else:
            await begin(here, routed(steps, BY_HOST))
        before = mesh(here)
        assert list(before.values()) == [100, 0]
        await here.image("v2")
        await here.until(lambda: len(mesh(here)) == 3)
        await here.settle(3)
        [trial] = here.stored("argoproj.io", "experiments")
        [status] = trial["status"]["templateStatuses"]
        other = status["serviceName"]
        assert list(mesh(here).values()) == [70, 10, 20]
        assert list(mesh(here))[2] == other
        if subset:
            assert subsets(here)[other] == status["podTemplateHash"]
        await here.until_phase("Healthy")
        await here.settle(3)
        assert mesh(here) == before
        if subset:
            assert set(subsets(here)) == {"stable", "canary"}


@pytest.mark.spec("RO-1.3-pingPong")
async def test_IstioPingPongUpdate() -> None:
    pair = {"pingPong": {"pingService": "ping", "pongService": "pong"}}
    routes = {"http": [{"name": "primary", "route": destinations(("ping", 100), ("pong", 0))}]}
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 25}, PAUSE], BY_HOST, names=None, **pair), **routes)
        assert mesh(here) == {"ping": 100, "pong": 0}
        for image, during, after in (("v2", (75, 25), (0, 100)), ("v3", (25, 75), (100, 0))):
            await here.image(image)
            await here.until_phase("Paused")
            assert tuple(mesh(here).values()) == during
            await here.promote()
            await here.until_phase("Healthy")
            await here.settle(3)
            assert tuple(mesh(here).values()) == after


async def test_IstioSubsetSplitInStableDownscaleAfterCanaryAbort() -> None:
    steps = [step for weight in (10, 20, 30, 50) for step in ({"setWeight": weight}, PAUSE)]
    roles = {"canaryMetadata": {"labels": {"role": "canary"}}, "stableMetadata": {"labels": {"role": "stable"}}}
    wanted = routed(steps, BY_SUBSET, replicas=4, names=None, dynamicStableScale=True, **roles)
    async with rollout_world() as here:
        await begin_by_subset(here, wanted)
        await here.promote_full()
        await here.image("v2")
        await here.until_phase("Paused")
        await here.abort()
        await here.until_phase("Degraded")
        await here.scale(1)
        await here.until(lambda: here.status()["replicas"] == 1)
        await here.settle(3)
        assert mesh(here) == {"stable": 100, "canary": 0}


async def test_IstioHostHeaderRoute() -> None:
    def route(*words: str) -> Object:
        match = [{"headerName": "agent", "headerValue": {"regex": word}} for word in words]
        return {"setHeaderRoute": {"name": "h", **({"match": match} if match else {})}}

    steps = [
        {"setWeight": 20},
        route("firefox(.*)"),
        PAUSE,
        route("chrome(.*)"),
        PAUSE,
        {"setWeight": 40},
        route(),
        PAUSE,
    ]
    async with rollout_world() as here:
        await begin(here, routed(steps, {**BY_HOST, "managedRoutes": [{"name": "h"}]}, replicas=5))
        names = lambda: [each.get("name") for each in stored(here, VIRTUAL_SERVICES, "v")["spec"]["http"]]  # noqa: E731
        assert names() == ["primary"]
        await here.image("v2")
        for word in ("firefox(.*)", "chrome(.*)"):
            await here.until_phase("Paused")
            await here.settle(2)
            assert names() == ["h", "primary"]
            assert (mesh(here), mesh(here, at=1)) == ({"c": 100}, {"s": 80, "c": 20})
            [match] = stored(here, VIRTUAL_SERVICES, "v")["spec"]["http"][0]["match"]
            assert match == {"headers": {"agent": {"regex": word}}}
            await here.promote()
            await here.settle(3)
        await here.until_phase("Paused")
        assert (names(), mesh(here)) == (["primary"], {"s": 60, "c": 40})
        await here.promote_full()
        await here.until_phase("Healthy")
        await here.settle(2)
        assert (names(), mesh(here)) == (["primary"], {"s": 100, "c": 0})


async def test_IstioHostMirrorRoute() -> None:
    def mirror(number: int, percentage: int = 100, **match: Any) -> Object:
        body = {"percentage": percentage, "match": [match]} if match else {}
        return {"setMirrorRoute": {"name": f"m{number}", **body}}

    steps = [
        {"setWeight": 20}, mirror(1, path={"prefix": "/"}),
        mirror(2, 80, path={"prefix": "/"}, method={"exact": "GET"}), PAUSE,
        mirror(1, path={"prefix": "/rewrite"}), PAUSE, {"setWeight": 40}, mirror(1), PAUSE,
    ]  # fmt: skip
    managed = {"managedRoutes": [{"name": "m1"}, {"name": "m2"}]}
    async with rollout_world() as here:
        await begin(here, routed(steps, {**BY_HOST, **managed}, replicas=5))

        def http() -> list[tuple[str, float | None, dict[str, int]]]:
            listed = stored(here, VIRTUAL_SERVICES, "v")["spec"]["http"]
            return [
                (each["name"], (each.get("mirrorPercentage") or {}).get("value"), mesh(here, at=at))
                for at, each in enumerate(listed)
            ]

        await here.image("v2")
        for _ in range(2):
            await here.until_phase("Paused")
            await here.settle(2)
            shares = {"s": 80, "c": 20}
            assert http() == [("m1", 100, shares), ("m2", 80, shares), ("primary", None, shares)]
            await here.promote()
            await here.settle(3)
        await here.until_phase("Paused")
        shares = {"s": 60, "c": 40}
        assert http() == [("m2", 80, shares), ("primary", None, shares)]
        await here.promote_full()
        await here.until_phase("Healthy")
        await here.settle(2)
        assert http() == [("primary", None, {"s": 100, "c": 0})]


@pytest.mark.spec("RO-1.6-istio")
async def test_a_virtual_service_of_a_namespace_without_rollouts() -> None:
    """It is looked for, found as soon as it is there, and steered."""
    there = thing(VIRTUAL_SERVICES, "v", {"hosts": ["x"], "http": [{"name": "primary", **hosts()}]})
    there["metadata"]["namespace"] = "mesh"
    wanted = routed(
        [{"setWeight": 30}, PAUSE], {"istio": {"virtualService": {"name": "v.mesh", "routes": ["primary"]}}}
    )
    async with rollout_world() as here:
        await define(here)
        await here.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mesh"}})
        await here.apply(*map(service, "cs"), wanted)
        await here.until_phase("Degraded")
        assert "not found" in here.status()["message"]
        await here.apply(there)
        await here.until_phase("Healthy")
        await here.image("v2")
        await here.until_phase("Paused")
        bucket = here.server.storage.bucket(VIRTUAL_SERVICES.group, VIRTUAL_SERVICES.plural)
        route = bucket.records["mesh", "v"].object["spec"]["http"][0]["route"]
        assert [each["weight"] for each in route] == [70, 30]
