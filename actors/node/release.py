"""When a pod may go: what is patched when its outcome is on record, and whether it is deleted then. (PGC-1..4.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from actors.names import labels
from actors.names.durations import parse_duration_or_seconds
from actors.names.label_selectors import selects
from runtime.objects import Object

INPUTS_ANNOTATION = "workflows.tiphys.dev/inputs"
INPUTS_BYTES_MAX = 64 << 10  # of what chance or time decided; larger inputs are in the status before the pod is made
DELETE_DELAY_S = 5.0  # podGC.deleteDelayDuration when not given


def inputs_annotation(inputs: Mapping[str, Any]) -> str:
    """The inputs as they travel with the pod; empty when there are none or they are too large."""
    if not inputs:
        return ""
    text = msgspec.json.encode(inputs)
    return text.decode() if len(text) <= INPUTS_BYTES_MAX else ""


def is_collected(rule: Mapping[str, Any] | None, pod_labels: Mapping[str, str]) -> bool:
    """Whether podGC deletes a pod with these labels, or does so if it ends as the strategy wants (PGC-1, PGC-2)."""
    if not rule or not rule.get("strategy"):
        return False
    return selects(rule.get("labelSelector") or {}, pod_labels)


def is_held(pod: Object) -> bool:
    """Whether our finalizer is on it: then its deletion waits for its release."""
    return labels.FINALIZER_POD_STATUS in (pod["metadata"].get("finalizers") or ())


def release_patch(pod: Object) -> Object | None:
    """The merge patch that marks a pod as completed and lets it go; None when that was done before."""
    meta = pod["metadata"]
    patch: Object = {}
    if (meta.get("labels") or {}).get(labels.COMPLETED) != "true":
        patch["labels"] = {labels.COMPLETED: "true"}
    if is_held(pod):
        patch["finalizers"] = [entry for entry in meta["finalizers"] if entry != labels.FINALIZER_POD_STATUS] or None
        patch["resourceVersion"] = meta["resourceVersion"]  # finalizers are a list: nobody else's may be lost
    return {"metadata": patch} if patch else None


def deletion_delay_s(
    rule: Mapping[str, Any] | None, node_phase: str, workflow_phase: str, pod: Object, default_s: float = DELETE_DELAY_S
) -> float | None:
    """Seconds until the pod is deleted; None: never; negative: ask again when the workflow has ended."""
    if not rule or not is_collected(rule, pod["metadata"].get("labels") or {}):
        return None
    strategy = rule["strategy"]
    if strategy.startswith("OnWorkflow") and not workflow_phase:
        return -1.0
    kept = {"OnPodSuccess": node_phase != "Succeeded", "OnWorkflowSuccess": workflow_phase != "Succeeded"}
    if kept.get(strategy, False):
        return None
    return collection_delay_s(rule, default_s)


def collection_delay_s(rule: Mapping[str, Any], default_s: float = DELETE_DELAY_S) -> float:
    """Seconds between a pod's release and its deletion; what is no duration, or a negative one, changes nothing."""
    delay = rule.get("deleteDelayDuration")
    try:
        given_s = parse_duration_or_seconds(str(delay)) if delay not in (None, "") else -1.0
    except ValueError:
        return default_s
    return given_s if given_s >= 0 else default_s
