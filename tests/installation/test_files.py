"""What is in `deploy/` is what the package says, and the tools that people use it with accept it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installation.judge import bound
from tiphys.installation.choice import CONTROLLER, NAME
from tiphys.installation.files import FOLDER, stale, write
from tiphys.installation.workload import NOBODY

HELM = os.environ.get("TIPHYS_HELM") or shutil.which("helm")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not on this machine (TIPHYS_HELM says where else)")


def test_everything_in_deploy_is_as_the_package_has_it() -> None:
    assert stale() == [], "run python -m tiphys.installation"


def test_what_somebody_edited_is_found_and_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "deploy"
    for name in ("crds", "docs"):
        (tmp_path / name).mkdir()
    write(folder)
    changed = folder / "base" / "controller.yaml"
    changed.write_text("kind: Other\n")
    (folder / "overlays" / "cluster" / "extra.yaml").write_text("")

    assert stale(folder) == ["base/controller.yaml", "overlays/cluster/extra.yaml"]
    write(folder)
    assert stale(folder) == []


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without the definitions: kustomize takes ten seconds for them."""
    folder = tmp_path_factory.mktemp("deploy")
    for part in ("base", "overlays", "components"):
        shutil.copytree(FOLDER / part, folder / part)
    path = folder / "overlays" / "cluster" / "kustomization.yaml"
    path.write_text(path.read_text().replace("../../../crds, ", ""))
    return folder


@lru_cache
def kustomized(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return read(done.stdout)


def read(text: str) -> list[dict[str, Any]]:
    """The documents; of a definition, which is long, only its kind and name."""
    things: list[dict[str, Any]] = []
    for document in re.split(r"^---$", text, flags=re.MULTILINE):
        if "\nkind: CustomResourceDefinition\n" in document:
            name = re.search(r"^  name: (.*)$", document, flags=re.MULTILINE)
            assert name is not None
            things.append({"kind": "CustomResourceDefinition", "metadata": {"name": name[1]}})
        elif found := yaml.load(document, yaml.CSafeLoader):
            things.append(found)
    return things


def kinds(things: list[dict[str, Any]]) -> list[str]:
    return [thing["kind"] for thing in things]


def deployment(things: list[dict[str, Any]]) -> dict[str, Any]:
    return next(thing for thing in things if thing["kind"] == "Deployment")


@needs_kubectl
def test_an_overlay_has_what_it_is_named_after_and_a_disruption_budget_is_in_ha_alone(deploy: Path) -> None:
    cluster, one, ready = (kustomized(deploy / "overlays" / name) for name in ("cluster", "namespaced", "ha"))

    assert "ClusterRoleBinding" in kinds(cluster)
    assert not {"ClusterRole", "ClusterRoleBinding"} & set(kinds(one))
    assert "PodDisruptionBudget" in kinds(ready)
    assert "PodDisruptionBudget" not in [*kinds(cluster), *kinds(one)]
    container = deployment(one)["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["controller", "--namespaced"]
    assert [deployment(things)["spec"]["replicas"] for things in (cluster, ready)] == [1, 2]


@needs_kubectl
def test_with_shards_all_replicas_work_and_may_see_who_is_there(deploy: Path) -> None:
    things = kustomized(deploy / "overlays" / "shards")

    spec = deployment(things)["spec"]
    assert spec["replicas"] == 2
    assert spec["template"]["spec"]["containers"][0]["args"] == ["controller", "--shards=8"]
    (own,) = [one for one in things if one["kind"] == "Role" and one["metadata"]["name"] == "tiphys-own"]
    assert ["list", "delete"] in [rule["verbs"] for rule in own["rules"]]


def test_the_cluster_overlay_has_all_definitions() -> None:
    listed = yaml.safe_load((FOLDER / "overlays" / "cluster" / "kustomization.yaml").read_text())["resources"]
    definitions = yaml.safe_load((FOLDER.parent / "crds" / "kustomization.yaml").read_text())["resources"]

    assert "../../../crds" in listed
    assert len(definitions) == 13
    assert all((FOLDER.parent / "crds" / name).is_file() for name in definitions)


@needs_kubectl
def test_another_image_is_also_that_of_the_helpers(deploy: Path, tmp_path: Path) -> None:
    shutil.copytree(deploy, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "overlays" / "namespaced" / "kustomization.yaml"
    path.write_text(path.read_text() + "images: [{name: tiphys, newName: registry.example/tiphys, newTag: '2'}]\n")

    container = deployment(kustomized(path.parent))["spec"]["template"]["spec"]["containers"][0]

    assert container["image"] == "registry.example/tiphys:2"
    assert {"name": "TIPHYS_EXECUTOR_IMAGE", "value": "registry.example/tiphys:2"} in container["env"]


@needs_kubectl
def test_components_may_be_added(deploy: Path, tmp_path: Path) -> None:
    shutil.copytree(deploy, tmp_path, dirs_exist_ok=True)
    names = ", ".join(f"components/{name}" for name in ("monitoring", "network-policy", "event-server"))
    parts = f"resources: [overlays/namespaced]\ncomponents: [{names}]\n"
    (tmp_path / "kustomization.yaml").write_text(parts)

    things = kustomized(tmp_path)
    assert {"ServiceMonitor", "PrometheusRule", "NetworkPolicy"} <= set(kinds(things))
    assert "tiphys-server" in {thing["metadata"]["name"] for thing in things if thing["kind"] == "Deployment"}


def templated(*values: str) -> list[dict[str, Any]]:
    options = [part for value in values for part in ("--set", value)]
    version = ["--kube-version", "1.30.0"]  # a helm that was built from source takes it for 1.20
    command = [str(HELM), "template", "t", str(FOLDER / "chart"), "--namespace", "ops", *version, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return read(done.stdout)


@needs_helm
@needs_kubectl
def test_the_chart_is_the_same_installation(deploy: Path) -> None:
    linted = subprocess.run([str(HELM), "lint", str(FOLDER / "chart")], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    mine, theirs = templated(), kustomized(deploy / "overlays" / "cluster")
    known = {(thing["kind"], thing["metadata"]["name"]): thing for thing in theirs}

    for thing in mine:
        other = known[thing["kind"], thing["metadata"]["name"]]
        for field in ("rules", "roleRef", "spec"):
            if field != "spec" or thing["kind"] != "Deployment":
                assert thing.get(field) == other.get(field), thing["metadata"]["name"]
    pods = [deployment(things)["spec"]["template"]["spec"] for things in (mine, theirs)]
    assert pods[0]["containers"][0].pop("imagePullPolicy") == "IfNotPresent"
    assert pods[0] == pods[1]


@needs_helm
def test_the_charts_values_say_whose_objects_are_looked_after() -> None:
    things = templated("scope=managed", "managedNamespace=team", "executorPlugins=true", "replicas=2", "instanceID=a")
    rules = bound(things, ("ops", NAME))

    assert {namespace for namespace, _ in rules} == {"ops", "team"}
    assert any(ns == "team" and rule["resources"] == ["configmaps"] and "watch" in rule["verbs"] for ns, rule in rules)
    rollouts = bound(templated("only=rollouts"), ("ops", NAME))
    assert not any("workflows" in rule["resources"] for _, rule in rollouts)
    assert "ClusterRole" not in kinds(things)
    assert "PodDisruptionBudget" in kinds(things)
    assert deployment(things)["spec"]["template"]["spec"]["containers"][0]["args"] == [
        "controller", "--namespaced", "--managed-namespace=team", "--instance-id=a", "--executor-plugins"
    ]  # fmt: skip


@needs_helm
@pytest.mark.parametrize("value", ["scop=cluster", "scope=managed", "replicas=0", "scope=everything"])
def test_the_chart_refuses_what_is_misspelled_or_missing(value: str) -> None:
    command = [str(HELM), "template", "t", str(FOLDER / "chart"), "--set", value]

    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode != 0


@needs_helm
def test_the_chart_takes_options() -> None:
    things = templated(
        "monitoring=true",
        "dashboards=true",
        "networkPolicy=true",
        "configuration.parallelism=5",
        "extraArgs={--record=9}",
        "extraEnv[0].name=OTEL_TRACES_EXPORTER",
        "extraEnv[0].value=console",
    )
    found = {(thing["kind"], thing["metadata"]["name"]): thing for thing in things}

    assert {("ServiceMonitor", CONTROLLER), ("PrometheusRule", CONTROLLER), ("NetworkPolicy", CONTROLLER)} <= set(found)
    assert yaml.safe_load(found["ConfigMap", "workflow-controller-configmap"]["data"]["config"]) == {"parallelism": 5}
    assert len(found["ConfigMap", "tiphys-dashboards"]["data"]) == 3
    env = deployment(things)["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "OTEL_TRACES_EXPORTER", "value": "console"} in env
    assert "--record=9" in deployment(things)["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_image_is_made_of_what_is_here_and_runs_as_nobody() -> None:
    lines = [line for line in (FOLDER / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    copied = [word for words in copies for word in words]
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())

    assert all((FOLDER.parent / name).exists() for name in copied)
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied)
    assert f"USER {NOBODY}:{NOBODY}" in lines
    assert 'ENTRYPOINT ["tiphys"]' in lines
    (extra,) = re.findall(r"'/src\[(\w+)\]'", "\n".join(lines))
    assert extra in project["project"]["optional-dependencies"]
