"""The fields of a canary's steps in the order in which upstream prints them, and the hash over them."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

import orjson

from actors.names.gojson import Table, encode, table, typed
from actors.names.podhash import safe_hash

_FIELDS: Final = """
AnalysisRunArgument name:s value?:s valueFrom?:*ArgumentValueFrom
AnalysisRunMetadata labels?:{}s annotations?:{}s
AnalysisTemplateRef templateName:s clusterScope?:*b
ArgumentValueFrom podTemplateHashValue?:*s fieldRef?:*FieldRef
CanaryStep setWeight?:*i pause?:*RolloutPause experiment?:*RolloutExperimentStep analysis?:*RolloutAnalysis
  setCanaryScale?:*SetCanaryScale setHeaderRoute?:*SetHeaderRoute setMirrorRoute?:*SetMirrorRoute plugin?:*PluginStep
DryRun metricName:s
FieldRef fieldPath:s
HeaderRoutingMatch headerName:s headerValue:*StringMatch
LabelSelector matchLabels?:{}s matchExpressions?:[]LabelSelectorRequirement
LabelSelectorRequirement key:s operator:s values?:[]s
MeasurementRetention metricName:s limit:i
PluginStep name:s config?:raw
PodTemplateMetadata labels?:{}s annotations?:{}s
RolloutAnalysis templates?:[]AnalysisTemplateRef args?:[]AnalysisRunArgument dryRun?:[]DryRun
  measurementRetention?:[]MeasurementRetention analysisRunMetadata?:*AnalysisRunMetadata
RolloutExperimentStep templates:[]RolloutExperimentTemplate duration?:s
  analyses?:[]RolloutExperimentStepAnalysisTemplateRef dryRun?:[]DryRun analysisRunMetadata?:AnalysisRunMetadata
  scaleDownDelaySeconds?:*i
RolloutExperimentStepAnalysisTemplateRef name:s templateName:s clusterScope?:*b args?:[]AnalysisRunArgument
  requiredForCompletion?:b
RolloutExperimentTemplate name:s specRef:s replicas?:*i metadata?:PodTemplateMetadata selector?:*LabelSelector
  weight?:*i service?:*TemplateService
RolloutPause duration?:*x
RouteMatch method?:*StringMatch path?:*StringMatch headers?:{}StringMatch
SetCanaryScale weight?:*i replicas?:*i matchTrafficWeight?:b
SetHeaderRoute name?:s match?:[]HeaderRoutingMatch
SetMirrorRoute name:s match?:[]RouteMatch percentage?:*i
StringMatch exact?:s prefix?:s regex?:s
TemplateService name?:s
"""


@cache
def _types() -> Table:
    return table(_FIELDS)


def in_order(kind: str, value: Any) -> Any:
    """A part of a step with its fields in upstream's order, for a person to read."""
    return typed(_types(), kind, value) if isinstance(value, dict) else value


def step_hash(steps: list[Any] | None) -> str:
    """The hash of a canary's steps; None when it has no such field, and an empty list says the same."""
    return _step_hash(orjson.dumps(steps or None))


@lru_cache(maxsize=4096)
def _step_hash(key: bytes) -> str:
    steps = orjson.loads(key)
    if not isinstance(steps, list):
        return safe_hash(b"null")
    return safe_hash(b"[" + b",".join(encode(_types(), "CanaryStep", step) for step in steps) + b"]")
