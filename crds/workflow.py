"""A workflow's specification, and the kinds that carry one."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated, Literal

from crds.artifacts import WorkflowArtifactGC
from crds.containers import Container, Resources
from crds.meta import (
    NULL_IN_MANIFEST,
    OPEN_IN_MANIFEST,
    Growing,
    LocalObjectReference,
    Metadata,
    Model,
    Open,
    PodMetadata,
)
from crds.parameters import Arguments
from crds.pods import Claim, DisruptionBudget, DNSConfig, PodOptions
from crds.policies import Metrics, PodGC, RetryStrategy, Synchronization, TTLStrategy, VolumeClaimGC
from crds.status import WorkflowStatus
from crds.templates import LifecycleHook, Template


class ArtifactRepositoryRef(Model):
    """Which artifact repository is used."""

    configMap: str | None = None  # artifact-repositories unless said otherwise
    key: str | None = None


class WorkflowTemplateRef(Model):
    """The WorkflowTemplate that a workflow is made of."""

    name: str | None = None
    clusterScope: bool | None = None  # a ClusterWorkflowTemplate is meant


class LabelValue(Model):
    """A label's value, computed."""

    expression: str


class WorkflowMetadata(Model):
    """Labels and annotations that the workflow gets when it starts."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    labelsFrom: dict[str, LabelValue] | None = None


class PluginSidecar(Model):
    """The container that understands the plugin's templates."""

    container: Container | None = None
    automountServiceAccountToken: bool | None = None


class PluginSpec(Model):
    """What an executor plugin is made of."""

    sidecar: PluginSidecar | None = None


class ExecutorPlugin(Model):
    """An executor plugin of this workflow alone."""

    metadata: Metadata | None = None
    spec: PluginSpec | None = None


class WorkflowSpec(PodOptions):
    """What is to be done."""

    entrypoint: str | None = None  # the template that starts
    templates: list[Template] | None = None
    arguments: Arguments | None = None
    templateDefaults: Annotated[Template | None, OPEN_IN_MANIFEST] = None  # under every template
    workflowTemplateRef: WorkflowTemplateRef | None = None
    onExit: str | None = None  # the template that runs at the end, whatever it is
    hooks: dict[str, LifecycleHook] | None = None
    suspend: bool | None = None  # nothing new is started
    shutdown: Literal["", "Terminate", "Stop"] | None = None
    parallelism: int | None = None  # how many pods may be active at once
    priority: int | None = None
    activeDeadlineSeconds: int | None = None
    retryStrategy: RetryStrategy | None = None  # of every template that has none
    synchronization: Synchronization | None = None
    ttlStrategy: TTLStrategy | None = None
    podGC: PodGC | None = None
    metrics: Metrics | None = None
    archiveLogs: bool | None = None
    artifactGC: WorkflowArtifactGC | None = None
    artifactRepositoryRef: ArtifactRepositoryRef | None = None
    volumeClaimTemplates: list[Claim] | None = None
    volumeClaimGC: VolumeClaimGC | None = None
    podDisruptionBudget: DisruptionBudget | None = None
    podMetadata: PodMetadata | None = None
    podPriorityClassName: str | None = None
    podResources: Resources | None = None
    imagePullSecrets: list[LocalObjectReference] | None = None
    hostNetwork: bool | None = None
    dnsPolicy: str | None = None
    dnsConfig: DNSConfig | None = None
    workflowMetadata: WorkflowMetadata | None = None
    executorPlugins: list[ExecutorPlugin] | None = None


class Workflow(Model):
    """One run of a workflow."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: WorkflowSpec
    status: Annotated[WorkflowStatus | None, OPEN_IN_MANIFEST] = None


class WorkflowTemplate(Model):
    """A library of templates, or a whole workflow to be submitted."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: WorkflowSpec


class ClusterWorkflowTemplate(WorkflowTemplate):
    """A WorkflowTemplate for every namespace."""


class StopStrategy(Model):
    """When a schedule ends."""

    expression: str  # over cronworkflow.failed and cronworkflow.succeeded


class CronWorkflowSpec(Model):
    """What is run, and when."""

    workflowSpec: WorkflowSpec
    schedules: Annotated[list[str] | None, NULL_IN_MANIFEST] = None
    timezone: str | None = None
    concurrencyPolicy: str | None = None  # Allow, Forbid or Replace
    startingDeadlineSeconds: int | None = None
    suspend: bool | None = None
    when: str | None = None
    stopStrategy: StopStrategy | None = None
    successfulJobsHistoryLimit: int | None = None
    failedJobsHistoryLimit: int | None = None
    workflowMetadata: Metadata | None = None


class CronWorkflowStatus(Growing):
    """What a schedule has done."""

    active: list[Open] | None = None
    lastScheduledTime: str | None = None
    succeeded: int | None = None
    failed: int | None = None
    phase: str | None = None
    conditions: list[Open] | None = None


class CronWorkflow(Model):
    """A workflow that runs on a schedule."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: CronWorkflowSpec
    status: Annotated[CronWorkflowStatus | None, OPEN_IN_MANIFEST] = None
