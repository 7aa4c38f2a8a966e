"""kubectl's words about workloads hold: roll-outs, scaling, undo, pause, jobs and endpoints, on the simulated node."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from runtime.system import System
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.controllers import rooms
from tiphys.devcluster.node import Node, NodeSettings

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
Kubectl = Callable[..., Awaitable[str]]
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kubernetes.io/change-cause: first}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "web:1", ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    settings = Settings(
        node_factory=lambda api: Node(api, NodeSettings(root=tmp_path / "node", mode="simulated")),
        serving=Serving(kubeconfig=tmp_path / "config"),
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin"}

    async def run(*arguments: str, stdin: str = "", fails: bool = False) -> str:
        with anyio.fail_after(40):
            done = await anyio.run_process(["kubectl", *arguments], input=stdin.encode(), env=environment, check=False)
        output = (done.stdout + done.stderr).decode()
        assert (done.returncode != 0) == fails, output
        return output

    async with DevCluster(settings) as cluster, anyio.create_task_group() as tasks:
        environment["KUBECONFIG"] = str(cluster.kubeconfig)
        await tasks.start(System(cluster.api, rooms()).run)
        yield run
        tasks.cancel_scope.cancel()


async def test_a_deployment_is_rolled_out_scaled_undone_paused_and_restarted(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=WEB)
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    await kubectl("scale", "deployment/web", "--replicas=5")
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert await kubectl("get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}") == "5"

    await kubectl("set", "image", "deployment/web", "main=web:2")
    await kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=second", "--overwrite")
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    history = await kubectl("rollout", "history", "deployment/web")
    assert [line.split() for line in history.splitlines()[2:4]] == [["1", "first"], ["2", "second"]]
    assert "web:1" in await kubectl("rollout", "history", "deployment/web", "--revision=1")

    await kubectl("rollout", "undo", "deployment/web")
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    images = await kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    assert "web:1" in images
    assert await kubectl("get", "rs", "-o", "jsonpath={.items[*].spec.replicas}") in ("5 0", "0 5")
    revision = r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"
    assert await kubectl("get", "deployment", "web", "-o", revision) == "3"

    await kubectl("rollout", "pause", "deployment/web")
    await kubectl(
        "wait",
        "deployment/web",
        "--for=jsonpath={.status.conditions[?(@.type=='Progressing')].reason}=DeploymentPaused",
        "--timeout=20s",
    )
    await kubectl("set", "image", "deployment/web", "main=web:3")
    await kubectl("rollout", "resume", "deployment/web")
    await kubectl("rollout", "restart", "deployment/web")
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    told = await kubectl("describe", "deployment", "web")
    assert "ScalingReplicaSet" in told
    assert "Scaled up replica set web-" in told


async def test_a_service_has_its_pods_as_endpoints(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=WEB)
    await kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=20s")
    ips = await kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}")
    await kubectl("wait", "endpoints/web", "--for=jsonpath={.subsets[0].addresses[2].ip}", "--timeout=20s")
    found = json.loads(await kubectl("get", "endpoints", "web", "-o", "json"))["subsets"]
    assert sorted(entry["ip"] for entry in found[0]["addresses"]) == sorted(ips.split())
    assert found[0]["ports"] == [{"port": 8080, "protocol": "TCP"}]
    slices = json.loads(await kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=web", "-o", "json"))
    assert [entry["conditions"]["ready"] for entry in slices["items"][0]["endpoints"]] == [True] * 3
    await kubectl("delete", "service", "web")
    await kubectl("wait", "endpoints/web", "--for=delete", "--timeout=20s")


async def test_jobs_complete_or_fail_and_say_so(kubectl: Kubectl) -> None:
    await kubectl("create", "job", "good", "--image=busybox", "--", "true")
    await kubectl("wait", "job/good", "--for=condition=Complete", "--timeout=20s")
    bad = json.loads(await kubectl("create", "job", "bad", "--image=busybox", "--dry-run=client", "-o", "json"))
    bad["spec"]["backoffLimit"] = 0
    bad["spec"]["template"]["metadata"]["annotations"] = {"simulated.tiphys.dev/exit-code": "3"}
    await kubectl("create", "-f", "-", stdin=json.dumps(bad))
    await kubectl("wait", "job/bad", "--for=condition=Failed", "--timeout=20s")
    rows = (await kubectl("get", "jobs")).splitlines()
    assert [row.split()[:3] for row in rows[1:]] == [["bad", "Failed", "0/1"], ["good", "Complete", "1/1"]]
    assert "BackoffLimitExceeded" in await kubectl("describe", "job", "bad")
    await kubectl("delete", "job", "good", "bad")
    assert "No resources found" in await kubectl("get", "pods", "-l", "job-name=good")
