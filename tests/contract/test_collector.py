"""What nobody owns any more goes, as upstream's garbage collector does it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from runtime.api import Api, Gone, Refused
from runtime.objects import CONFIGMAPS, EVENTS, NAMESPACES, PODS, Object, Reference, reference
from tiphys.devcluster.cluster import DevCluster, Settings
from tiphys.devcluster.gc import GarbageCollector


async def until_gone(api: Api, ref: Reference) -> None:
    with anyio.fail_after(5):
        while True:
            try:
                await api.get(ref)
            except Gone:
                return
            await anyio.lowlevel.checkpoint()


def owned(name: str, *owners: Object, **meta: Any) -> Object:
    refs = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "namespace": "default", "ownerReferences": refs, **meta}}


async def test_dependents_go_after_their_owner_all_the_way_down(api: Api) -> None:
    top = await api.create(CONFIGMAPS, owned("top"))
    middle = await api.create(CONFIGMAPS, owned("middle", top))
    leaf = await api.create(CONFIGMAPS, owned("leaf", middle))
    await api.delete(reference(CONFIGMAPS, top))
    await until_gone(api, reference(CONFIGMAPS, leaf))


async def test_an_owner_deleted_in_the_foreground_outlives_its_dependents(api: Api) -> None:
    top = await api.create(CONFIGMAPS, owned("top"))
    held = await api.create(CONFIGMAPS, owned("held", top, finalizers=["lab.example.com/hold"]))
    await api.delete(reference(CONFIGMAPS, top), propagation="Foreground")
    with anyio.fail_after(5):
        while "deletionTimestamp" not in (await api.get(reference(CONFIGMAPS, held)))["metadata"]:
            await anyio.lowlevel.checkpoint()
    assert (await api.get(reference(CONFIGMAPS, top)))["metadata"]["finalizers"] == ["foregroundDeletion"]
    await api.patch(reference(CONFIGMAPS, held), {"metadata": {"finalizers": None}})
    await until_gone(api, reference(CONFIGMAPS, top))


async def test_orphans_stay_and_forget_their_owner(api: Api) -> None:
    top = await api.create(CONFIGMAPS, owned("top"))
    child = await api.create(CONFIGMAPS, owned("child", top))
    await api.delete(reference(CONFIGMAPS, top), propagation="Orphan")
    await until_gone(api, reference(CONFIGMAPS, top))
    assert "ownerReferences" not in (await api.get(reference(CONFIGMAPS, child)))["metadata"]


async def test_a_dependent_of_two_lives_while_one_of_them_does(api: Api) -> None:
    one, two = await api.create(CONFIGMAPS, owned("one")), await api.create(CONFIGMAPS, owned("two"))
    child = reference(CONFIGMAPS, await api.create(CONFIGMAPS, owned("child", one, two)))
    await api.delete(reference(CONFIGMAPS, one))
    with anyio.fail_after(5):
        while len((await api.get(child))["metadata"]["ownerReferences"]) > 1:
            await anyio.lowlevel.checkpoint()
    await api.delete(reference(CONFIGMAPS, two))
    await until_gone(api, child)


async def test_an_object_born_after_its_owner_has_gone_goes_too(api: Api) -> None:
    top = await api.create(CONFIGMAPS, owned("top"))
    await api.delete(reference(CONFIGMAPS, top))
    child = await api.create(CONFIGMAPS, owned("late", top))
    await until_gone(api, reference(CONFIGMAPS, child))


async def test_an_event_goes_after_an_hour() -> None:
    now = [1_800_000_000.0]
    async with DevCluster(Settings(now=lambda: now[0])) as cluster:
        event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "message": "m"}
        ref = reference(EVENTS, await cluster.api.create(EVENTS, event))
        now[0] += 3500
        await cluster.api.create(EVENTS, {**event, "metadata": {"name": "later"}})
        now[0] += 400
        collector = GarbageCollector(cluster.server)
        collector.sweep()
        with pytest.raises(Gone):
            await cluster.api.get(ref)
        assert await cluster.api.get(Reference(EVENTS, "default", "later"))


async def test_a_namespace_goes_when_everything_in_it_has_gone(api: Api) -> None:
    await api.create(NAMESPACES, {"metadata": {"name": "mine"}})
    meta = {"namespace": "mine", "name": "p", "finalizers": ["lab.example.com/hold"]}
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    held = reference(PODS, await api.create(PODS, {"metadata": meta, "spec": spec}))
    await api.delete(Reference(NAMESPACES, "", "mine"))
    assert (await api.get(Reference(NAMESPACES, "", "mine")))["status"]["phase"] == "Terminating"
    with pytest.raises(Refused, match="because it is being terminated"):
        await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "mine"}})
    with anyio.fail_after(5):
        while "deletionTimestamp" not in (await api.get(held))["metadata"]:
            await anyio.lowlevel.checkpoint()
    await api.patch(held, {"metadata": {"finalizers": None}})
    await until_gone(api, Reference(NAMESPACES, "", "mine"))
