"""Who works beside the templates may do no more than they may: plugins in the agent's pod, and who deletes artifacts.

Their pods are of an account that may do everything; what is in a container of the user's tries every token it finds.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import anyio
import pytest
import yaml

from actors.names import labels
from actors.workflow.state import WORKFLOWS
from runtime.api import Api
from runtime.objects import PODS, SECRETS, Object, reference, token_request
from tests.executor.test_canary_cluster import ended
from tests.executor.test_rights import Roles, furnish, roles
from tests.machine import needs_namespaces
from tiphys.cli.session import SessionSettings, opened

__all__ = ["roles"]  # a fixture
pytestmark = needs_namespaces

LARGE, SMALL = "system:serviceaccount:default:large", "system:serviceaccount:default:small"
STANDARD, PLUGINS = "/var/run/secrets/kubernetes.io/serviceaccount/token", "/var/run/argo/token"
NOBODY = [401, 401]
PATIENCE_S = 120.0

TRIES = """
import json, os, ssl, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

def asked(token, what):
    place = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    request = urllib.request.Request(f"{place}/api/v1/namespaces/default/{what}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context()) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code

def tried(**more):
    files = (file for file in Path("/var/run").rglob("token") if "/.." not in str(file))  # each version once
    found = {str(file): file.read_text().strip() for file in files}
    return {name: [asked(token, "secrets/bird"), asked(token, "configmaps/guarded")]
            for name, token in {"nothing": "", **found, **more}.items()}
"""
SERVES = """
class Plugin(BaseHTTPRequestHandler):
    def do_POST(self):
        mine = "NAME" in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["template"]["plugin"]
        shown = self.headers["Authorization"].removeprefix("Bearer ")
        told = {"node": {"phase": "Succeeded", "message": json.dumps(tried(shown=shown))}} if mine else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    def log_message(self, *words):
        pass

HTTPServer(("127.0.0.1", PORT), Plugin).serve_forever()
"""
SAYS = """
Path("/dev/termination-log").write_text(json.dumps(tried()))
"""


def program(last: str, **words: object) -> list[str]:
    for name, value in words.items():
        last = last.replace(name, str(value))
    return ["python3", "-c", TRIES + last]


def plugin(name: str, *, with_token: bool) -> Object:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    container = {
        "name": name, "image": "python:alpine", "command": program(SERVES, NAME=name, PORT=port),
        "ports": [{"containerPort": port}], "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "100m"}},
        "securityContext": {"allowPrivilegeEscalation": False},
    }  # fmt: skip
    sidecar = {"container": container, "automountServiceAccountToken": with_token}
    return {"metadata": {"name": name}, "spec": {"sidecar": sidecar}}


def flow(templates: str, **spec: Any) -> Object:
    thing: Object = yaml.safe_load(f"spec:\n  entrypoint: main\n  templates:\n{indent(templates, '  ')}")
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w", "namespace": "default"}}
    return {**head, "spec": {**thing["spec"], "serviceAccountName": "large", **spec}}


@asynccontextmanager
async def furnished(folder: Path) -> AsyncIterator[Api]:
    async with opened(SessionSettings(mode="process", data=folder)) as session:
        await furnish(session.api)
        yield session.api


@pytest.mark.spec("OPS-8", "AGENT-6")
async def test_a_plugin_may_what_its_own_account_may_and_nothing_that_the_agents_may(
    roles: Roles, tmp_path: Path
) -> None:
    templates = """
- {name: bare, plugin: {bare: {}}}
- {name: own, plugin: {own: {}}}
- name: main
  steps: [[{name: bare, template: bare}, {name: own, template: own}]]
"""
    plugins = [plugin("bare", with_token=False), plugin("own", with_token=True)]
    async with furnished(tmp_path) as api:
        place = {"name": "small", "namespace": "default"}
        request = {"apiVersion": "authentication.k8s.io/v1", "metadata": place, "spec": {}}
        answer = await api.create(token_request("small"), request)
        meta = {"name": "own-executor-plugin.service-account-token", "namespace": "default"}
        token = {"token": answer["status"]["token"]}
        await api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": token})
        ref = reference(WORKFLOWS, await api.create(WORKFLOWS, flow(templates, executorPlugins=plugins)))
        done = await ended(api, ref)

    nodes = {node["displayName"]: node for node in done["status"]["nodes"].values()}
    assert {nodes[name]["phase"] for name in ("bare", "own")} == {"Succeeded"}, nodes
    without = {"nothing": NOBODY, PLUGINS: NOBODY, "shown": NOBODY}
    assert json.loads(nodes["bare"]["message"]) == without
    assert json.loads(nodes["own"]["message"]) == {**without, STANDARD: [403, 200]}
    assert {what for user, _, what in roles.asked if user == LARGE} == {"workflowtasksets", "workflowtasksets/status"}
    assert {what for user, _, what in roles.asked if user == SMALL} == {"secrets", "configmaps"}


def has_collected(pod: Object) -> bool:
    over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return over and pod["metadata"]["labels"].get(labels.COMPONENT) == "artifact-gc"


async def collected(api: Api) -> Object:
    """The pod that deletes artifacts, once it has ended."""
    with anyio.fail_after(PATIENCE_S):
        version = (await api.list(PODS)).resource_version
        while True:
            async with api.watch(PODS, resource_version=version) as events:
                async for event in events:
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK" and has_collected(event.object):
                        return event.object


@pytest.mark.spec("OPS-8", "AGC-4")
async def test_who_deletes_artifacts_deletes_them_and_may_nothing_else(roles: Roles, tmp_path: Path) -> None:
    templates = """
- name: main
  container: {image: busybox, command: [sh, -c, "echo 1 > /tmp/made"]}
  outputs: {artifacts: [{name: made, path: /tmp/made, archive: {none: {}}, s3: {key: made}}]}
"""
    beside = {"name": "beside", "image": "python:alpine", "command": program(SAYS)}
    rule = {
        "strategy": "OnWorkflowDeletion", "serviceAccountName": "large",
        "podSpecPatch": json.dumps({"containers": [beside]}),
    }  # fmt: skip
    kept = tmp_path / "artifacts" / "artifacts" / "made"
    async with furnished(tmp_path) as api:
        ref = reference(WORKFLOWS, await api.create(WORKFLOWS, flow(templates, artifactGC=rule)))
        done = await ended(api, ref)
        assert done["status"]["phase"] == "Succeeded", done["status"]
        assert kept.exists()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.delete, ref)  # artifacts go first
            pod = await collected(api)

    states = {entry["name"]: entry["state"]["terminated"] for entry in pod["status"]["containerStatuses"]}
    assert pod["spec"]["serviceAccountName"] == "large"
    assert json.loads(states["beside"]["message"]) == {"nothing": NOBODY}
    assert states["main"]["exitCode"] == 0
    assert not kept.exists()
    assert roles.asked == set()
