"""What the controller says of a Rollout; upstream's plugin and dashboard read every field."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.meta import Growing, Open


class PauseCondition(Growing):
    """Why it is paused, and since when."""

    reason: str
    startTime: str


class RolloutCondition(Growing):
    """One condition."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    lastUpdateTime: str | None = None
    lastTransitionTime: str | None = None


class RunStatus(Growing):
    """How one of its AnalysisRuns fares."""

    name: str
    status: str
    message: str | None = None


class WeightDestination(Growing):
    """Where a share of the traffic goes."""

    weight: int
    serviceName: str | None = None
    podTemplateHash: str | None = None


class TrafficWeights(Growing):
    """How the traffic is shared out."""

    canary: WeightDestination
    stable: WeightDestination
    additional: list[WeightDestination] | None = None
    verified: bool | None = None


class StepPluginStatus(Growing):
    """How one call of a step plugin fared."""

    index: int
    name: str
    operation: str
    phase: str | None = None
    message: str | None = None
    startedAt: str | None = None
    updatedAt: str | None = None
    finishedAt: str | None = None
    backoff: str | None = None
    executions: int | None = None
    disabled: bool | None = None
    status: Open | None = None


class CanaryStatus(Growing):
    """Of a canary."""

    currentStepAnalysisRunStatus: RunStatus | None = None
    currentBackgroundAnalysisRunStatus: RunStatus | None = None
    currentExperiment: str | None = None
    weights: TrafficWeights | None = None
    stablePingPong: str | None = None
    stepPluginStatuses: list[StepPluginStatus] | None = None


class BlueGreenStatus(Growing):
    """Of a blue-green update."""

    previewSelector: str | None = None
    activeSelector: str | None = None
    scaleUpPreviewCheckPoint: bool | None = None
    prePromotionAnalysisRunStatus: RunStatus | None = None
    postPromotionAnalysisRunStatus: RunStatus | None = None


class DurationStatus(Growing):
    """How long the update takes, and how much of it waited for a person."""

    rolloutStartedAt: str | None = None
    manualPauseStartedAt: str | None = None
    totalManualPauseDurationSeconds: int | None = None
    finishedAt: str | None = None
    completionStatus: str | None = None


class RolloutStatus(Growing):
    """What is."""

    abort: bool | None = None
    pauseConditions: list[PauseCondition] | None = None
    controllerPause: bool | None = None
    abortedAt: str | None = None
    currentPodHash: str | None = None
    currentStepHash: str | None = None
    replicas: int | None = None
    updatedReplicas: int | None = None
    readyReplicas: int | None = None
    availableReplicas: int | None = None
    currentStepIndex: int | None = None
    collisionCount: int | None = None
    observedGeneration: str | None = None
    conditions: list[RolloutCondition] | None = None
    canary: CanaryStatus | None = None
    blueGreen: BlueGreenStatus | None = None
    HPAReplicas: int | None = None
    selector: str | None = None
    stableRS: str | None = None
    restartedAt: str | None = None
    promoteFull: bool | None = None
    phase: str | None = None
    message: str | None = None
    workloadObservedGeneration: str | None = None
    alb: Open | None = None
    albs: list[Open] | None = None
    duration: DurationStatus | None = None
