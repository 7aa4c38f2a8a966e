"""kubectl, as people have it, works against the dev cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from runtime.api import LogOptions
from runtime.objects import PODS, reference
from tests.contract.conftest import GIZMO
from tests.contract.kubectl import Kubectl, environment_of, runner
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
POD = {"containers": [{"name": "main", "image": "busybox"}], "restartPolicy": "Never", "nodeName": "n"}
THINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {k: v}
---
apiVersion: lab.example.com/v1
kind: Gizmo
metadata: {name: giz}
spec: {size: %d}
"""


class Tape:
    """A log source with a line that comes when the test says so."""

    def __init__(self) -> None:
        self.go_on = anyio.Event()

    async def stream(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        yield b"first\n"
        if options.follow:
            await self.go_on.wait()
            yield b"second\n"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[DevCluster]:
    async with DevCluster(Settings(definitions=[GIZMO], serving=Serving(kubeconfig=tmp_path / "config"))) as running:
        yield running


@pytest.fixture
def environment(cluster: DevCluster, tmp_path: Path) -> dict[str, str]:
    return environment_of(cluster, tmp_path)


@pytest.fixture
def kubectl(environment: dict[str, str]) -> Kubectl:
    return runner(environment)


async def test_apply_creates_changes_and_leaves_alone(kubectl: Kubectl) -> None:
    assert "gizmo.lab.example.com/giz created" in await kubectl("apply", "-f", "-", stdin=THINGS % 1)
    changed = await kubectl("apply", "-f", "-", stdin=THINGS % 2)
    assert "configmap/one unchanged" in changed
    assert "gizmo.lab.example.com/giz configured" in changed
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", stdin=THINGS % 2)
    invalid = await kubectl("apply", "-f", "-", stdin=THINGS % 0, fails=True)
    assert "spec.size in body should be greater than or equal to 1" in invalid


async def test_get_prints_the_columns_of_the_kind(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=THINGS % 3)
    table = await kubectl("get", "gizmos")
    assert [line.split() for line in table.splitlines()] == [["NAME", "SIZE"], ["giz", "3"]]
    assert json.loads(await kubectl("get", "configmap", "one", "-o", "json"))["data"] == {"k": "v"}
    assert "configmap/one" in await kubectl("get", "configmaps", "-o", "name")
    assert 'gizmos.lab.example.com "none" not found' in await kubectl("get", "gizmo", "none", fails=True)


async def test_create_label_annotate_patch_describe_and_delete(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "made", "--from-literal=a=b")
    await kubectl("create", "namespace", "room")
    await kubectl("create", "deployment", "d", "--image=busybox", "--replicas=2")
    await kubectl("create", "job", "j", "--image=busybox", "--", "echo", "hi")
    await kubectl("scale", "deployment", "d", "--replicas=3")
    assert await kubectl("get", "deployment", "d", "-o", "jsonpath={.spec.replicas}") == "3"
    command = "jsonpath={.spec.template.spec.containers[0].command}"
    assert json.loads(await kubectl("get", "job", "j", "-o", command)) == ["echo", "hi"]
    await kubectl("label", "configmap", "made", "x=y")
    await kubectl("annotate", "configmap", "made", "note=hello")
    await kubectl("patch", "configmap", "made", "-p", '{"data":{"c":"d"}}')
    made = json.loads(await kubectl("get", "cm", "made", "-o", "json"))
    assert made["data"] == {"a": "b", "c": "d"}
    assert made["metadata"]["labels"] == {"x": "y"}
    assert made["metadata"]["annotations"] == {"note": "hello"}
    assert "Name:         made" in await kubectl("describe", "configmap", "made")
    await kubectl("delete", "configmap", "made")
    await kubectl("delete", "namespace", "room")
    assert "not found" in await kubectl("get", "cm", "made", fails=True)


async def test_a_misspelt_field_is_refused_by_name(kubectl: Kubectl) -> None:
    thing = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"name":"m","imag":"b"}]}}'
    assert 'unknown field "spec.containers[0].imag"' in await kubectl("create", "-f", "-", stdin=thing, fails=True)


async def test_wait_returns_when_the_condition_comes_true(kubectl: Kubectl, cluster: DevCluster) -> None:
    ref = reference(PODS, await cluster.api.create(PODS, {"metadata": {"name": "p"}, "spec": POD}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kubectl, "wait", "--for=condition=Ready", "pod/p", "--timeout=20s")
        ready = {"type": "Ready", "status": "True"}
        await cluster.api.patch(ref, {"status": {"phase": "Running", "conditions": [ready]}}, subresource="status")


async def test_logs_follow_to_the_end(kubectl: Kubectl, cluster: DevCluster) -> None:
    tape = cluster.server.logs = Tape()
    await cluster.api.create(PODS, {"metadata": {"name": "p"}, "spec": POD})
    assert await kubectl("logs", "p") == "first\n"
    tape.go_on.set()
    assert await kubectl("logs", "-f", "p") == "first\nsecond\n"


async def test_get_w_prints_changes_as_they_come(environment: dict[str, str], cluster: DevCluster) -> None:
    ref = reference(PODS, await cluster.api.create(PODS, {"metadata": {"name": "p"}, "spec": POD}))
    process = await anyio.open_process(["kubectl", "get", "pods", "-w"], env=environment)
    assert process.stdout is not None
    seen = ""
    with anyio.fail_after(20):
        async for chunk in process.stdout:
            seen += chunk.decode()
            if "Pending" in seen and "Succeeded" not in seen:
                await cluster.api.patch(ref, {"status": {"phase": "Succeeded"}}, subresource="status")
            if "Succeeded" in seen:
                break
    process.terminate()
    await process.aclose()


async def test_explain_and_can_i_do_not_fail(kubectl: Kubectl) -> None:
    assert "size\t<integer> -required-" in await kubectl("explain", "gizmo.spec")
    assert "yes" in await kubectl("auth", "can-i", "create", "pods")
    assert "gizmos" in await kubectl("api-resources")
