"""A collector's pod deletes artifacts under the account that its workflow, or the artifact, names for that.

What it has to delete is in its instructions and the stores' credentials are mounted, so it needs no token.
(AGC-3, AGC-4)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.contract import paths
from actors.contract.documents import Instructions
from actors.contract.repository import host_directory
from actors.contract.secrets import secret_keys, secret_mount, secret_volume, secret_volumes
from actors.names import buckets, labels
from actors.node.gc_plan import Batch
from actors.node.manifest_containers import executor_container, mount
from actors.node.manifest_metadata import owner_reference, pod_nonce
from actors.node.manifest_request import BadTemplate, PodRequest
from actors.node.manifest_spec import pod_fields, pod_volumes
from actors.node.patches import BadPatch, parse_patch, strategic_merge
from runtime.messages import Address
from runtime.objects import Object

COLLECTOR = "artifact-gc"  # value of the component label
FRAME_BYTES = 2000


def collector_pod(request: PodRequest, workflow: Address, batch: Batch, deadline_s: int) -> Object:
    """The pod: `request` has the workflow's spec and the names. Raises BadTemplate for a patch that is none."""
    own = str(request.spec.get("serviceAccountName") or "")
    request = replace(request, template={"serviceAccountName": batch.account or own, "resource": {}})
    locations = [one.location for one in batch.doomed]
    keys = sorted({key for location in locations for key in secret_keys(location)})
    told: Instructions = {"container": paths.MAIN, "nonce": pod_nonce(request), "budget": FRAME_BYTES}
    told["discard"] = [one.discard() for one in batch.doomed]
    hosted = any(host_directory(location) for location in locations)
    if hosted:
        told["repository_root"] = request.settings.repository_root
    built = executor_container(request, paths.MAIN, ["artifact", "delete"], told)
    if hosted:
        mount(built, paths.REPOSITORY_VOLUME, paths.REPOSITORY_MOUNT)
    for name in sorted({key.name for key in keys}):
        mount(built, secret_volume(name), secret_mount(name), read_only=True)
    spec: dict[str, Any] = {"containers": [built]} | pod_fields(request)
    spec["activeDeadlineSeconds"] = deadline_s
    spec["volumes"] = pod_volumes(request, spec, secret_volumes(keys))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(request, workflow, batch),
        "spec": _patched(request, spec),
    }


def _patched(request: PodRequest, spec: dict[str, Any]) -> dict[str, Any]:
    """Under the collector's own podSpecPatch; the workflow's is for the workflow's pods."""
    text = (request.spec.get("artifactGC") or {}).get("podSpecPatch")
    if not text:
        return spec
    try:
        return strategic_merge(spec, parse_patch(str(text), "spec.artifactGC.podSpecPatch"))
    except BadPatch as error:
        raise BadTemplate(str(error)) from error


def _metadata(request: PodRequest, workflow: Address, batch: Batch) -> dict[str, Any]:
    own = {labels.WORKFLOW: request.workflow_name, labels.COMPLETED: "false", labels.COMPONENT: COLLECTOR}
    if request.settings.instance_id:
        own[labels.CONTROLLER_INSTANCE_ID] = request.settings.instance_id
    if request.settings.sharded:
        own |= buckets.mark(request.namespace)
    return {
        "name": request.pod_name,
        "namespace": request.namespace,
        "labels": {**(batch.metadata.get("labels") or {}), **own},
        "annotations": {
            **(batch.metadata.get("annotations") or {}),
            labels.ARTIFACT_GC_STRATEGY: batch.strategy,
            labels.NODE_ID: request.node_id,
            labels.DEFAULT_CONTAINER: paths.MAIN,
            paths.NONCE_ANNOTATION: pod_nonce(request),
        },
        "ownerReferences": [owner_reference(workflow.name, workflow.uid)],
    }
