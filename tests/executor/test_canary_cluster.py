"""A whole workflow whose every template fails with a secret in its hands: nothing that Tiphys writes has it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import yaml

from actors.names import labels
from actors.node.release import INPUTS_ANNOTATION as INPUTS
from actors.node.task_set import TASK_SETS
from actors.workflow.state import WORKFLOWS
from runtime.api import Api, ApiError, LogOptions, Selection
from runtime.objects import CONFIGMAPS, EVENTS, PODS, SECRETS, Object, Reference, reference
from runtime.recording import plain
from tests.executor.echo import echo_server
from tiphys.cli.explain import sentences
from tiphys.cli.session import SessionSettings, opened

FAILING = (
    "loads", "fetches", "saves", "asks", "lists", "breaks", "scripts", "sets", "clones", "makes", "mounts"
)  # fmt: skip
SECRET, IN_URL, IN_ENV = "canary-secret-11", "canary-url-22", "canary-env-33"
FLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: birds, namespace: default}
spec:
  entrypoint: main
  archiveLogs: true
  templates:
  - name: main
    steps:
    - - {name: loads, template: loads, continueOn: {failed: true, error: true}}
      - {name: fetches, template: fetches, continueOn: {failed: true, error: true}}
      - {name: saves, template: saves, continueOn: {failed: true, error: true}}
      - {name: asks, template: asks, continueOn: {failed: true, error: true}}
      - {name: lists, template: lists, continueOn: {failed: true, error: true}}
      - {name: reads, template: reads, continueOn: {failed: true, error: true}}
      - {name: breaks, template: breaks, continueOn: {failed: true, error: true}}
      - {name: scripts, template: scripts, continueOn: {failed: true, error: true}}
      - {name: sets, template: sets, continueOn: {failed: true, error: true}}
      - {name: clones, template: clones, continueOn: {failed: true, error: true}}
      - {name: makes, template: makes, continueOn: {failed: true, error: true}}
      - {name: mounts, template: mounts, continueOn: {failed: true, error: true}}
  - name: loads
    inputs: {artifacts: [{name: a, path: /tmp/a, s3: *place}]}
    container: {image: busybox, command: [cat, /tmp/a]}
  - name: fetches
    inputs: {artifacts: [{name: a, path: /tmp/a, http: {url: "http://u:URL@ADDRESS/x"}}]}
    container: {image: busybox, command: [cat, /tmp/a]}
  - name: saves
    outputs: {artifacts: [{name: a, path: /tmp/made, s3: *place}]}
    container: {image: busybox, command: [sh, -c, "echo 1 > /tmp/made; sleep 0.1"], env: *env}
  - name: asks
    http:
      url: "http://ADDRESS/"
      headers: [{name: Authorization, valueFrom: {secretKeyRef: {name: bird, key: text}}}]
      successCondition: "int(request.headers['Authorization'][0]) > 1"
  - name: lists
    data: {source: {artifactPaths: {name: a, s3: *place}}, transformation: [{expression: data}]}
  - name: reads
    resource: {action: get, manifest: "{apiVersion: v1, kind: Secret, metadata: {name: bird}}"}
  - name: breaks
    container: {image: busybox, command: [no-such-command], env: *env}
  - name: scripts
    outputs: {parameters: [{name: p, valueFrom: {path: /tmp/never-made}}]}
    script: {image: busybox, command: [sh], source: "exit 3", env: *env}
  - name: sets
    containerSet:
      containers:
      - {name: first, image: busybox, command: [sh, -c, "exit 3"], env: *env}
      - {name: main, image: busybox, command: [no-such-command], env: *env, dependencies: [first]}
  - name: clones
    inputs: {artifacts: [{name: a, path: /tmp/a, git: {repo: "http://u:URL@ADDRESS/r.git"}}]}
    container: {image: busybox, command: [ls, /tmp/a]}
    sidecars: [{name: beside, image: busybox, command: [no-such-command], env: *env}]
  - name: makes
    resource:
      action: create
      manifest: "{apiVersion: v1, kind: Secret, metadata: {name: bird}, stringData: {text: taken}}"
  - name: mounts
    timeout: 5s
    volumes: [{name: v, secret: {secretName: bird, items: [{key: no-such-key, path: p}]}}]
    container: {image: busybox, command: [cat, /v/p], volumeMounts: [{name: v, mountPath: /v}]}
"""
PLACE = """place: &place
  {endpoint: ADDRESS, insecure: true, bucket: b, key: k, region: r,
   accessKeySecret: {name: bird, key: text}, secretKeySecret: {name: bird, key: text}}
env: &env
  - {name: PASSWORD, value: ENV}
  - {name: TOKEN, valueFrom: {secretKeyRef: {name: bird, key: text}}}
"""


def flow(address: str) -> Object:
    text = PLACE + "flow:\n" + "".join(f"  {line}\n" for line in FLOW.splitlines())
    text = text.replace("ADDRESS", address).replace("u:URL@", f"u:{IN_URL}@").replace("value: ENV", f"value: {IN_ENV}")
    thing: Object = yaml.safe_load(text)["flow"]
    return thing


def places(thing: Any, bird: str, path: str = "") -> list[str]:
    """Where in an object a text is."""
    if isinstance(thing, dict):
        return [found for key, value in thing.items() for found in places(value, bird, f"{path}.{key}")]
    if isinstance(thing, list):
        return [found for key, value in enumerate(thing) for found in places(value, bird, f"{path}[{key}]")]
    return [f"{path}: {thing[:400]}"] if isinstance(thing, str) and bird in thing else []


def without_the_users_own(thing: Object) -> Any:
    """The object without the text of the workflow's author: specs, and the inputs that are a part of them."""
    rest = json.loads(json.dumps({key: value for key, value in thing.items() if key != "spec"}))
    rest["metadata"].pop("managedFields", None)
    (rest["metadata"].get("annotations") or {}).pop(INPUTS, None)  # what a pod was made for travels with it
    status = rest.get("status") or {}
    for key in ("storedTemplates", "storedWorkflowTemplateSpec"):
        status.pop(key, None)
    for node in (status.get("nodes") or {}).values():
        node.pop("inputs", None)
    return rest


async def everything(api: Api) -> tuple[list[Object], str]:
    """All objects that Tiphys wrote or writes to, and all that its pods said."""
    kinds = (WORKFLOWS, PODS, EVENTS, CONFIGMAPS, TASK_SETS)
    found = [thing for kind in kinds for thing in (await api.list(kind, Selection("default"))).items]
    said = []
    for pod in (thing for thing in found if thing["kind"] == "Pod"):
        spec = pod["spec"]
        for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
            with suppress(ApiError):  # of a container that never began
                async with api.log(reference(PODS, pod), LogOptions(container=container["name"])) as pieces:
                    said.append(b"".join([piece async for piece in pieces]).decode())
    return found, "\n".join(said)


async def ended(api: Api, ref: Reference) -> Object:
    with anyio.fail_after(90):
        listed = await api.list(WORKFLOWS)
        thing, version = listed.items[0], listed.resource_version
        while not (thing.get("status") or {}).get("finishedAt"):
            async with api.watch(WORKFLOWS, resource_version=version) as events:
                async for event in events:
                    thing, version = event.object, event.object["metadata"]["resourceVersion"]
                    if (thing.get("status") or {}).get("finishedAt"):
                        break
        return thing


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("archive.db*"))


async def archived(api: Api) -> None:
    """Wait until the workflow is on record in the database too."""
    with anyio.fail_after(60):
        listed = await api.list(WORKFLOWS)
        thing, version = listed.items[0], listed.resource_version
        while thing["metadata"]["labels"].get(labels.ARCHIVING_STATUS) != "Archived":
            async with api.watch(WORKFLOWS, resource_version=version) as events:
                async for event in events:
                    thing, version = event.object, event.object["metadata"]["resourceVersion"]
                    break


async def test_nothing_that_is_written_has_a_secret(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Secrets are nowhere; what the author wrote into the workflow is where that text is, and nowhere else."""
    with echo_server() as address:
        async with opened(SessionSettings(mode="plain", data=tmp_path, archive=tmp_path / "archive.db")) as session:
            api = session.api
            meta = {"name": "bird", "namespace": "default"}
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"text": SECRET}}
            await api.create(SECRETS, secret)
            ref = reference(WORKFLOWS, await api.create(WORKFLOWS, flow(address)))
            done = await ended(api, ref)
            await archived(api)
            objects, logs = await everything(api)
            explained = await sentences(api, "default", "birds", time.time())
    printed = "".join(capfd.readouterr())
    rows = await anyio.to_thread.run_sync(on_disk, tmp_path)

    nodes = {node["displayName"]: node for node in done["status"]["nodes"].values()}
    phases = {name: nodes[name]["phase"] for name in FAILING}
    assert set(phases.values()) <= {"Failed", "Error"}, phases
    assert nodes["reads"]["phase"] == "Succeeded", nodes["reads"]["message"]
    assert b"birds" in rows
    for bird in (SECRET, "Y2FuYXJ5LXNlY3"):
        assert bird.encode() not in rows
        assert places(objects, bird) == []
        assert bird not in f"{logs} {explained} {printed}"
    for bird in (IN_URL, IN_ENV):
        assert places([without_the_users_own(thing) for thing in objects], bird) == []
        assert bird not in f"{logs} {explained} {printed}"
    recorded = json.dumps(plain(objects))
    assert not any(bird in recorded for bird in (SECRET, IN_URL, IN_ENV))
