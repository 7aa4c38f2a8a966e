"""The agent's pod works off a workflow's http and plugin tasks under one service account, as process of our own.

It reads its task set and the secrets that headers name with that account's token; no other container gets the token.
Where plugins are asked for, each is a container beside it. (AGENT-3, AGENT-4, AGENT-6)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.contract import paths
from actors.contract.documents import Instructions
from actors.names import buckets, labels
from actors.node.manifest_containers import executor_container, mount
from actors.node.manifest_metadata import owner_reference
from actors.node.manifest_plugins import plugin_containers, plugin_volumes, plugins_told, token_init
from actors.node.manifest_request import PodRequest
from actors.node.manifest_spec import patched, pod_fields, pod_volumes
from runtime.messages import Address
from runtime.objects import Object

RESOURCES = {"requests": {"cpu": "10m", "memory": "64M"}, "limits": {"cpu": "100m", "memory": "256M"}}
UNPRIVILEGED_USER = {"runAsNonRoot": True, "runAsUser": 8737, "seccompProfile": {"type": "RuntimeDefault"}}
"""Whose processes they are where the workflow does not say it: plugins may rely upon it when they ask for nobody's."""
AGENT = "agent"  # value of the component label
OF_NODES = ("activeDeadlineSeconds", "resources", "resourceClaims", "hostNetwork")
"""What a workflow says of its nodes' pods, and upstream's agent takes nothing of: its size is its own."""


def agent_pod(
    request: PodRequest, workflow: Address, account: str, plugins: Sequence[Mapping[str, Any]] = ()
) -> Object:
    """The pod: `request` has the workflow's spec, `account` is empty for the workflow's own service account."""
    own = str(request.spec.get("serviceAccountName") or "")
    request = replace(request, template={"serviceAccountName": account or own, "resource": {}})
    built = _main(request, account or own, own, plugins)
    spec: dict[str, Any] = {"containers": [built, *plugin_containers(plugins)]}
    if plugins:
        spec["initContainers"] = [{"resources": RESOURCES, **token_init(request, plugins)}]
        mount(built, paths.PLUGIN_VOLUME, paths.PLUGIN_MOUNT, read_only=True)
    spec |= {"securityContext": UNPRIVILEGED_USER} | pod_fields(request)
    spec = {field: value for field, value in spec.items() if field not in OF_NODES} | {"restartPolicy": "OnFailure"}
    spec["volumes"] = [*pod_volumes(request, spec, {}), *plugin_volumes(plugins)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(request, workflow),
        "spec": patched(request, spec),
    }


def _main(request: PodRequest, account: str, own: str, plugins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    told: Instructions = {"container": paths.MAIN}
    told["agent"] = {
        "taskSet": request.workflow_name,
        "namespace": request.namespace,
        "workflow": request.workflow_uid,
        "account": account,
        "own": own,
        "plugins": plugins_told(plugins),
    }
    built = executor_container(request, paths.MAIN, ["agent"], told)
    built.setdefault("resources", RESOURCES)
    mount(built, paths.TOKEN_VOLUME, paths.TOKEN_MOUNT, read_only=True)
    return built


def _metadata(request: PodRequest, workflow: Address) -> dict[str, Any]:
    own = {labels.WORKFLOW: request.workflow_name, labels.COMPLETED: "false", labels.COMPONENT: AGENT}
    if request.settings.instance_id:
        own[labels.CONTROLLER_INSTANCE_ID] = request.settings.instance_id
    if request.settings.sharded:
        own |= buckets.mark(request.namespace)
    given: Mapping[str, Any] = request.spec.get("podMetadata") or {}
    return {
        "name": request.pod_name,
        "namespace": request.namespace,
        "labels": {**{key: str(value) for key, value in (given.get("labels") or {}).items()}, **own},
        "annotations": {
            **{key: str(value) for key, value in (given.get("annotations") or {}).items()},
            labels.NODE_ID: request.node_id,
            labels.DEFAULT_CONTAINER: paths.MAIN,
        },
        "ownerReferences": [owner_reference(workflow.name, workflow.uid)],
    }
