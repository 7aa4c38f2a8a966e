"""Executor plugins are containers of the agent's pod, each with a folder of its own that holds the token to ask with.

Their definitions are upstream's: `spec.executorPlugins` of the workflow, each with `metadata.name` and
`spec.sidecar`. (AGENT-5, AGENT-6)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.contract import paths
from actors.contract.documents import Instructions, PluginPlace
from actors.node.manifest_containers import executor_container, mount
from actors.node.manifest_request import BadTemplate, PodRequest

TOKEN_SUFFIX = "-executor-plugin.service-account-token"  # noqa: S105  (a Secret's name)


def plugins_told(plugins: Sequence[Mapping[str, Any]]) -> list[PluginPlace]:
    """Where the agent finds each plugin. Raises BadTemplate for one that cannot be asked."""
    return [{"name": _name(plugin), "port": _port(plugin)} for plugin in plugins]


def plugin_containers(plugins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The plugins' own containers, each with its folder and, where it asks for one, its service account's token."""
    built = []
    for plugin in plugins:
        container = dict(_container(plugin))
        own: list[dict[str, Any]] = [
            {"name": paths.PLUGIN_VOLUME, "mountPath": paths.PLUGIN_MOUNT, "subPath": _name(plugin), "readOnly": True}
        ]
        if _sidecar(plugin).get("automountServiceAccountToken"):
            own.append({"name": _token_volume(plugin), "mountPath": paths.TOKEN_MOUNT, "readOnly": True})
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), *own]
        built.append(container)
    return built


def plugin_volumes(plugins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The volumes that these containers share or have for themselves."""
    if not plugins:
        return []
    volumes: list[dict[str, Any]] = [{"name": paths.PLUGIN_VOLUME, "emptyDir": {}}]
    volumes += [
        {"name": _token_volume(plugin), "secret": {"secretName": f"{_name(plugin)}{TOKEN_SUFFIX}"}}
        for plugin in plugins
        if _sidecar(plugin).get("automountServiceAccountToken")
    ]
    return volumes


def token_init(request: PodRequest, plugins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The init container that gives every plugin a token of its own."""
    told: Instructions = {"container": paths.INIT}
    told["agent"] = {
        "taskSet": request.workflow_name,
        "namespace": request.namespace,
        "workflow": request.workflow_uid,
        "account": "",
        "own": "",
        "plugins": plugins_told(plugins),
    }
    built = executor_container(request, paths.INIT, ["agent", "init"], told)
    mount(built, paths.PLUGIN_VOLUME, paths.PLUGIN_MOUNT)
    return built


def _name(plugin: Mapping[str, Any]) -> str:
    name = str((plugin.get("metadata") or {}).get("name") or "")
    if not name:
        raise BadTemplate("executorPlugins: a plugin has no metadata.name")
    return name


def _sidecar(plugin: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (plugin.get("spec") or {}).get("sidecar") or {}
    return found


def _container(plugin: Mapping[str, Any]) -> Mapping[str, Any]:
    container: Mapping[str, Any] = _sidecar(plugin).get("container") or {}
    for field in ("name", "image", "ports"):
        if not container.get(field):
            raise BadTemplate(f"executor plugin {_name(plugin)!r}: sidecar.container.{field} is not set")
    return container


def _port(plugin: Mapping[str, Any]) -> int:
    ports = _container(plugin)["ports"]
    return int(ports[0].get("containerPort") or 0)


def _token_volume(plugin: Mapping[str, Any]) -> str:
    return f"account-{_name(plugin)}"[:63].rstrip("-.")
