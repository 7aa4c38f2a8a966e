"""The steps of a canary: one way at a time to come nearer to the new version."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Literal

from crds.analysis import AnalysisTemplateRef, DryRun, MeasurementRetention
from crds.experiment import ExperimentService
from crds.meta import IntOrString, LabelSelector, Model, Open, PodMetadata


class Pause(Model):
    """Wait: for so long, or until somebody promotes."""

    duration: IntOrString | None = None  # seconds, or with a unit: 30, "30", 1h


class SetCanaryScale(Model):
    """How many pods the canary has, whatever its weight."""

    weight: int | None = None
    replicas: int | None = None
    matchTrafficWeight: bool | None = None  # follow the weight again


class StringMatch(Model):
    """One of the three."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None


class HeaderMatch(Model):
    """A header and its value."""

    headerName: str
    headerValue: StringMatch | None = None


class SetHeaderRoute(Model):
    """Requests with these headers go to the canary; without a match, no longer."""

    name: str | None = None  # one of trafficRouting.managedRoutes
    match: list[HeaderMatch] | None = None


class RouteMatch(Model):
    """Which requests are mirrored."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: dict[str, StringMatch] | None = None


class SetMirrorRoute(Model):
    """A share of these requests is sent to the canary too; without a match, no longer."""

    name: str  # one of trafficRouting.managedRoutes
    match: list[RouteMatch] | None = None
    percentage: int | None = None  # 100 unless said otherwise


class PluginStep(Model):
    """A step that a plugin does."""

    name: str
    config: Open | None = None


class FieldRef(Model):
    """A field of the Rollout."""

    fieldPath: str


class ArgumentSource(Model):
    """Where an argument's value comes from."""

    podTemplateHashValue: Literal["Stable", "Latest"] | None = None
    fieldRef: FieldRef | None = None


class RolloutArgument(Model):
    """A value for an argument of the templates."""

    name: str
    value: str | None = None
    valueFrom: ArgumentSource | None = None


class RolloutAnalysis(Model):
    """An analysis of a Rollout."""

    templates: list[AnalysisTemplateRef] | None = None
    args: list[RolloutArgument] | None = None
    dryRun: list[DryRun] | None = None
    measurementRetention: list[MeasurementRetention] | None = None
    analysisRunMetadata: PodMetadata | None = None


class BackgroundAnalysis(RolloutAnalysis):
    """An analysis beside the steps."""

    startingStep: int | None = None  # the step from which it runs, counted from 0


class ExperimentStepTemplate(Model):
    """One version that runs in the experiment."""

    name: str
    specRef: Literal["stable", "canary"]
    replicas: int | None = None
    metadata: PodMetadata | None = None
    selector: LabelSelector | None = None
    weight: int | None = None
    service: ExperimentService | None = None


class ExperimentAnalysisRef(Model):
    """An analysis of the experiment."""

    name: str
    templateName: str
    clusterScope: bool | None = None
    args: list[RolloutArgument] | None = None
    requiredForCompletion: bool | None = None


class ExperimentStep(Model):
    """Versions that run beside each other, and what is measured of them."""

    templates: list[ExperimentStepTemplate]
    duration: str | None = None
    analyses: list[ExperimentAnalysisRef] | None = None
    dryRun: list[DryRun] | None = None
    analysisRunMetadata: PodMetadata | None = None
    scaleDownDelaySeconds: int | None = None


class CanaryStep(Model):
    """One step."""

    setWeight: int | None = None
    pause: Pause | None = None
    experiment: ExperimentStep | None = None
    analysis: RolloutAnalysis | None = None
    setCanaryScale: SetCanaryScale | None = None
    setHeaderRoute: SetHeaderRoute | None = None
    setMirrorRoute: SetMirrorRoute | None = None
    plugin: PluginStep | None = None
