"""A Rollout: a Deployment whose updates go by steps."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated, Literal

from crds.meta import IntOrString, LabelSelector, Metadata, Model, PodMetadata, Rule
from crds.rollout_pods import PodTemplate
from crds.rollout_routing import TrafficRouting
from crds.rollout_status import RolloutStatus
from crds.rollout_steps import BackgroundAnalysis, CanaryStep, RolloutAnalysis


class PreferredAntiAffinity(Model):
    """Pods of both versions rather not on one node."""

    weight: int


class RequiredAntiAffinity(Model):
    """Pods of both versions never on one node."""


class AntiAffinity(Model):
    """Whether pods of the new and the stable version share nodes."""

    preferredDuringSchedulingIgnoredDuringExecution: PreferredAntiAffinity | None = None
    requiredDuringSchedulingIgnoredDuringExecution: RequiredAntiAffinity | None = None


class PingPong(Model):
    """Two Services that change their roles instead of their selectors."""

    pingService: str
    pongService: str


class ReplicaProgressThreshold(Model):
    """How many pods must be available before a step counts as scaled."""

    type: Literal["Percent", "Pods", "Percentage"]
    value: int


class CanaryStrategy(Model):
    """The new version takes over step by step."""

    canaryService: str | None = None
    stableService: str | None = None
    steps: list[CanaryStep] | None = None
    trafficRouting: TrafficRouting | None = None
    maxUnavailable: IntOrString | None = None  # 25% unless said otherwise
    maxSurge: IntOrString | None = None  # 25% unless said otherwise
    analysis: BackgroundAnalysis | None = None
    antiAffinity: AntiAffinity | None = None
    canaryMetadata: PodMetadata | None = None
    stableMetadata: PodMetadata | None = None
    scaleDownDelaySeconds: int | None = None
    scaleDownDelayRevisionLimit: int | None = None
    abortScaleDownDelaySeconds: int | None = None
    dynamicStableScale: bool | None = None
    pingPong: PingPong | None = None
    minPodsPerReplicaSet: int | None = None
    replicaProgressThreshold: ReplicaProgressThreshold | None = None


class BlueGreenStrategy(Model):
    """The new version is made beside the old one, then traffic is switched."""

    activeService: str
    previewService: str | None = None
    previewReplicaCount: int | None = None
    autoPromotionEnabled: bool | None = None  # true unless said otherwise
    autoPromotionSeconds: int | None = None
    maxUnavailable: IntOrString | None = None
    scaleDownDelaySeconds: int | None = None
    scaleDownDelayRevisionLimit: int | None = None
    prePromotionAnalysis: RolloutAnalysis | None = None
    postPromotionAnalysis: RolloutAnalysis | None = None
    antiAffinity: AntiAffinity | None = None
    previewMetadata: PodMetadata | None = None
    activeMetadata: PodMetadata | None = None
    abortScaleDownDelaySeconds: int | None = None


class Strategy(Model):
    """Exactly one of the two."""

    blueGreen: BlueGreenStrategy | None = None
    canary: CanaryStrategy | None = None


class WorkloadRef(Model):
    """A workload whose pod template is used."""

    apiVersion: str | None = None
    kind: str | None = None
    name: str | None = None
    scaleDown: Literal["", "never", "onsuccess", "progressively"] | None = None


class RollbackWindow(Model):
    """Going back to one of so many earlier revisions skips the steps."""

    revisions: int | None = None


class AnalysisHistory(Model):
    """How many AnalysisRuns are kept."""

    successfulRunHistoryLimit: int | None = None
    unsuccessfulRunHistoryLimit: int | None = None


class RolloutSpec(Model):
    """What is wished."""

    replicas: int | None = None  # 1 unless said otherwise
    selector: Annotated[LabelSelector | None, Rule("self == oldSelf", ".spec.selector is immutable")] = None
    template: PodTemplate | None = None
    workloadRef: WorkloadRef | None = None
    minReadySeconds: int | None = None
    rollbackWindow: RollbackWindow | None = None
    strategy: Strategy | None = None
    revisionHistoryLimit: int | None = None  # 10 unless said otherwise
    paused: bool | None = None
    progressDeadlineSeconds: int | None = None  # 600 unless said otherwise
    progressDeadlineAbort: bool | None = None
    restartAt: str | None = None
    analysis: AnalysisHistory | None = None


class Rollout(Model):
    """A Rollout."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: RolloutSpec
    status: RolloutStatus | None = None
