"""Every key of `workflow-controller-configmap`, with upstream's names and defaults.

What a Workflow or a container may be is judged where it is used; here it stays as it is written. Keys that are known
and not acted upon are here too, so that a spelling mistake is one and a valid configuration is accepted whole.
"""

# ruff: noqa: N815  the attribute is the key

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tiphys.configuration.databases import Persistence, Synchronization
from tiphys.configuration.section import Section


class NodeEvents(Section):
    """Kubernetes Events about nodes."""

    enabled: bool = True
    sendAsPod: bool = False


class WorkflowEvents(Section):
    """Kubernetes Events about workflows."""

    enabled: bool = True


class ResourceRateLimit(Section):
    """How fast pods are created."""

    limit: float = Field(ge=0)  # a second
    burst: int = Field(default=1, ge=0)


class Image(Section):
    """What a container of this image runs when its template says nothing."""

    entrypoint: list[str] | None = None
    cmd: list[str] | None = None


class MetricModifier(Section):
    """How a metric differs from what it is by default."""

    disabled: bool = False
    disabledAttributes: list[str] = []
    histogramBuckets: list[float] = []


class MetricsConfig(Section):
    """The metrics and where they are served."""

    enabled: bool = True
    disableLegacy: bool = False
    metricsTTL: str = ""
    path: str = "/metrics"
    port: int = Field(default=9090, gt=0, le=65535)
    ignoreErrors: bool = False
    secure: bool | None = None
    modifiers: dict[str, MetricModifier] = {}
    options: dict[str, Any] | None = None
    temporality: Literal["", "Cumulative", "Delta"] = ""


class RetentionPolicy(Section):
    """How many finished workflows are kept, by their phase."""

    completed: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    errored: int = Field(default=0, ge=0)


class WorkflowRestrictions(Section):
    """Which workflows run at all."""

    templateReferencing: Literal["", "Strict", "Secure"] = ""


class PodSpecLogStrategy(Section):
    """Whose pod is logged when it is created or fails."""

    failedPod: bool = False
    allPods: bool = False


class FailedPodRestart(Section):
    """Whether a pod that never ran is made again."""

    enabled: bool = False
    maxRestarts: int = Field(default=3, ge=0)


class ArtifactDriver(Section):
    """A driver that is a plugin."""

    name: str
    image: str
    connectionTimeoutSeconds: int = 5


class InitlessPod(Section):
    """Pods without init container."""

    enabled: bool = False


class Configuration(Section):
    """All of it."""

    instanceID: str = ""
    namespace: str = ""
    parallelism: int = Field(default=0, ge=0)
    namespaceParallelism: int = Field(default=0, ge=0)
    resourceRateLimit: ResourceRateLimit | None = None
    initialDelay: str = ""
    nodeEvents: NodeEvents = NodeEvents()
    workflowEvents: WorkflowEvents = WorkflowEvents()
    executor: dict[str, Any] = {}
    mainContainer: dict[str, Any] = {}
    kubeConfig: dict[str, Any] | None = None
    images: dict[str, Image] = {}
    artifactRepository: dict[str, Any] = {}
    artifactDrivers: list[ArtifactDriver] = []
    workflowDefaults: dict[str, Any] = {}
    workflowRestrictions: WorkflowRestrictions = WorkflowRestrictions()
    persistence: Persistence | None = None
    synchronization: Synchronization | None = None
    semaphoreLimitCacheSeconds: int | None = Field(default=None, ge=0)
    metricsConfig: MetricsConfig = MetricsConfig()
    telemetryConfig: MetricsConfig | None = None
    retentionPolicy: RetentionPolicy | None = None
    podGCGracePeriodSeconds: int | None = Field(default=None, ge=0)
    podGCDeleteDelayDuration: str = ""
    podSpecLogStrategy: PodSpecLogStrategy = PodSpecLogStrategy()
    failedPodRestart: FailedPodRestart = FailedPodRestart()
    disableAgentPodCreation: bool = False
    initlessPod: InitlessPod = InitlessPod()
    links: list[dict[str, Any]] = []
    columns: list[dict[str, Any]] = []
    navColor: str = ""
    sso: dict[str, Any] | None = None
