"""How the tests ask for a pod and look into it."""

from __future__ import annotations

from typing import Any

from actors.contract.instructions import from_env
from actors.node.manifest import PodRequest, PodSettings, pod_for

REPOSITORY = {"s3": {"endpoint": "file:///repo/here", "bucket": "b"}}
SETTINGS = PodSettings(
    repository_root="/repo", image_entrypoints={"known": (["/entry"], ["cmd"]), "cmd-only": ([], ["run", "x"])}
)


def request(template: dict[str, Any], spec: dict[str, Any] | None = None, **more: Any) -> PodRequest:
    return PodRequest(
        **{
            "workflow_name": "wf",
            "namespace": "ns",
            "workflow_uid": "uid-1",
            "spec": spec or {},
            "template": {"name": "t", **template},
            "node_id": "wf-123",
            "node_name": "wf[0].step",
            "pod_name": "wf-t-123",
            "settings": SETTINGS,
            **more,
        }
    )


def build(template: dict[str, Any], spec: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return pod_for(request(template, spec, **more))


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    every = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    return next(entry for entry in every if entry["name"] == name)


def names(pod: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [c["name"] for c in pod["spec"].get("initContainers", ())], [c["name"] for c in pod["spec"]["containers"]]


def env(entry: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in entry["env"]}


def told(pod: dict[str, Any], name: str) -> Any:
    return from_env({k: v for k, v in env(container(pod, name)).items() if isinstance(v, str)})


HELLO = {"container": {"image": "busybox", "command": ["echo"], "args": ["hello"]}}
PARAMETER = {"outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p", "default": 3}}]}}
ARTIFACT = {"outputs": {"artifacts": [{"name": "a", "path": "/tmp/a"}]}}
