"""A Job is a measurement: its end is the verdict, and its name is a function of the run and the measurement's number.

Made twice, it is one; after a restart the run finds it by the name on record. (PROV job.) Pure.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from actors.names import analysis_labels as keys
from actors.names.resources import ANALYSIS_RUN, ARGO_API_VERSION
from runtime.messages import Address
from runtime.objects import Object, Reference, Resource

JOBS = Resource("batch/v1", "Job", "jobs")
ROOM = "analysis"
NAME_MAX = 63  # the Job controller makes a label of it
NAME_KEY, NAMESPACE_KEY = "job-name", "job-namespace"
STUCK = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})
"""Why a container waits that will never start by itself."""


def job_name(uid: str, metric: str, number: int) -> str:
    """The name of the Job that makes a metric's measurement of this number (from 1)."""
    surplus = len(f"{uid}.{metric}.{number}") - NAME_MAX
    return f"{uid}.{metric[: len(metric) - surplus] if surplus > 0 else metric}.{number}"


def job_number(result: Mapping[str, Any] | None) -> int:
    """The number of the next measurement: those that were made, whatever their end, and one."""
    found = result or {}
    return int(found.get("count", 0) + found.get("error", 0) + 1)


def manifest(run: Object, metric: Mapping[str, Any], number: int, namespace: str = "") -> Object:
    """The Job of a measurement; `namespace`, when it is another than the run's, leaves it without an owner."""
    meta, settings = run["metadata"], metric["provider"]["job"]
    own = settings.get("metadata") or {}
    spec = _with_labels(settings.get("spec") or {}, run)
    where = namespace or meta["namespace"]
    job: Object = {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": job_name(meta["uid"], metric["name"], number),
            "namespace": where,
            "labels": {**(own.get("labels") or {}), keys.JOB_RUN_UID: meta["uid"]},
            "annotations": {**(own.get("annotations") or {}), **_whose(run), keys.JOB_METRIC: metric["name"]},
        },
        "spec": spec,
    }
    if where == meta["namespace"]:
        owner = {"apiVersion": ARGO_API_VERSION, "kind": ANALYSIS_RUN[1], "name": meta["name"], "uid": meta["uid"]}
        job["metadata"]["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    return job


def _with_labels(spec: Object, run: Object) -> Object:
    """The Job's spec with pods that can be told apart; one that is malformed is left to the API server to refuse."""
    done: Object = copy.deepcopy(spec)
    template = done.setdefault("template", {})
    if isinstance(template, dict):
        meta = template.get("metadata") or {}
        labels = {**(meta.get("labels") or {}), keys.JOB_RUN_UID: run["metadata"]["uid"]}
        annotations = {**(meta.get("annotations") or {}), **_whose(run)}
        template["metadata"] = {**meta, "labels": labels, "annotations": annotations}
    return done


def _whose(run: Object) -> dict[str, str]:
    return {keys.JOB_RUN_NAME: run["metadata"]["name"], keys.JOB_RUN_NAMESPACE: run["metadata"]["namespace"]}


def run_address(thing: Object) -> Address | None:
    """The run that a Job, or a pod of one, belongs to."""
    meta = thing["metadata"]
    uid = (meta.get("labels") or {}).get(keys.JOB_RUN_UID)
    annotations = meta.get("annotations") or {}
    name = annotations.get(keys.JOB_RUN_NAME)
    if not uid or not name:
        return None
    return Address(ROOM, annotations.get(keys.JOB_RUN_NAMESPACE) or meta.get("namespace", ""), name, uid)


def is_of(job: Object, uid: str) -> bool:
    """Whether a Job was made for the run of this uid."""
    return (job["metadata"].get("labels") or {}).get(keys.JOB_RUN_UID) == uid


def job_metadata(job: Object) -> dict[str, str]:
    """How a measurement remembers its Job."""
    return {NAME_KEY: job["metadata"]["name"], NAMESPACE_KEY: job["metadata"]["namespace"]}


def job_ref(measurement: Mapping[str, Any], namespace: str) -> Reference | None:
    """The Job of a measurement; None when it has none."""
    found = measurement.get("metadata") or {}
    name = found.get(NAME_KEY)
    return Reference(JOBS, found.get(NAMESPACE_KEY) or namespace, name) if name else None


def job_phase(job: Object) -> str:
    """The verdict of a Job; empty while it runs."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return "Successful" if condition["type"] == "Complete" else "Failed"
    return ""


def stuck(pods: Iterable[Object], job: str) -> str:
    """Why a pod of the Job will never start; empty when nothing is known against it."""
    for pod in pods:
        if not _belongs(pod, job):
            continue
        status = pod.get("status") or {}
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in STUCK:
                name, reason = pod["metadata"]["name"], waiting["reason"]
                text = f"Pod {name}, container {container.get('name')} has terminal error ({reason})"
                return f"{text}: {waiting.get('message') or ''}"
    return ""


def _belongs(pod: Object, job: str) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner.get("kind") == JOBS.kind and owner.get("name") == job for owner in owners)
