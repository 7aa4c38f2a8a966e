"""The pods of a job: how they are made, and what each of them says about the job. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from runtime.objects import Object
from tiphys.devcluster.controllers.owners import JOBS, controller_reference
from tiphys.devcluster.controllers.podstate import TERMINAL, created_at, phase
from tiphys.devcluster.controllers.times import seconds

TRACKING = "batch.kubernetes.io/job-tracking"
"""The finalizer that keeps a pod until its end is on record."""

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
HOSTNAME_MAX = 63

BACK_OFF_FIRST_S = 10.0
BACK_OFF_LONGEST_S = 600.0


def is_indexed(job: Object) -> bool:
    """Whether every completion has a number of its own."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def replaces_only_failed(job: Object) -> bool:
    """Whether a pod that is being deleted is waited for before another takes its place."""
    spec = job["spec"]
    return spec.get("podReplacementPolicy") == "Failed" or bool(spec.get("podFailurePolicy"))


def is_tracked(pod: Object) -> bool:
    """Whether the pod's end is still to be recorded, or its recording to be confirmed."""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def is_failed(job: Object, pod: Object) -> bool:
    """Whether the pod counts as a failure: one that is being deleted does, unless it is waited for."""
    if phase(pod) in TERMINAL:
        return phase(pod) == "Failed"
    return "deletionTimestamp" in pod["metadata"] and not replaces_only_failed(job)


def index_of(pod: Object) -> int | None:
    """The completion index of a pod; None when it has none that makes sense."""
    text = str((pod["metadata"].get("annotations") or {}).get(INDEX, ""))
    return int(text) if text.isdecimal() else None


def finished_at(pod: Object) -> float:
    """When the pod ended: its last container's end, else the last word about it (seconds since the epoch)."""
    status = pod.get("status") or {}
    ends = [
        seconds(((entry.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for entry in status.get("containerStatuses") or ()
    ]
    if any(ends):
        return max(ends)
    if "deletionTimestamp" in pod["metadata"]:
        grace_s = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        return seconds(pod["metadata"]["deletionTimestamp"]) - grace_s
    changes = [seconds(entry.get("lastTransitionTime")) for entry in status.get("conditions") or ()]
    return max(changes, default=created_at(pod))


def next_attempt_at(job: Object, pods: Iterable[Object]) -> float:
    """From when on pods may be created: 10 s after a failure, doubled with each further one, at most 10 minutes.

    A success starts the count anew. 0 when nothing has failed since."""
    ended = [pod for pod in pods if phase(pod) == "Succeeded" or is_failed(job, pod)]
    failures = 0
    last = 0.0
    for pod in sorted(ended, key=finished_at, reverse=True):
        if phase(pod) == "Succeeded":
            break
        last = last or finished_at(pod)
        failures += 1
    if not failures:
        return 0.0
    return last + pause_s(failures)


def pause_s(failures: int) -> float:
    """How long is waited after so many failures in a row."""
    return min(BACK_OFF_LONGEST_S, BACK_OFF_FIRST_S * 2.0 ** min(failures - 1, 16))


def worker(job: Object, name: str, index: int | None, annotations: Mapping[str, str] | None = None) -> Object:
    """A pod of the job's template, tracked, with its index where it has one, and with these annotations."""
    template = job["spec"]["template"]
    template_meta = template.get("metadata") or {}
    meta: Object = {
        field: copy.deepcopy(template_meta[field]) for field in ("labels", "annotations") if template_meta.get(field)
    }
    base = job["metadata"]["name"]
    spec = copy.deepcopy(template["spec"])
    meta |= {
        "name": name,
        "generateName": f"{base}-" if index is None else f"{base}-{index}-",
        "namespace": job["metadata"]["namespace"],
        "finalizers": [*(template_meta.get("finalizers") or ()), TRACKING],
        "ownerReferences": [controller_reference(JOBS, job)],
    }
    if index is not None:
        for kind in ("labels", "annotations"):
            meta[kind] = {**(meta.get(kind) or {}), INDEX: str(index)}
        meta["annotations"].update(annotations or {})
        spec.setdefault("hostname", f"{base}-{index}"[:HOSTNAME_MAX].rstrip("-."))
        for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
            _add_index(container)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _add_index(container: Object) -> None:
    variables = container.setdefault("env", [])
    if not any(variable.get("name") == INDEX_VARIABLE for variable in variables):
        path = f"metadata.labels['{INDEX}']"
        variables.append({"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
