"""A run of a CronWorkflow is a Workflow whose name is the moment it was due: made twice, it is the same one.

Here is what it is made of, and what the CronWorkflow's actor keeps of each that exists. (CRON-9.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

from actors.names import labels
from actors.names.resources import ARGO_API_VERSION, CRON_WORKFLOW, WORKFLOW
from actors.names.timestamps import rfc3339, seconds
from runtime.messages import Address
from runtime.objects import Object, Resource

CRON_WORKFLOWS = Resource(*CRON_WORKFLOW)
WORKFLOWS = Resource(*WORKFLOW)
ROOM = "cron"

INHERITED = (
    labels.CREATOR,
    labels.CREATOR_EMAIL,
    labels.CREATOR_PREFERRED_USERNAME,
    labels.CONTROLLER_INSTANCE_ID,
)
"""Labels of a CronWorkflow that its runs have too."""

ENDED = frozenset({"Succeeded", "Failed", "Error"})


class Child(NamedTuple):
    """What is remembered of a Workflow that a CronWorkflow owns."""

    uid: str
    name: str
    namespace: str
    version: str  # resourceVersion
    phase: str
    created: str
    finished: str
    scheduled: float | None  # when it was due; None for one that somebody submitted by hand
    is_history: bool  # it bears the CronWorkflow's label, so the history limits concern it
    is_stopping: bool  # it has been told to stop

    @property
    def ended(self) -> bool:
        """Whether its phase is final."""
        return self.phase in ENDED

    @property
    def reference(self) -> Object:
        """As `status.active` names it."""
        return {
            "apiVersion": ARGO_API_VERSION,
            "kind": WORKFLOWS.kind,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "resourceVersion": self.version,
        }


def child_of(workflow: Object, cron: str) -> Child:
    """What is remembered of a Workflow of the CronWorkflow of this name."""
    meta, status = workflow["metadata"], workflow.get("status") or {}
    return Child(
        uid=meta["uid"],
        name=meta["name"],
        namespace=meta.get("namespace", ""),
        version=meta.get("resourceVersion", ""),
        phase=status.get("phase") or "",
        created=meta.get("creationTimestamp") or "",
        finished=status.get("finishedAt") or "",
        scheduled=_scheduled(meta, cron),
        is_history=(meta.get("labels") or {}).get(labels.CRON_WORKFLOW) == cron,
        is_stopping=bool((workflow.get("spec") or {}).get("shutdown")),
    )


def _scheduled(meta: Object, cron: str) -> float | None:
    try:
        at = seconds((meta.get("annotations") or {}).get(labels.SCHEDULED_TIME) or "")
    except ValueError:
        return None
    return at if meta["name"] == child_name(cron, at) else None


def child_name(cron: str, scheduled: float) -> str:
    """The name of the run that was due then."""
    return f"{cron}-{int(scheduled)}"


def child_manifest(cron: Object, scheduled: float) -> Object:
    """The Workflow that runs a CronWorkflow at its hour."""
    return _manifest(cron, {"name": child_name(cron["metadata"]["name"], scheduled)}, scheduled)


def submitted_manifest(cron: Object, now: float) -> Object:
    """The Workflow of a run by hand: it has a generated name, and else all that a scheduled one has."""
    return _manifest(cron, {"generateName": f"{cron['metadata']['name']}-"}, now)


def _manifest(cron: Object, named: Object, scheduled: float) -> Object:
    meta, spec = cron["metadata"], cron["spec"]
    wanted = spec.get("workflowMetadata") or {}
    own = meta.get("labels") or {}
    marks = {key: own[key] for key in INHERITED if key in own}
    metadata: dict[str, Any] = {
        **named,
        "namespace": meta.get("namespace", ""),
        "labels": {**marks, labels.CRON_WORKFLOW: meta["name"], **(wanted.get("labels") or {})},
        "annotations": {labels.SCHEDULED_TIME: rfc3339(scheduled), **(wanted.get("annotations") or {})},
        "ownerReferences": [_owner(cron)],
    }
    if wanted.get("finalizers"):
        metadata["finalizers"] = list(wanted["finalizers"])
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": WORKFLOWS.kind,
        "metadata": metadata,
        "spec": spec.get("workflowSpec") or {},
    }


def _owner(cron: Object) -> Object:
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": CRON_WORKFLOWS.kind,
        "name": cron["metadata"]["name"],
        "uid": cron["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


# -------------------------------------------------------------------------------------------------- routes


def cron_address(cron: Object) -> Address:
    """A CronWorkflow is the business of the actor of that very object."""
    meta = cron["metadata"]
    return Address(ROOM, meta.get("namespace", ""), meta["name"], meta["uid"])


def child_address(workflow: Object) -> Address | None:
    """A Workflow is the business of the CronWorkflow that controls it, if one does."""
    meta = workflow["metadata"]
    for owner in meta.get("ownerReferences") or ():
        if owner.get("controller") and owner.get("kind") == CRON_WORKFLOWS.kind:
            return Address(ROOM, meta.get("namespace", ""), owner["name"], owner["uid"])
    return None
