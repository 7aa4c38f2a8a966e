"""What the controller writes: the status of a workflow and of its nodes.

Upstream's command line and user interface read and write it, so its names are theirs; what we do not know is kept.
"""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.meta import Growing, Open
from crds.parameters import Arguments, Outputs
from crds.templates import TemplateRef


class NodeFlag(Growing):
    """How a node came to be."""

    hooked: bool | None = None
    retried: bool | None = None


class MemoizationStatus(Growing):
    """Whether a node's outputs were remembered."""

    hit: bool | None = None
    key: str | None = None
    cacheName: str | None = None


class NodeSynchronizationStatus(Growing):
    """The lock that a node waits for."""

    waiting: str | None = None


class NodeStatus(Growing):
    """One node."""

    id: str | None = None
    name: str | None = None
    displayName: str | None = None
    type: str | None = None
    templateName: str | None = None
    templateRef: TemplateRef | None = None
    templateScope: str | None = None
    phase: str | None = None
    boundaryID: str | None = None
    message: str | None = None
    startedAt: str | None = None
    finishedAt: str | None = None
    estimatedDuration: int | None = None
    progress: str | None = None
    resourcesDuration: dict[str, int] | None = None
    podIP: str | None = None
    daemoned: bool | None = None
    nodeFlag: NodeFlag | None = None
    inputs: Arguments | None = None
    outputs: Outputs | None = None
    children: list[str] | None = None
    outboundNodes: list[str] | None = None
    hostNodeName: str | None = None
    memoizationStatus: MemoizationStatus | None = None
    synchronizationStatus: NodeSynchronizationStatus | None = None
    taskResultSynced: bool | None = None
    failedPodRestarts: int | None = None
    restartingPodUID: str | None = None


class Condition(Growing):
    """Something that is so, or not."""

    type: str | None = None
    status: str | None = None
    message: str | None = None


class WorkflowStatus(Growing):
    """Where a workflow stands."""

    phase: str | None = None
    startedAt: str | None = None
    finishedAt: str | None = None
    estimatedDuration: int | None = None
    progress: str | None = None
    message: str | None = None
    nodes: dict[str, NodeStatus] | None = None
    compressedNodes: str | None = None
    offloadNodeStatusVersion: str | None = None
    storedTemplates: Open | None = None
    storedWorkflowTemplateSpec: Open | None = None
    persistentVolumeClaims: list[Open] | None = None
    outputs: Outputs | None = None
    conditions: list[Condition] | None = None
    resourcesDuration: dict[str, int] | None = None
    synchronization: Open | None = None
    artifactRepositoryRef: Open | None = None
    artifactGCStatus: Open | None = None
    taskResultsCompletionStatus: dict[str, bool] | None = None
