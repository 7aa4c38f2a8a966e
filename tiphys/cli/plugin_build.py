"""An executor plugin's folder becomes the ConfigMap that installs it, and a page that says how. (CLI-22, AGENT-6.)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tiphys.cli.problems import InputError

TYPE_LABEL = "workflows.argoproj.io/configmap-type"
GENERATED = "This is an auto-generated file. DO NOT EDIT"


def build(folder: Path) -> list[Path]:
    """Write the ConfigMap and the page beside `plugin.yaml`; their paths. Raises InputError."""
    plugin = _plugin(folder)
    name = plugin["metadata"]["name"]
    manifest = folder / f"{name}-executor-plugin-configmap.yaml"
    page = folder / "README.md"
    try:
        manifest.write_text(f"# {GENERATED}\n{yaml.safe_dump(config_map(plugin))}", encoding="utf-8")
        page.write_text(_page(plugin), encoding="utf-8")
    except OSError as e:
        raise InputError(f"{folder} cannot be written to: {e.strerror or e}") from e
    return [manifest, page]


def config_map(plugin: dict[str, Any]) -> dict[str, Any]:
    """The ConfigMap of a plugin."""
    meta, sidecar = plugin["metadata"], plugin["spec"]["sidecar"]
    placed = {"namespace": meta["namespace"]} if meta.get("namespace") else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{meta['name']}-executor-plugin",
            **placed,
            "annotations": dict(meta.get("annotations") or {}),
            "labels": {TYPE_LABEL: plugin["kind"], **(meta.get("labels") or {})},
        },
        "data": {
            "sidecar.automountServiceAccountToken": str(bool(sidecar.get("automountServiceAccountToken"))).lower(),
            "sidecar.container": yaml.safe_dump(sidecar["container"], sort_keys=True),
        },
    }


def _plugin(folder: Path) -> dict[str, Any]:
    file = folder / "plugin.yaml"
    try:
        plugin = yaml.safe_load(file.read_text(encoding="utf-8"))
        servers = sorted(folder.glob("server.*"))
        code = servers[0].read_text(encoding="utf-8") if len(servers) == 1 else None
    except (OSError, yaml.YAMLError) as e:
        raise InputError(f"{file}: {e}") from e
    if len(servers) > 1:
        raise InputError(f"{folder} has more than one server.* file: {', '.join(path.name for path in servers)}")
    if not isinstance(plugin, dict) or plugin.get("kind") != "ExecutorPlugin":
        raise InputError(f"{file}: the kind must be ExecutorPlugin")
    container = ((plugin.get("spec") or {}).get("sidecar") or {}).get("container")
    if not (plugin.get("metadata") or {}).get("name") or not isinstance(container, dict):
        raise InputError(f"{file}: metadata.name and spec.sidecar.container are required")
    if code is not None:
        container["args"] = [code]
    for field in ("name", "ports", "resources", "securityContext"):
        if not container.get(field):
            raise InputError(f"{file}: spec.sidecar.container.{field} is required")
    return plugin


def _page(plugin: dict[str, Any]) -> str:
    meta = plugin["metadata"]
    told = meta.get("annotations") or {}
    image = plugin["spec"]["sidecar"]["container"].get("image", "")
    return f"""<!-- {GENERATED} -->
# {meta["name"]}

* Needs: {told.get("workflows.argoproj.io/version", "")}
* Image: {image}

{told.get("workflows.argoproj.io/description", "")}

Install:

    kubectl apply -f {meta["name"]}-executor-plugin-configmap.yaml

Uninstall:

    kubectl delete cm {meta["name"]}-executor-plugin
"""
