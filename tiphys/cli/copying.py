"""What a workflow has made is copied to a folder: straight from where its artifacts are kept. (CLI-14.)

Upstream asks its server for them; here the command reads what the workflow's status says of each artifact and the
secrets that its store needs, and loads it with the same drivers that pods use.
"""

from __future__ import annotations

import os
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread

from actors.contract.paths import mount_env
from actors.contract.repository import KEYED, driver_of, host_directory, located
from actors.contract.secrets import secret_keys, secret_volume
from runtime.api import Gone
from runtime.objects import SECRETS, Object, Reference
from tiphys.cli import nodes as status
from tiphys.cli.connect import Connection
from tiphys.cli.problems import InputError
from tiphys.executor import artifacts

PATTERN = "{namespace}/{workflowName}/{nodeId}/outputs/{artifactName}"


class Wanted(NamedTuple):
    """Which artifacts are meant; empty: all."""

    node_id: str = ""
    template: str = ""
    artifact: str = ""


class Found(NamedTuple):
    """An artifact that a node has made, and where it is kept."""

    node: Mapping[str, Any]
    name: str
    location: dict[str, Any]


def found(workflow: Object, wanted: Wanted) -> Iterator[Found]:
    """The artifacts that are wanted, node by node; those that were deleted are left out."""
    recorded = (status.status_of(workflow).get("artifactRepositoryRef") or {}).get("artifactRepository")
    for node in status.nodes_of(workflow).values():
        if wanted.node_id not in ("", node.get("id")) or wanted.template not in ("", _template(node)):
            continue
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            name = str(artifact.get("name") or "")
            location = located(artifact, recorded)
            if wanted.artifact in ("", name) and location and not artifact.get("deleted"):
                yield Found(node, name, location)


async def copy(at: Connection, workflow: Object, folder: Path, wanted: Wanted, pattern: str = PATTERN) -> int:
    """Copy what is wanted below `folder`, each under the path that `pattern` gives; says what it made.

    Raises InputError for an artifact that cannot be had."""
    for one in found(workflow, wanted):
        target = folder / _filled(pattern, workflow, one)
        name = _file_name(one.location)
        if not _inside(folder, target / name):
            raise InputError(f"artifact {one.name!r} of node {one.node.get('id')} would be put outside of {folder}")
        try:
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as secrets:
                await _fetch_secrets(at, one.location, Path(secrets))
                await anyio.to_thread.run_sync(_load, one.location, target / name, Path(secrets))
        except (artifacts.NotFound, artifacts.StoreError, OSError) as e:
            raise InputError(f"artifact {one.name!r} of node {one.node.get('id')}: {e}") from e
        print(f'Created "{name}"')
    return 0


def _inside(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _load(location: dict[str, Any], target: Path, secrets: Path) -> None:
    root = host_directory(location)
    with _told_of(secrets):
        artifacts.load(location, target, root=root, mount=root)


@contextmanager
def _told_of(secrets: Path) -> Iterator[None]:
    """Drivers look for each secret where a variable of the environment says."""
    names = {mount_env(secret_volume(folder.name)): str(folder) for folder in secrets.iterdir()}
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


async def _fetch_secrets(at: Connection, location: Mapping[str, Any], folder: Path) -> None:
    for name in sorted({key.name for key in secret_keys(location)}):
        try:
            thing = await at.api.get(Reference(SECRETS, at.namespace, name))
        except Gone:
            continue  # an optional one; who needs it says so by its name
        (folder / name).mkdir(mode=0o700)
        for key, value in (thing.get("data") or {}).items():
            (folder / name / key).write_bytes(b64decode(value))


def _template(node: Mapping[str, Any]) -> str:
    return str(node.get("templateName") or (node.get("templateRef") or {}).get("template") or "")


def _file_name(location: Mapping[str, Any]) -> str:
    driver = driver_of(location)
    key = str((location[driver] or {}).get(KEYED.get(driver, "key")) or "")
    return key.rstrip("/").rpartition("/")[2] or "artifact"


def _filled(pattern: str, workflow: Object, one: Found) -> str:
    values = {
        "templateName": _template(one.node), "namespace": workflow["metadata"].get("namespace", ""),
        "workflowName": workflow["metadata"]["name"], "nodeId": str(one.node.get("id") or ""), "artifactName": one.name,
    }  # fmt: skip
    for name, value in values.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern.lstrip("/")
