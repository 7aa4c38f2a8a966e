"""A Workflow on a real engine, through the command line: images without Python, outputs, artifacts, entrypoints."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
import pytest

from tests.node.engine.conftest import Engine
from tiphys.devcluster.node.engine.session import SESSION

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers see this machine on Linux only")


def workflow(engine: Engine) -> dict[str, Any]:
    image = {"image": engine.image, "imagePullPolicy": "Never"}
    make = {
        "name": "make",
        "container": {
            **image,
            "command": ["sh", "-c"],
            "args": ["mkdir /tmp/d; echo kept > /tmp/d/f; echo p > /tmp/p"],
        },
        "outputs": {
            "parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}],
            "artifacts": [{"name": "a", "path": "/tmp/d"}],
        },
    }
    take = {
        "name": "take",
        "inputs": {"parameters": [{"name": "p"}], "artifacts": [{"name": "a", "path": "/in"}]},
        "script": {**image, "command": ["sh"], "source": "echo {{inputs.parameters.p}} $(cat /in/f)"},
    }
    start = {"name": "start", "container": {"image": engine.entrypoint_image, "imagePullPolicy": "Never"}}
    given = {
        "parameters": [{"name": "p", "value": "{{tasks.make.outputs.parameters.p}}"}],
        "artifacts": [{"name": "a", "from": "{{tasks.make.outputs.artifacts.a}}"}],
    }
    tasks = [
        {"name": "make", "template": "make"},
        {"name": "take", "template": "take", "depends": "make", "arguments": given},
        {"name": "start", "template": "start"},
    ]
    outputs = [
        {"name": name, "valueFrom": {"parameter": f"{{{{tasks.{name}.outputs.result}}}}"}} for name in ("take", "start")
    ]
    main = {"name": "main", "dag": {"tasks": tasks}, "outputs": {"parameters": outputs}}
    spec = {"entrypoint": "main", "templates": [main, make, take, start]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "real"}, "spec": spec}


async def test_a_workflow_runs_in_real_images_and_leaves_nothing_at_the_engine(engine: Engine, tmp_path: Path) -> None:
    file = anyio.Path(tmp_path / "workflow.json")
    await file.write_text(json.dumps(workflow(engine)))
    words = [sys.executable, "-m", "tiphys.cli", "run", "--runtime", "docker", "-o", "json", str(file)]
    around = {**os.environ, "DOCKER_HOST": f"unix://{engine.api.socket}"}
    done = await anyio.run_process(words, env=around, check=False, stderr=PIPE)
    assert done.returncode == 0, done.stderr.decode()
    ended = json.loads(done.stdout)
    nodes = ended["status"]["nodes"].values()
    told = next(node["outputs"]["parameters"] for node in nodes if node["displayName"] == "real")
    assert {one["name"]: one["value"] for one in told} == {"take": "p kept", "start": "from the image"}
    assert [c["Names"] for c in await engine.api.labelled(SESSION)] == []


async def test_a_machine_without_an_engine_says_so_in_one_sentence(tmp_path: Path) -> None:
    file = anyio.Path(tmp_path / "workflow.yaml")
    template = "{name: m, container: {image: x, command: [true]}}"
    await file.write_text(
        "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: w}, "
        f"spec: {{entrypoint: m, templates: [{template}]}}}}"
    )
    around = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    words = [sys.executable, "-m", "tiphys.cli", "run", "--runtime", "docker", str(file)]
    done = await anyio.run_process(words, env=around, check=False)
    assert done.returncode == 2
    assert len(done.stderr.decode().splitlines()) == 1
    assert "no Docker or Podman engine answers here" in done.stderr.decode()
    assert "nobody.sock: No such file or directory" in done.stderr.decode()
