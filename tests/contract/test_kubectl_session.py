"""One working day of kubectl: sixty commands in a row, as people type them, and what each must say."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from runtime.system import System
from tests.contract.conftest import GIZMO
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.controllers import rooms
from tiphys.devcluster.node import Node, NodeSettings

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
ALL = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {k: v}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: busybox}]}}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: lab.example.com/v1
kind: Gizmo
metadata: {name: giz}
spec: {size: 3}
"""
EDITOR = '#!/bin/sh\nsed -i "s/k: v/k: edited/" "$1"\n'


class Command(NamedTuple):
    """A command line, what its output must contain, and how it ends. {dir} is the folder of the files."""

    line: str
    says: str = ""
    code: int = 0


SESSION = [
    Command("version", "Server Version: v1."),
    Command("cluster-info", "control plane is running at https://127.0.0.1"),
    Command("get --raw /readyz", "ok"),
    Command("api-versions", "lab.example.com/v1"),
    Command("api-resources --namespaced=true -o wide", "poddisruptionbudgets"),
    Command("auth can-i delete nodes", "yes"),
    Command("auth can-i --list", "*.*"),
    Command("auth whoami", "tiphys"),
    Command("apply -f {dir}/all.yaml", "configmap/one created"),
    Command("apply -f {dir}/all.yaml", "configmap/one unchanged"),
    Command("diff -f {dir}/all.yaml"),
    Command("diff -f {dir}/changed.yaml", "+  k: w", 1),
    Command("edit configmap one", "configmap/one edited"),
    Command("get cm one -o jsonpath={.data.k}", "edited"),
    Command('patch cm one --type merge -p {"data":{"m":"1"}}', "patched"),
    Command('patch cm one --type json -p [{"op":"add","path":"/data/j","value":"2"}]', "patched"),
    Command(
        'patch deploy web -p {"spec":{"template":{"spec":{"containers":[{"name":"c","image":"busybox:2"}]}}}}',
        "patched",
    ),
    Command('patch gizmo giz --type merge --subresource status -p {"status":{"n":2}}', "patched"),
    Command("get deploy web -o jsonpath={.spec.template.spec.containers[*].image}", "busybox:2"),
    Command("set image deploy/web c=busybox:3", "image updated"),
    Command("set env deploy/web A=B", "env updated"),
    Command("set resources deploy/web --limits=cpu=1", "resource requirements updated"),
    Command("scale deploy/web --replicas=4", "scaled"),
    Command("get deploy web -o jsonpath={.spec.replicas}", "4"),
    Command("rollout status deploy/web --timeout=30s", 'deployment "web" successfully rolled out'),
    Command("get deploy web -o jsonpath={.status.readyReplicas}", "4"),
    Command("rollout history deploy/web", "REVISION"),
    Command("rollout pause deploy/web", "paused"),
    Command("rollout resume deploy/web", "resumed"),
    Command("rollout restart deploy/web", "restarted"),
    Command("rollout status deploy/web --timeout=30s", "successfully rolled out"),
    Command("rollout undo deploy/web", "rolled back"),
    Command("rollout status deploy/web --timeout=30s", "successfully rolled out"),
    Command("wait --for=condition=Available deploy/web --timeout=30s", "condition met"),
    Command("autoscale deploy web --min=1 --max=5", "autoscaled"),
    Command("get hpa web", "Deployment/web"),
    Command("describe deploy web", "4 desired"),
    Command("explain pod.spec.containers.livenessProbe.httpGet", "FIELD: httpGet <HTTPGetAction>"),
    Command("explain deployment.spec.strategy.rollingUpdate.maxSurge", "FIELD: maxSurge"),
    Command("explain cronjob --recursive", "concurrencyPolicy"),
    Command("explain gizmo.spec.size", "FIELD: size <integer>"),
    Command("label cm one team=x", "labeled"),
    Command("label cm one team=y", "already has a value", 1),
    Command("label cm one team=y --overwrite", "labeled"),
    Command("annotate cm one note=hello", "annotated"),
    Command("create configmap two --from-literal=a=b", "created"),
    Command("create secret generic s --from-literal=p=q", "created"),
    Command("create serviceaccount bot", "created"),
    Command("create token bot"),
    Command("create role r --verb=get --resource=pods", "created"),
    Command("create rolebinding rb --role=r --serviceaccount=default:bot", "created"),
    Command("create clusterrole cr --verb=get --resource=pods", "created"),
    Command("create clusterrolebinding crb --clusterrole=cr --serviceaccount=default:bot", "created"),
    Command("create service clusterip svc --tcp=80:8080", "created"),
    Command("create ingress ing --rule=h/p=svc:80", "created"),
    Command("create cronjob cj --image=busybox --schedule=@daily -- true", "created"),
    Command("create job j --from=cronjob/cj", "created"),
    Command("create pdb p --selector=app=web --min-available=1", "created"),
    Command("create namespace room", "created"),
    Command("expose deploy web --port=80", "service/web exposed"),
    Command("create quota few --hard=count/secrets=5", "created"),
    Command("wait --for=jsonpath={.status.used.count/secrets}=1 quota/few --timeout=10s", "condition met"),
    Command("describe quota few", "count/secrets"),
    Command("create priorityclass high --value=1000", "created"),
    Command("run p1 --image=busybox --restart=Never -- sleep 5", "pod/p1 created"),
    Command("wait --for=jsonpath={.status.phase}=Succeeded pod/p1 --timeout=30s", "condition met"),
    Command("wait --for=condition=Complete job/j --timeout=30s", "condition met"),
    Command("get all", "pod/p1"),
    Command("get cm -o custom-columns=N:.metadata.name,K:.data.k", "edited"),
    Command("get cm --sort-by=.metadata.name -o name", "configmap/one\nconfigmap/two"),
    Command("get pods -o wide --field-selector=status.phase=Running", "NOMINATED NODE"),
    Command("get pods --field-selector=status.phase=Pending", "No resources found"),
    Command("get deploy -l app=web -o yaml", "image: busybox:3"),
    Command("get gizmo giz --subresource=status -o jsonpath={.status.n}", "2"),
    Command("get events --field-selector=involvedObject.kind=Deployment", "ScalingReplicaSet"),
    Command("events --for deploy/web", "ScalingReplicaSet"),
    Command("cordon n1", "cordoned"),
    Command("get nodes", "SchedulingDisabled"),
    Command("uncordon n1", "uncordoned"),
    Command("taint node n1 a=b:NoSchedule", "tainted"),
    Command("describe node n1", "a=b:NoSchedule"),
    Command("replace -f {dir}/changed.yaml", "configmap/one replaced"),
    Command("apply --server-side --field-manager=me -f {dir}/changed.yaml --force-conflicts", "serverside-applied"),
    Command("get cm one -o yaml --show-managed-fields", "manager: me"),
    Command("delete cm -l team=z", "No resources found"),
    Command("delete secret,serviceaccount s bot --ignore-not-found", 'secret "s" deleted'),
    Command("delete pod p1 --now", "deleted"),
    Command("delete namespace room", 'namespace "room" deleted'),
    Command("top pods", "Metrics API not available", 1),
    Command("delete -f {dir}/all.yaml", 'deployment.apps "web" deleted'),
    Command("get deploy,cm", "configmap/two"),
]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[DevCluster]:
    settings = Settings(
        definitions=[GIZMO],
        node_factory=lambda api: Node(api, NodeSettings(root=tmp_path / "node", mode="simulated")),
        serving=Serving(kubeconfig=tmp_path / "config"),
    )
    async with DevCluster(settings) as running, anyio.create_task_group() as tasks:
        await tasks.start(System(running.api, rooms()).run)
        yield running
        tasks.cancel_scope.cancel()


async def test_sixty_commands_in_a_row_do_what_people_expect(cluster: DevCluster, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(ALL)
    (tmp_path / "changed.yaml").write_text(ALL.replace("k: v", "k: w"))
    editor = tmp_path / "editor"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig),
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "KUBE_EDITOR": str(editor),
    }
    assert len(SESSION) >= 60
    wrong = []
    for command in SESSION:
        argv = ["kubectl", *command.line.replace("{dir}", str(tmp_path)).split(" ")]
        with anyio.fail_after(60):
            done = await anyio.run_process(argv, env=environment, check=False)
        said = (done.stdout + done.stderr).decode()
        if command.says not in said or done.returncode != command.code:
            wrong.append(f"kubectl {command.line}\n  code {done.returncode}, said: {said[:600]}")
    assert not wrong, "\n".join(wrong)
