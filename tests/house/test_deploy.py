"""What is deployed is what the package has: manifests are accepted, the role covers what the controller watches."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import crds
from runtime.objects import Resource
from tiphys.controllers import rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

BASE = Path(__file__).resolve().parents[2] / "deploy" / "base"


def manifests() -> list[dict[str, Any]]:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    own = [name for name in listed if not name.startswith("..")]
    definitions = {f"../../crds/manifests/{thing['spec']['names']['plural']}.yaml": thing for thing in crds.manifests()}
    return [
        *(thing for name in own for thing in yaml.safe_load_all((BASE / name).read_text())),
        *(definitions[name] for name in listed if name not in own),
    ]


async def test_an_api_server_accepts_every_manifest() -> None:
    server = ApiServer()
    server.start()
    api = InProcessApi(server)
    for thing in manifests():
        resource: Resource = next(kind.resource for kind in server.catalog if kind.resource.kind == thing["kind"])
        if resource.namespaced:
            thing["metadata"]["namespace"] = "tiphys"
        await api.create(resource, thing)


def test_the_role_covers_everything_that_is_watched() -> None:
    role = next(thing for thing in manifests() if thing["kind"] == "ClusterRole")
    allowed = {
        (group, plural)
        for rule in role["rules"]
        if {"list", "watch"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for plural in rule["resources"]
    }
    watched = {(watch.resource.group, watch.resource.plural) for room in rooms() for watch in room.watches}

    assert watched <= allowed


def test_the_controller_may_not_read_secrets() -> None:
    role = next(thing for thing in manifests() if thing["kind"] == "ClusterRole")

    assert not any("secrets" in rule["resources"] or "*" in rule["resources"] for rule in role["rules"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
def test_kustomize_builds_the_base(tmp_path: Path) -> None:
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(BASE)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)

    assert built.returncode == 0, built.stderr
    assert built.stdout.count("kind: CustomResourceDefinition") == 9
