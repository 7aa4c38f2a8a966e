"""Kinds that controllers hand to each other, and the binding of events to templates."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.meta import Growing, Metadata, Model, Open
from crds.parameters import Arguments, Outputs
from crds.workflow import WorkflowTemplateRef


class EventSelector(Model):
    """Which events are meant."""

    selector: str  # an expression over payload, metadata, namespace and discriminator


class Submission(Model):
    """What is submitted for an event."""

    workflowTemplateRef: WorkflowTemplateRef
    metadata: Metadata | None = None
    arguments: Arguments | None = None


class WorkflowEventBindingSpec(Model):
    """What happens on which event."""

    event: EventSelector
    submit: Submission | None = None


class WorkflowEventBinding(Model):
    """Submits a template when an event arrives."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: WorkflowEventBindingSpec


class TaskSetSpec(Growing):
    """Templates that wait for the agent, by node."""

    tasks: dict[str, Open] | None = None


class TaskSetStatus(Growing):
    """What the agent found out, by node."""

    nodes: dict[str, Open] | None = None


class WorkflowTaskSet(Model):
    """Hands http and plugin nodes to the agent's pod."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: TaskSetSpec | None = None
    status: TaskSetStatus | None = None


class WorkflowTaskResult(Model):
    """What a node left behind, reported by its own pod."""

    apiVersion: str
    kind: str
    metadata: Metadata
    phase: str | None = None
    message: str | None = None
    outputs: Outputs | None = None
    progress: str | None = None


class ArtifactGCSpec(Growing):
    """Artifacts to delete, by node."""

    artifactsByNode: dict[str, Open] | None = None


class ArtifactGCStatus(Growing):
    """What came of it, by node."""

    artifactResultsByNode: dict[str, Open] | None = None


class WorkflowArtifactGCTask(Model):
    """Hands artifacts to the pod that deletes them."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: ArtifactGCSpec | None = None
    status: ArtifactGCStatus | None = None
