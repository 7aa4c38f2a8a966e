"""Clients that nobody here wrote create, watch and patch objects on the dev cluster, each in its own way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.objects import CONFIGMAPS, Reference
from tests.contract.conftest import GIZMO, GIZMOS
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

pytestmark = pytest.mark.filterwarnings("default")  # what these libraries deprecate is not ours to mend
OPERATOR = """
import kopf
from kubernetes_asyncio import client, config

@kopf.on.create("lab.example.com", "v1", "gizmos")
async def made(name, namespace, spec, body, patch, **_):
    await config.load_kube_config()
    child = {"metadata": {"name": f"{name}-child"}, "data": {"size": str(spec["size"])}}
    kopf.adopt(child, owner=body)
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).create_namespaced_config_map(namespace, child)
    patch.status["phase"] = "Adopted"

@kopf.on.update("lab.example.com", "v1", "gizmos", field="spec.size")
async def resized(new, patch, **_):
    patch.status["size"] = new

@kopf.on.delete("lab.example.com", "v1", "gizmos")
async def gone(**_):
    pass
"""

KR8S = """
import asyncio, kr8s.asyncio
from kr8s.asyncio.objects import ConfigMap

async def main():
    api = await kr8s.asyncio.api()
    made = await ConfigMap({"metadata": {"name": "k", "namespace": "default"}, "data": {"a": "1"}}, api=api)
    await made.create()
    await made.patch({"data": {"a": "2"}})
    await made.label(team="x")
    async for kind, thing in api.watch("configmaps", namespace="default"):
        print(kind, thing.name, dict(thing.labels), thing.data.a)
        break
    await made.delete()
    print(await made.exists())

asyncio.run(main())
"""

DYNAMIC = """
from kubernetes import config, dynamic

gizmo = {"apiVersion": "lab.example.com/v1", "kind": "Gizmo", "metadata": {"name": "g"}, "spec": {"size": 1}}
api = dynamic.DynamicClient(config.new_client_from_config())
gizmos = api.resources.get(api_version="lab.example.com/v1", kind="Gizmo")
gizmos.create(body=gizmo, namespace="default")
merge = "application/merge-patch+json"
gizmos.patch(name="g", namespace="default", body={"spec": {"size": 2}}, content_type=merge)
applied = {**gizmo, "spec": {"size": 3}}
gizmos.server_side_apply(body=applied, name="g", namespace="default", field_manager="me", force_conflicts=True)
print(gizmos.get(name="g", namespace="default").spec.size)
print([(event["type"], event["object"].spec.size) for event in gizmos.watch(namespace="default", timeout=1)])
gizmos.delete(name="g", namespace="default")
"""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[DevCluster]:
    async with DevCluster(Settings(definitions=[GIZMO], serving=Serving(kubeconfig=tmp_path / "config"))) as running:
        yield running


def gizmo(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "lab.example.com/v1",
        "kind": "Gizmo",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"size": 1},
    }


async def test_kubernetes_asyncio_with_its_typed_models_and_its_watch(cluster: DevCluster) -> None:
    from kubernetes_asyncio import client, config, watch  # noqa: PLC0415 - slow to import

    await config.load_kube_config(str(cluster.kubeconfig))
    async with client.ApiClient() as api:
        core, custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="typed", labels={"a": "b"}), data={"k": "v"})
        made = await core.create_namespaced_config_map("default", body)
        assert made.metadata.uid
        listed = await core.list_namespaced_config_map("default", label_selector="a=b")
        assert [item.metadata.name for item in listed.items] == ["typed"]
        patched = await core.patch_namespaced_config_map("typed", "default", {"data": {"k": "w"}})
        assert patched.data == {"k": "w"}
        pod = client.V1Pod(
            metadata=client.V1ObjectMeta(name="p"),
            spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="busybox")]),
        )
        assert (await core.create_namespaced_pod("default", pod)).status.phase == "Pending"
        with pytest.raises(client.ApiException) as refused:
            await core.read_namespaced_pod("none", "default")
        assert refused.value.status == 404
        await custom.create_namespaced_custom_object("lab.example.com", "v1", "default", "gizmos", gizmo("g"))
        seen = []
        async with watch.Watch() as stream:
            since = listed.metadata.resource_version
            async for event in stream.stream(core.list_namespaced_config_map, "default", resource_version=since):
                seen.append((event["type"], event["object"].data))
                if len(seen) == 1:
                    await core.delete_namespaced_config_map("typed", "default")
                if event["type"] == "DELETED":
                    break
    assert seen == [("MODIFIED", {"k": "w"}), ("DELETED", {"k": "w"})]


async def test_the_dynamic_client_of_kubernetes(cluster: DevCluster, tmp_path: Path) -> None:
    assert await output_of(DYNAMIC, cluster, tmp_path) == "3\n[('ADDED', 3)]\n"


async def output_of(script: str, cluster: DevCluster, home: Path) -> str:
    """What a script prints, in a process of its own: some clients never close their connections."""
    with anyio.fail_after(60):
        argv = [sys.executable, "-c", script]
        done = await anyio.run_process(argv, env=environment(cluster, home), check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


async def test_kr8s(cluster: DevCluster, tmp_path: Path) -> None:
    assert await output_of(KR8S, cluster, tmp_path) == "ADDED k {'team': 'x'} 2\nFalse\n"


def environment(cluster: DevCluster, home: Path) -> dict[str, str]:
    return {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(home), "PATH": "/usr/bin:/bin", "USER": "somebody"}


async def test_a_kopf_operator_adopts_updates_and_lets_go(cluster: DevCluster, tmp_path: Path) -> None:
    script = tmp_path / "operator.py"
    script.write_text(OPERATOR)
    argv = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", "default", str(script)]
    api, ref = cluster.api, Reference(GIZMOS, "default", "g")
    await api.create(GIZMOS, gizmo("g"))
    process = await anyio.open_process(
        argv, env=environment(cluster, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with anyio.fail_after(60):
            await until(api, partial(has_status, "phase", "Adopted"))
            child = await api.get(Reference(CONFIGMAPS, "default", "g-child"))
            assert child["data"] == {"size": "1"}
            assert (await api.get(ref))["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
            await api.patch(ref, {"spec": {"size": 5}})
            await until(api, partial(has_status, "size", 5))
            await api.delete(ref)
            await until(api, lambda kind, _: kind == "DELETED")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.aclose()


def has_status(field: str, value: Any, kind: str, thing: Any) -> bool:
    return kind != "DELETED" and (thing.get("status") or {}).get(field) == value


async def until(api: Any, is_so: Any) -> None:
    """Wait for a Gizmo that is so."""
    async with api.watch(GIZMOS, resource_version="0") as events:
        async for event in events:
            if event.type != "BOOKMARK" and is_so(event.type, event.object):
                return
