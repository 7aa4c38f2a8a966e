"""Analyses: what is measured, how often, and which values are good; the templates of it, and one run."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated

from crds.analysis_providers import MetricProvider
from crds.containers import FieldSelector
from crds.meta import OPEN_IN_MANIFEST, Growing, IntOrString, Metadata, Model, Open
from crds.policies import TTLStrategy


class SecretKey(Model):
    """One key of a Secret of the run's namespace."""

    name: str
    key: str


class AnalysisValueFrom(Model):
    """Where an argument's value comes from, when it is not written down."""

    secretKeyRef: SecretKey | None = None
    fieldRef: FieldSelector | None = None


class AnalysisArgument(Model):
    """A named text that metrics refer to as {{args.name}}."""

    name: str
    value: str | None = None
    valueFrom: AnalysisValueFrom | None = None


class Metric(Model):
    """What is measured, how often, and which values are good."""

    name: str
    interval: str | None = None  # between measurements; absent, there is one
    initialDelay: str | None = None  # from the run's start to the first measurement
    count: IntOrString | None = None  # how many measurements; endless with an interval, else 1
    successCondition: str | None = None  # an expression over result
    failureCondition: str | None = None  # an expression over result
    failureLimit: IntOrString | None = None  # so many may fail; -1: any number
    inconclusiveLimit: IntOrString | None = None  # so many may be inconclusive
    consecutiveErrorLimit: IntOrString | None = None  # so many in a row may go wrong; 4 unless said otherwise
    consecutiveSuccessLimit: IntOrString | None = None  # so many good ones in a row are enough
    provider: MetricProvider


class DryRun(Model):
    """Metrics that are measured and change nothing."""

    metricName: str  # a regular expression


class MeasurementRetention(Model):
    """How many measurements of a metric are kept."""

    metricName: str  # a regular expression
    limit: int


class AnalysisTemplateRef(Model):
    """A template of the namespace, or of the cluster."""

    templateName: str | None = None
    clusterScope: bool | None = None  # a ClusterAnalysisTemplate is meant


class AnalysisRunMetadata(Model):
    """Labels and annotations of the runs that are made."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class AnalysisTemplateSpec(Model):
    """What runs of this template measure."""

    metrics: list[Metric] | None = None
    args: list[AnalysisArgument] | None = None
    dryRun: list[DryRun] | None = None
    measurementRetention: list[MeasurementRetention] | None = None
    templates: list[AnalysisTemplateRef] | None = None  # whose metrics are measured too


class AnalysisTemplate(Model):
    """What is measured, to be used by rollouts and experiments."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: AnalysisTemplateSpec


class ClusterAnalysisTemplate(AnalysisTemplate):
    """An AnalysisTemplate for every namespace."""


class AnalysisRunSpec(Model):
    """What one run measures, and when it is to end."""

    metrics: list[Metric]
    args: list[AnalysisArgument] | None = None
    terminate: bool | None = None  # it is to end now
    dryRun: list[DryRun] | None = None
    measurementRetention: list[MeasurementRetention] | None = None
    ttlStrategy: TTLStrategy | None = None


class AnalysisRunStatus(Growing):
    """What was measured, and what it means."""

    phase: str | None = None
    message: str | None = None
    metricResults: list[Open] | None = None
    startedAt: str | None = None
    completedAt: str | None = None
    runSummary: Open | None = None
    dryRunSummary: Open | None = None


class AnalysisRun(Model):
    """One analysis."""

    apiVersion: str
    kind: str
    metadata: Metadata
    spec: AnalysisRunSpec
    status: Annotated[AnalysisRunStatus | None, OPEN_IN_MANIFEST] = None
