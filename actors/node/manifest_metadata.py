"""Who a workflow's pod is: labels, annotations, owner and finalizer, where upstream's tools look for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from actors.contract import paths
from actors.names import buckets, labels, tracing
from actors.names.durations import format_duration
from actors.names.resources import ARGO_API_VERSION
from actors.node.manifest_request import PodRequest
from actors.node.release import collection_delay_s, is_collected


def metadata(request: PodRequest, *, source: str, outputs_wanted: bool) -> dict[str, Any]:
    """The pod's metadata; `source` is the script that it carries as an annotation.

    The finalizer keeps a pod whose outputs nobody has recorded yet: deleted by anyone, its status can still be read."""
    meta: dict[str, Any] = {
        "name": request.pod_name,
        "namespace": request.namespace,
        "labels": _merged(request, "labels") | _labels(request),
        "annotations": _default_container(request) | _merged(request, "annotations") | _annotations(request, source),
        "ownerReferences": [owner_reference(request.workflow_name, request.workflow_uid)],
    }
    if outputs_wanted and _is_held(request, meta["labels"]):
        meta["finalizers"] = [labels.FINALIZER_POD_STATUS]
    return meta


def _is_held(request: PodRequest, pod_labels: Mapping[str, str]) -> bool:
    held = request.settings.held
    return held == "always" or (held == "uncollected" and not is_collected(request.spec.get("podGC"), pod_labels))


def owner_reference(workflow_name: str, workflow_uid: str) -> dict[str, Any]:
    """The workflow as controller of what is made for it."""
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": "Workflow",
        "name": workflow_name,
        "uid": workflow_uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_nonce(request: PodRequest) -> str:
    """The pod's nonce: given, or derived from what nobody but this pod is."""
    if request.nonce:
        return request.nonce
    identity = f"{request.workflow_uid}/{request.node_id}/{request.pod_name}"
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _merged(request: PodRequest, field: str) -> dict[str, str]:
    """podMetadata of the workflow, then the template's own (POD-2)."""
    of_workflow: Mapping[str, Any] = (request.spec.get("podMetadata") or {}).get(field) or {}
    of_template: Mapping[str, Any] = (request.template.get("metadata") or {}).get(field) or {}
    return {key: str(value) for key, value in {**of_workflow, **of_template}.items()}


def _default_container(request: PodRequest) -> dict[str, str]:
    """Whose log is shown when none is named: main's, or the last one's of a set without main; who writes it wins."""
    names = [str(entry.get("name")) for entry in (request.template.get("containerSet") or {}).get("containers") or ()]
    return {labels.DEFAULT_CONTAINER: names[-1] if names and paths.MAIN not in names else paths.MAIN}


def _labels(request: PodRequest) -> dict[str, str]:
    own = {labels.WORKFLOW: request.workflow_name, labels.COMPLETED: "false"}
    if request.on_exit:
        own[labels.ON_EXIT] = "true"
    if request.settings.instance_id:
        own[labels.CONTROLLER_INSTANCE_ID] = request.settings.instance_id
    return own | (buckets.mark(request.namespace) if request.settings.sharded else {})


def _annotations(request: PodRequest, source: str) -> dict[str, str]:
    own = {
        **request.annotations,
        labels.NODE_ID: request.node_id,
        labels.NODE_NAME: request.node_name,
        paths.NONCE_ANNOTATION: pod_nonce(request),
    }
    rule: Mapping[str, Any] | None = request.spec.get("podGC")
    if rule is not None:
        delay_s = collection_delay_s(rule, request.settings.deletion_delay_s)
        own[labels.POD_GC_STRATEGY] = f"{rule.get('strategy') or ''}/{format_duration(delay_s)}"
    if request.settings.traced:
        own |= tracing.span_annotations(request.workflow_uid, request.node_id)
    if source:
        own[paths.SOURCE_ANNOTATION] = source
    return own
