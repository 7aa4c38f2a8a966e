"""The rooms of a Tiphys controller, put together in one place: which minds there are and what they are told of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actors.cron.metrics import CRON_METRICS
from actors.cron.room import cron_room
from actors.cron.state import CronSettings
from actors.lock.mind import LockMind, LockSettings
from actors.lock_messages import LOCKS
from actors.names import labels
from actors.node.manifest_request import PodSettings
from actors.node.mind import NodeMind
from actors.workflow.mind import WorkflowMind
from actors.workflow.state import WORKFLOWS, WorkflowSettings
from actors.workflow.validation import validate
from runtime.actor import Room, Watch
from runtime.messages import Address
from runtime.objects import PODS, Object
from tiphys.localzone import local_zone

METRICS = CRON_METRICS
"""What the rooms count, beside the runtime's own."""


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """What an installation decides."""

    pods: PodSettings = field(default_factory=PodSettings)
    repository: dict[str, Any] | None = None  # for artifacts without a place of their own
    write_window_s: float = 0.2
    locks: LockSettings = field(default_factory=LockSettings)
    cache_namespace: str = ""  # where ConfigMaps of remembered results are; empty: in each workflow's own
    workflow_events: bool = True  # Kubernetes Events about workflows
    node_events: bool = True  # and about their nodes: two writes for each of them
    zone: str = ""  # of schedules that name none; empty: this machine's


def rooms(settings: ControllerSettings | None = None) -> list[Room]:
    """Every room that runs workflows."""
    chosen = settings or ControllerSettings()
    decided = WorkflowSettings(
        repository=chosen.repository, write_window_s=chosen.write_window_s, cache_namespace=chosen.cache_namespace,
        workflow_events=chosen.workflow_events, node_events=chosen.node_events,
    )  # fmt: skip
    workflows = WorkflowMind(decided)
    return [
        Room("workflow", workflows, (Watch(WORKFLOWS, workflow_address, wakes=True),)),
        Room("node", NodeMind(chosen.pods), (Watch(PODS, pod_address, labels=labels.WORKFLOW),)),
        Room("lock", LockMind(chosen.locks), (Watch(WORKFLOWS, lock_address, wakes=True),)),
        cron_room(CronSettings(chosen.zone or local_zone(), validate)),
    ]


def workflow_address(thing: Object) -> Address:
    """A workflow is the business of the actor of that very object."""
    meta = thing["metadata"]
    return Address("workflow", meta.get("namespace", ""), meta["name"], meta["uid"])


def lock_address(thing: Object) -> Address | None:
    """Every unfinished workflow may hold locks; one that has finished holds none."""
    finished = (thing["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"
    return None if finished else LOCKS


def pod_address(thing: Object) -> Address | None:
    """A pod is the business of the node it was made for; None when no workflow made it."""
    meta = thing["metadata"]
    node_id = (meta.get("annotations") or {}).get(labels.NODE_ID)
    for owner in meta.get("ownerReferences") or ():
        if node_id and owner.get("controller") and owner.get("kind") == "Workflow":
            return Address("node", meta.get("namespace", ""), owner["name"], owner["uid"], node_id)
    return None
