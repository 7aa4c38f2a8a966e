"""Manifests of earlier releases, limits of semaphores, tokens, and plugins that are built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.api import Gone
from runtime.objects import CONFIGMAPS, Reference
from tests.cli.test_rerun import cluster
from tiphys.cli import limits, main
from tiphys.cli.conversion import converted
from tiphys.cli.limits import Place
from tiphys.cli.problems import InputError

LEGACY = """
# kept as it is
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: legacy}
spec:
  entrypoint: main
  synchronization:
    semaphore: {configMapKeyRef: {name: c, key: k}}
    mutex: {name: m}
    mutexes: [{name: first}]
  templates:
  - name: main
    synchronization: {mutex: {name: t}}
    steps: [[{name: a, inline: {synchronization: {mutex: {name: i}}, container: {image: x}}}]]
---
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: cron}
spec:
  schedule: "* * * * *"
  schedules: ["0 0 * * *"]
  workflowSpec: {entrypoint: main, synchronization: {mutex: {name: m}}}
---
apiVersion: v1
kind: Secret
metadata: {name: untouched}
spec: {schedule: x}
"""


@pytest.mark.spec("CLI-15")
def test_single_fields_become_lists_and_the_rest_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(LEGACY)
    assert main(["convert", str(file)]) == 0
    workflow, cron, secret = yaml.safe_load_all(capsys.readouterr().out)

    spec = workflow["spec"]
    assert spec["synchronization"] == {
        "mutexes": [{"name": "first"}, {"name": "m"}],
        "semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}],
    }
    assert spec["templates"][0]["synchronization"] == {"mutexes": [{"name": "t"}]}
    assert spec["templates"][0]["steps"][0][0]["inline"]["synchronization"] == {"mutexes": [{"name": "i"}]}
    assert cron["spec"]["schedules"] == ["* * * * *"], "the single one outranked the list"
    assert "schedule" not in cron["spec"]
    assert cron["spec"]["workflowSpec"]["synchronization"] == {"mutexes": [{"name": "m"}]}
    assert secret["spec"] == {"schedule": "x"}
    assert main(["convert", str(file), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n}\n")[0] + "}") == workflow


@pytest.mark.spec("CLI-15")
@pytest.mark.parametrize("thing", [None, [], {"kind": "Workflow"}, {"kind": "Workflow", "spec": {"templates": [1]}}])
def test_what_is_no_manifest_is_left_alone(thing: Any) -> None:
    assert converted(thing) == thing


@pytest.mark.spec("CLI-15")
def test_what_is_converted_already_stays_so() -> None:
    for thing in yaml.safe_load_all(LEGACY):
        once = converted(thing)
        assert converted(once) == once


@pytest.mark.spec("CLI-20")
async def test_a_limit_is_made_changed_shown_and_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    place = Place("limits", "workers")
    shown = "Key: workers\nType: configmap\nConfigMap Name: limits\nNamespace: default\nLimit: {}\n"
    async with cluster() as at:
        await limits.create(at, place, 3)
        assert capsys.readouterr().out == "Sync limit created\n" + shown.format(3)
        with pytest.raises(InputError, match="is there already"):
            await limits.create(at, place, 4)
        await limits.create(at, Place("limits", "others"), 1)
        capsys.readouterr()
        await limits.update(at, place, 5)
        assert capsys.readouterr().out == "Sync limit updated\n" + shown.format(5)
        await limits.get(at, place)
        assert capsys.readouterr().out == shown.format(5)
        await limits.delete(at, place)
        with pytest.raises(InputError, match="there is no sync limit 'workers'"):
            await limits.get(at, place)
        assert (await at.api.get(Reference(CONFIGMAPS, "default", "limits")))["data"] == {"others": "1"}
        with pytest.raises(Gone):
            await limits.update(at, Place("nowhere", "workers"), 1)
        assert await limits.delete(at, Place("nowhere", "workers")) == 0


@pytest.mark.spec("CLI-20")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get", "k", "--type", "configmap"], "--cm-name is required when type is configmap"),
        (["get", "k", "--type", "x"], "--type must be either 'database' or 'configmap'"),
    ],
)
def test_where_a_limit_is_must_be_said(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", *arguments]) == 2
    assert said in capsys.readouterr().err


PLUGIN = """
apiVersion: argoproj.io/v1alpha1
kind: ExecutorPlugin
metadata: {name: hello, labels: {of: me}, annotations: {workflows.argoproj.io/version: ">= v3.3"}}
spec:
  sidecar:
    automountServiceAccountToken: true
    container:
      name: hello-executor-plugin
      image: python:alpine
      command: [python, -u, -c]
      ports: [{containerPort: 4355}]
      securityContext: {runAsNonRoot: true}
      resources: {requests: {cpu: 1m}}
"""


@pytest.mark.spec("CLI-22")
def test_a_plugins_folder_becomes_its_config_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plugin.yaml").write_text(PLUGIN)
    (tmp_path / "server.py").write_text("print('hello')")
    assert main(["executor-plugin", "build", str(tmp_path)]) == 0
    made = tmp_path / "hello-executor-plugin-configmap.yaml"
    assert capsys.readouterr().out.splitlines() == [f"{made} created", f"{tmp_path / 'README.md'} created"]
    thing = yaml.safe_load(made.read_text())
    assert thing["metadata"]["name"] == "hello-executor-plugin"
    assert thing["metadata"]["labels"] == {"workflows.argoproj.io/configmap-type": "ExecutorPlugin", "of": "me"}
    assert thing["data"]["sidecar.automountServiceAccountToken"] == "true"
    assert yaml.safe_load(thing["data"]["sidecar.container"])["args"] == ["print('hello')"]
    (tmp_path / "server.sh").write_text("")
    assert main(["executor-plugin", "build", str(tmp_path)]) == 2
    assert "more than one server.* file: server.py, server.sh" in capsys.readouterr().err


@pytest.mark.spec("CLI-22")
def test_the_token_of_the_kubeconfig_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user: dict[str, str] = {"token": "secret"}
    for expected in (0, 2):
        file = tmp_path / "k"
        config = {
            "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": user}], "clusters": [{"name": "c", "cluster": {"server": "http://h:1"}}],
        }  # fmt: skip
        file.write_text(json.dumps(config))
        assert main(["auth", "token", "--kubeconfig", str(file)]) == expected
        user = {}
    printed = capsys.readouterr()
    assert printed.out == "Bearer secret\n"
    assert "the kubeconfig has no token" in printed.err
