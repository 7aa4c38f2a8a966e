"""An experiment: sets of pods that run side by side for a while, and analyses of them."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated

from crds.analysis import AnalysisArgument, AnalysisRunMetadata, DryRun, MeasurementRetention
from crds.meta import OPEN_IN_MANIFEST, Growing, LabelSelector, Metadata, Model, Open


class ExperimentService(Model):
    """A Service in front of the pods of a template."""

    name: str | None = None  # that of the ReplicaSet unless said otherwise


class ExperimentTemplate(Model):
    """One set of pods."""

    name: str
    selector: LabelSelector
    template: Open  # a pod template
    replicas: int | None = None  # 1 unless said otherwise
    minReadySeconds: int | None = None
    service: ExperimentService | None = None


class ExperimentAnalysis(Model):
    """An analysis that runs while the pods do."""

    name: str
    templateName: str
    clusterScope: bool | None = None  # a ClusterAnalysisTemplate is meant
    args: list[AnalysisArgument] | None = None
    requiredForCompletion: bool | None = None  # the experiment ends when all such have succeeded


class ExperimentSpec(Model):
    """What runs, for how long, and who watches."""

    templates: list[ExperimentTemplate]
    duration: str | None = None  # from when all pods are available; absent: until an analysis or terminate ends it
    progressDeadlineSeconds: int | None = None  # 600 unless said otherwise
    terminate: bool | None = None  # it is to end now
    analyses: list[ExperimentAnalysis] | None = None
    scaleDownDelaySeconds: int | None = None  # 30 unless said otherwise
    dryRun: list[DryRun] | None = None
    measurementRetention: list[MeasurementRetention] | None = None
    analysisRunMetadata: AnalysisRunMetadata | None = None


class ExperimentStatus(Growing):
    """How the experiment fares."""

    phase: str | None = None
    message: str | None = None
    templateStatuses: list[Open] | None = None
    availableAt: str | None = None
    conditions: list[Open] | None = None
    analysisRuns: list[Open] | None = None


class Experiment(Model):
    """Sets of pods side by side."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: ExperimentSpec
    status: Annotated[ExperimentStatus | None, OPEN_IN_MANIFEST] = None
