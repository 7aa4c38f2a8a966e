"""Behind a service stands who it selects, as it is now: addresses, ports, readiness, slices of a hundred."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from runtime.objects import PODS, SERVICES, Object, Reference, reference
from tests.controllers.world import Fate, World, world
from tiphys.devcluster.controllers.endpoints.backends import groups
from tiphys.devcluster.controllers.endpoints.manifests import ENDPOINTS, SLICE_MAX, slices

pytestmark = pytest.mark.virtual_time


def pod(name: str, port: int = 8080, **labels: str) -> Object:
    """A pod with a named port."""
    container = {"name": "m", "image": "busybox", "ports": [{"name": "http", "containerPort": port}]}
    return {"metadata": {"name": name, "labels": labels or {"app": "web"}}, "spec": {"containers": [container]}}


def service(name: str = "web", selector: Any = None, **spec: Any) -> Object:
    """A service of one named target port."""
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    chosen = {"app": "web"} if selector is None else selector
    return {"metadata": {"name": name, "labels": {"team": "a"}}, "spec": {"selector": chosen, "ports": ports} | spec}


def subsets(here: World, name: str = "web") -> list[tuple[list[str], list[str], list[int]]]:
    """Ready and not ready pods, and ports, of an Endpoints object."""
    found = [each for each in here.stored("", "endpoints") if each["metadata"]["name"] == name]
    return [
        (
            [entry["targetRef"]["name"] for entry in subset.get("addresses") or ()],
            [entry["targetRef"]["name"] for entry in subset.get("notReadyAddresses") or ()],
            [port["port"] for port in subset.get("ports") or ()],
        )
        for subset in (found[0].get("subsets") or () if found else ())
    ]


def endpoints_of(here: World) -> dict[str, tuple[bool, bool]]:
    """Ready and terminating by pod, of all slices."""
    return {
        entry["targetRef"]["name"]: (entry["conditions"]["ready"], entry["conditions"]["terminating"])
        for each in here.stored("discovery.k8s.io", "endpointslices")
        for entry in each["endpoints"]
    }


@pytest.mark.parametrize("bad", [0.0, 0.3])
async def test_pods_come_and_go_with_their_readiness(bad: float) -> None:
    async with world(lambda pod: Fate(wavers_s=20, ending_s=5), bad=bad, deaths_every_s=7 if bad else None) as here:
        await here.create(SERVICES, service())
        refs = [await here.create(PODS, pod(name)) for name in ("a", "b")]
        await here.create(PODS, pod("other", app="x"))
        await here.until(lambda: subsets(here) == [(["a", "b"], [], [8080])])
        await here.until(lambda: subsets(here) == [([], ["a", "b"], [8080])])
        await here.until(lambda: subsets(here) == [(["a", "b"], [], [8080])])
        await here.api.delete(refs[0])
        await here.until(lambda: subsets(here) == [(["b"], [], [8080])])
        if not bad:
            assert endpoints_of(here) == {"a": (False, True), "b": (True, False)}
        await here.until(lambda: endpoints_of(here) == {"b": (True, False)})


async def test_pods_with_other_numbers_for_the_named_port_are_another_subset_and_slice() -> None:
    async with world() as here:
        await here.create(PODS, pod("a", 8080))
        await here.create(PODS, pod("b", 9090))
        await here.create(SERVICES, service())
        await here.until(lambda: subsets(here) == [(["a"], [], [8080]), (["b"], [], [9090])])
        await here.until(lambda: len(here.stored("discovery.k8s.io", "endpointslices")) == 2)
        labels = here.stored("discovery.k8s.io", "endpointslices")[0]["metadata"]["labels"]
        assert labels["kubernetes.io/service-name"] == "web"
        assert labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
        assert labels["team"] == "a"


async def test_a_service_may_publish_who_is_not_ready() -> None:
    async with world(lambda pod: Fate(ready_s=1e6)) as here:
        ref = await here.create(PODS, pod("a"))
        await here.api.patch(ref, {"status": {"podIP": "10.1.1.1"}}, subresource="status")
        await here.create(SERVICES, service(publishNotReadyAddresses=True))
        await here.until(lambda: subsets(here) == [(["a"], [], [8080])])


async def test_a_changed_selector_changes_the_addresses_and_a_deleted_service_takes_them_away() -> None:
    async with world() as here:
        await here.create(PODS, pod("a"))
        await here.create(PODS, pod("b", app="x"))
        ref = await here.create(SERVICES, service())
        await here.until(lambda: subsets(here) == [(["a"], [], [8080])])
        await here.api.patch(ref, {"spec": {"selector": {"app": "x"}}})
        await here.until(lambda: subsets(here) == [(["b"], [], [8080])])
        await here.api.delete(ref)
        await here.until(lambda: not here.stored("", "endpoints"))
        await here.until(lambda: not here.stored("discovery.k8s.io", "endpointslices"))


async def test_what_a_user_wrote_for_a_service_without_selector_is_left_alone() -> None:
    async with world() as here:
        thing = service(selector={})
        ref = await here.create(SERVICES, thing)
        own = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": "default"}}
        own["subsets"] = [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 1}]}]
        await here.api.create(ENDPOINTS, own)
        await anyio.sleep(10)
        assert here.stored("", "endpoints")[0]["subsets"][0]["addresses"] == [{"ip": "1.2.3.4"}]
        await here.api.delete(ref)
        await anyio.sleep(10)
        assert len(here.stored("", "endpoints")) == 1


async def test_a_quiet_service_writes_nothing() -> None:
    async with world() as here:
        await here.create(SERVICES, service())
        await here.create(PODS, pod("a"))
        await here.until(lambda: subsets(here) == [(["a"], [], [8080])])
        await anyio.sleep(5)
        version = here.server.storage.version
        await anyio.sleep(100)
        assert here.server.storage.version == version


def test_a_slice_has_at_most_a_hundred_addresses() -> None:
    made = service()
    made["metadata"] |= {"namespace": "default", "uid": "u"}
    pods = []
    for number in range(2 * SLICE_MAX + 1):
        one = pod(f"p{number}")
        one["metadata"] |= {"namespace": "default", "uid": str(number)}
        one["status"] = {"phase": "Running", "podIP": f"10.0.{number // 200}.{number % 200}"}
        pods.append(one)
    found = slices(made, groups(made, pods))
    assert [len(each["endpoints"]) for each in found.values()] == [100, 100, 1]
    assert len(found) == 3


async def test_a_pod_with_a_name_below_the_headless_service_has_its_hostname() -> None:
    async with world() as here:
        thing = pod("a")
        thing["spec"] |= {"hostname": "zero", "subdomain": "web"}
        ref: Reference = await here.create(PODS, thing)
        await here.create(SERVICES, service(clusterIP="None"))
        await here.until(lambda: bool(subsets(here)))
        entry = here.stored("", "endpoints")[0]
        assert (
            entry["subsets"][0].get("addresses", entry["subsets"][0].get("notReadyAddresses"))[0]["hostname"] == "zero"
        )
        assert entry["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
        assert reference(PODS, await here.api.get(ref)) == ref
