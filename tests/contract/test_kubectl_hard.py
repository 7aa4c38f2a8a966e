"""What people do with kubectl when it matters: cascades, conflicts, long lists, waits, watches and selectors."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
import yaml

from runtime.objects import CONFIGMAPS, NODES, PODS, Object, Resource, reference
from runtime.system import System
from tests.contract.conftest import GIZMO
from tests.contract.kubectl import Kubectl, environment_of, runner
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.controllers import rooms

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
REPLICA_SETS = Resource("apps/v1", "ReplicaSet", "replicasets")
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: busybox}]}}
"""
ONE = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: "%s", b: "2"}\n'
JOBS = Resource("batch/v1", "Job", "jobs")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[DevCluster]:
    settings = Settings(definitions=[GIZMO], serving=Serving(kubeconfig=tmp_path / "config"))
    async with DevCluster(settings) as running:
        yield running


@pytest.fixture
def environment(cluster: DevCluster, tmp_path: Path) -> dict[str, str]:
    return environment_of(cluster, tmp_path)


@pytest.fixture
def kubectl(environment: dict[str, str]) -> Kubectl:
    return runner(environment)


@pytest.mark.parametrize(("cascade", "left"), [("foreground", 0), ("background", 0), ("orphan", 3)])
async def test_a_cascade_takes_dependents_or_leaves_them(
    kubectl: Kubectl, cluster: DevCluster, cascade: str, left: int
) -> None:
    async with anyio.create_task_group() as tasks:
        await tasks.start(System(cluster.api, rooms()).run)
        await kubectl("create", "-f", "-", stdin=WEB)
        await kubectl("wait", "--for=jsonpath={.status.replicas}=2", "deploy/web", "--timeout=20s")
        await kubectl("delete", "deploy", "web", f"--cascade={cascade}", "--timeout=20s")
        with anyio.fail_after(10):
            while len(await remains(cluster)) != left:
                await anyio.lowlevel.checkpoint()
        assert not any(thing["metadata"].get("ownerReferences") for thing in await remains(cluster, REPLICA_SETS))
        tasks.cancel_scope.cancel()


async def remains(cluster: DevCluster, *resources: Resource) -> list[Object]:
    """Replica sets and pods that are there."""
    return [t for resource in resources or (REPLICA_SETS, PODS) for t in (await cluster.api.list(resource)).items]


async def test_who_applies_what_another_has_applied_is_told_and_may_insist(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    await kubectl(*apply, "--field-manager=first", stdin=ONE % 1)
    refusal = await kubectl(*apply, "--field-manager=second", stdin=ONE % 9, fails=True)
    assert 'Apply failed with 1 conflict: conflict with "first": .data.a' in refusal
    await kubectl(*apply, "--field-manager=second", "--force-conflicts", stdin=ONE % 9)
    assert await kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"a":"9","b":"2"}'
    await kubectl(*apply, "--field-manager=first", stdin=(ONE % 9).replace(', b: "2"', ""))
    assert await kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"a":"9","b":"2"}'
    await kubectl(*apply, "--field-manager=second", stdin=(ONE % 9).replace(', b: "2"', ""))
    assert await kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"a":"9"}'


async def test_kubectl_takes_over_what_it_has_applied_in_its_older_way(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=ONE % 1)
    refusal = await kubectl("apply", "--server-side", "-f", "-", stdin=ONE % 2, fails=True)
    assert 'conflict with "kubectl-client-side-apply" using v1: .data.a' in refusal
    await kubectl("apply", "--server-side", "-f", "-", stdin=ONE % 1)
    await kubectl("apply", "--server-side", "-f", "-", stdin=(ONE % 2).replace(', b: "2"', ""))
    assert await kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"a":"2"}'


async def test_a_long_list_is_created_read_in_chunks_and_deleted_by_label(kubectl: Kubectl) -> None:
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{number:03}", "labels": {"many": "yes"}}}
        for number in range(120)
    ]
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    assert (await kubectl("create", "-f", "-", stdin=text)).count(" created") == 120
    names = (await kubectl("get", "cm", "-l", "many=yes", "--chunk-size=7", "-o", "name")).split()
    assert names == [f"configmap/c-{number:03}" for number in range(120)]
    asked = await kubectl("get", "cm", "-l", "many=yes", "--chunk-size=50", "-v=6")
    assert asked.count("continue=") == 2
    await kubectl("delete", "cm", "-l", "many=yes", "--wait=false")
    assert "No resources found" in await kubectl("get", "cm", "-l", "many=yes")


async def test_replacing_by_force_makes_another_object_of_that_name(kubectl: Kubectl, cluster: DevCluster) -> None:
    await kubectl("create", "-f", "-", stdin=ONE % 1)
    first = await kubectl("get", "cm", "one", "-o", "jsonpath={.metadata.uid}")
    assert "configmap/one replaced" in await kubectl("replace", "--force", "-f", "-", stdin=ONE % 2)
    assert await kubectl("get", "cm", "one", "-o", "jsonpath={.metadata.uid}") != first


async def test_labels_and_annotations_come_and_go(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=ONE % 1)
    await kubectl("label", "cm", "one", "a=b", "c=d")
    assert "not labeled" in await kubectl("label", "cm", "one", "a=b")
    await kubectl("label", "cm", "--all", "c-")
    await kubectl("annotate", "cm", "-l", "a=b", "n=1", "--overwrite")
    assert await kubectl("get", "cm", "one", "-o", "jsonpath={.metadata.labels}") == '{"a":"b"}'
    stale = await kubectl("annotate", "cm", "one", "n=2", "--overwrite", "--resource-version=1", fails=True)
    assert "the object has been modified" in stale


async def test_waits_end_when_it_is_so(kubectl: Kubectl, cluster: DevCluster) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kubectl, "wait", "--for=create", "cm/late", "--timeout=20s")
        tasks.start_soon(kubectl, "wait", "--for=jsonpath={.data.k}=w", "cm/late", "--for=create", "--timeout=20s")
        made = await cluster.api.create(CONFIGMAPS, {"metadata": {"name": "late"}, "data": {"k": "w"}})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kubectl, "wait", "--for=delete", "cm/late", "--timeout=20s")
        await cluster.api.delete(reference(CONFIGMAPS, made))


async def test_events_of_a_watch_are_told_with_their_kind(environment: dict[str, str], cluster: DevCluster) -> None:
    argv = ["kubectl", "get", "cm", "-w", "--output-watch-events"]
    process = await anyio.open_process(argv, env=environment)
    assert process.stdout is not None
    made = await cluster.api.create(CONFIGMAPS, {"metadata": {"name": "one"}})
    seen, is_deleted = "", False
    with anyio.fail_after(20):
        async for chunk in process.stdout:
            seen += chunk.decode()
            if " one " in seen and not is_deleted:
                await cluster.api.delete(reference(CONFIGMAPS, made))
                is_deleted = True
            if seen.count(" one ") == 2:
                break
    process.terminate()
    await process.aclose()
    assert [line.split()[:2] for line in seen.splitlines() if " one " in line] == [["ADDED", "one"], ["DELETED", "one"]]


async def test_every_kind_is_selected_by_the_fields_that_it_has(kubectl: Kubectl, cluster: DevCluster) -> None:
    api = cluster.api
    container = {"name": "c", "image": "busybox"}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container], "nodeName": "n", "restartPolicy": "Never"}}
    ref = reference(PODS, await api.create(PODS, pod))
    await api.patch(ref, {"status": {"phase": "Running", "podIP": "10.0.0.1"}}, subresource="status")
    await api.create(NODES, {"metadata": {"name": "n"}})
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    job = reference(JOBS, await api.create(JOBS, {"metadata": {"name": "j"}, "spec": {"template": template}}))
    await api.patch(job, {"status": {"succeeded": 1}}, subresource="status")
    await kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    await kubectl("create", "-f", "-", stdin=EVENT)
    for kind, selector, found in (
        ("pods", "spec.nodeName=n,status.phase=Running,status.podIP=10.0.0.1", "pod/p"),
        ("pods", "spec.restartPolicy!=Never", ""),
        ("pods", "spec.hostNetwork=false", "pod/p"),
        ("nodes", "spec.unschedulable=false", "node/n"),
        ("nodes", "spec.unschedulable=true", ""),
        ("jobs", "status.successful=1", "job.batch/j"),
        ("secrets", "type=Opaque", "secret/s"),
        ("events", "involvedObject.kind=Pod,involvedObject.name=p,reason=Odd,type=Warning,source=me", "event/e"),
        ("namespaces", "status.phase=Active,metadata.name=default", "namespace/default"),
        ("rs", "status.replicas=0", ""),
    ):
        assert (await kubectl("get", kind, f"--field-selector={selector}", "-o", "name")).strip() == found, selector
    refusal = await kubectl("get", "pods", "--field-selector=spec.odd=1", fails=True)
    assert "field label not supported: spec.odd" in refusal
    assert "Odd" in await kubectl("events", "--for=pod/p", "--types=Warning")


EVENT = """
apiVersion: v1
kind: Event
metadata: {name: e}
involvedObject: {apiVersion: v1, kind: Pod, name: p, namespace: default}
reason: Odd
type: Warning
message: it is odd
source: {component: me}
"""


async def test_raw_paths_answer_as_the_api_has_them(kubectl: Kubectl) -> None:
    for path, says in (
        ("/readyz", "ok"),
        ("/livez?verbose", "ok"),
        ("/version", '"gitVersion":"v1.36'),
        ("/apis/apps/v1", '"controllerrevisions"'),
        ("/api/v1/namespaces/default/configmaps?limit=1", '"kind":"ConfigMapList"'),
        ("/metrics", "apiserver_storage_objects"),
        ("/openapi/v3", "apis/autoscaling/v1"),
    ):
        assert says in await kubectl("get", "--raw", path)
    assert '"name":"raw"' in await kubectl(
        "create", "--raw", "/api/v1/namespaces", "-f", "-", stdin='{"metadata":{"name":"raw"}}'
    )
    assert "not found" in await kubectl("get", "--raw", "/api/v1/namespaces/default/pods/none", fails=True)


async def test_a_quota_is_told_to_whoever_creates_too_much(kubectl: Kubectl) -> None:
    await kubectl("create", "quota", "few", "--hard=pods=1")
    await kubectl("run", "a", "--image=busybox")
    why = await kubectl("run", "b", "--image=busybox", fails=True)
    assert 'pods "b" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1' in why
