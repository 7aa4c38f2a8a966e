"""An executor plugin that repeats all that it is shown: its token and its arguments' passwords are on no record."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from actors.workflow.state import WORKFLOWS
from runtime.objects import SECRETS, Object, reference
from runtime.recording import plain
from tests.executor.test_canary_cluster import IN_ENV, IN_URL, SECRET, ended, everything, places, without_the_users_own
from tests.machine import needs_namespaces
from tiphys.cli.explain import sentences
from tiphys.cli.session import SessionSettings, opened

pytestmark = needs_namespaces

PLUGIN = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

ANSWERS = {
    "repeats": lambda said, body: (200, json.dumps({"node": {"phase": "Failed", "message": said}})),
    "breaks": lambda said, body: (500, said + " " + body),
    "garbles": lambda said, body: (200, said),
    "misspeaks": lambda said, body: (200, json.dumps({"node": [said]})),
    "later": lambda said, body: (200, json.dumps({"node": {"phase": "Running"}, "requeue": said})),
    "returns": lambda said, body: (200, json.dumps({"node": {"phase": "Succeeded", "outputs": {"result": said}}})),
}

class Plugin(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        token = open("/var/run/argo/token").read()
        assert self.headers["Authorization"] == "Bearer " + token and os.environ["TOKEN"], "it was shown something"
        (name,) = json.loads(body)["template"]["plugin"]
        code, text = ANSWERS[name]("I was told " + token, body)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *words):
        pass

HTTPServer(("127.0.0.1", PORT), Plugin).serve_forever()
"""
KINDS = ("repeats", "breaks", "garbles", "misspeaks", "later", "returns")


def flow() -> Object:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "bird", "key": "text"}}},
        {"name": "PASSWORD", "value": IN_ENV},
    ]
    container = {
        "name": "talks", "image": "python:alpine", "command": ["python3", "-c", PLUGIN.replace("PORT", str(port))],
        "ports": [{"containerPort": port}], "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "100m"}},
        "env": env, "securityContext": {"allowPrivilegeEscalation": False},
    }  # fmt: skip
    anyhow = {"failed": True, "error": True}
    steps = [[{"name": kind, "template": kind, "continueOn": anyhow} for kind in KINDS]]
    given = {"url": f"http://u:{IN_URL}@h/"}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "birds", "namespace": "default"},
        "spec": {
            "entrypoint": "main",
            "serviceAccountName": "default",
            "executorPlugins": [{"metadata": {"name": "talks"}, "spec": {"sidecar": {"container": container}}}],
            "templates": [
                {"name": "main", "steps": steps},
                *({"name": kind, "plugin": {kind: given}} for kind in KINDS),
            ],
        },
    }  # fmt: skip


def no_secret(said: str) -> bool:
    return not any(bird in said for bird in (SECRET, IN_URL, IN_ENV))


async def test_nothing_that_a_plugin_was_shown_is_on_record(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async with opened(SessionSettings(mode="process", data=tmp_path)) as session:
        api = session.api
        meta = {"name": "bird", "namespace": "default"}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"text": SECRET}}
        await api.create(SECRETS, secret)
        done = await ended(api, reference(WORKFLOWS, await api.create(WORKFLOWS, flow())))
        objects, logs = await everything(api)
        explained = await sentences(api, "default", "birds", time.time())
    printed = "".join(capfd.readouterr())

    nodes = {node["displayName"]: node for node in done["status"]["nodes"].values()}
    said: dict[str, Any] = {name: nodes[name].get("message", "") for name in KINDS}
    assert said["repeats"] == "I was told …"
    assert said["breaks"].startswith("500 Internal Server Error: I was told … {"), said
    assert "http://…@h/" in said["breaks"]
    assert "plugin talks does not keep to the protocol" in said["misspeaks"]
    assert "I was told …" in said["later"]
    assert nodes["returns"]["outputs"]["result"] == "I was told …"
    assert places([without_the_users_own(thing) for thing in objects], IN_URL) == []
    assert no_secret(f"{logs} {explained} {printed} {json.dumps(said)}")
    assert no_secret(json.dumps(plain(objects)))
