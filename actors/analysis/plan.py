"""What a run is to measure, read once from its spec: each metric's settings as numbers, or why it cannot be measured.

Pure. Secrets are not read for this: where a metric refers to one, a stand-in takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.analysis_arguments import ArgumentError, argument_values, resolved_metric
from actors.analysis_checks import (
    CONSECUTIVE_ERROR_LIMIT,
    PROVIDERS,
    InvalidAnalysis,
    check_metrics,
    dry_run_metrics,
    effective_count,
    retention_limits,
    whole,
)
from actors.names.durations import parse_duration

KEPT = 10
"""Measurements of a metric that are kept, unless a rule says otherwise."""

ERROR_RETRY_S = 10.0
"""After a measurement that went wrong it is tried again so soon, whatever the interval."""

QUERIES = {"prometheus": "ResolvedPrometheusQuery", "newRelic": "ResolvedNewRelicQuery"}
"""Under which name the query is shown with a metric's results."""


class Unmeasurable(ValueError):
    """A run that cannot be measured; the text is its message."""


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One metric's settings."""

    name: str
    provider: str  # "web"; a plugin's own name
    written: Mapping[str, Any]  # as the spec has it, arguments and all
    resolved: Mapping[str, Any]  # arguments in place, stand-ins for secrets
    interval_s: float | None = None
    delay_s: float | None = None  # from the run's start to the first measurement
    count: int | None = None  # None: endless
    failure_limit: int = 0  # -1: any number
    inconclusive_limit: int = 0
    error_limit: int = CONSECUTIVE_ERROR_LIMIT  # in a row
    success_limit: int = 0  # in a row; 0: no such limit
    dry_run: bool = False
    kept: int = KEPT

    @property
    def metadata(self) -> dict[str, str]:
        """What is shown with the metric's results."""
        key = QUERIES.get(self.provider)
        query = (self.resolved["provider"].get(self.provider) or {}).get("query") if key else ""
        return {key: query} if key and query else {}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """All metrics of a run, in its order."""

    metrics: tuple[MetricPlan, ...] = ()
    by_name: Mapping[str, MetricPlan] = field(default_factory=dict)


def run_plan(run: Mapping[str, Any]) -> RunPlan:
    """Read the spec of a run. Raises Unmeasurable, also where a cluster let something malformed pass."""
    try:
        metrics = _metrics(run)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        if isinstance(error, Unmeasurable):
            raise
        raise Unmeasurable(f"Analysis spec invalid: it is malformed ({type(error).__name__}: {error})") from None
    return RunPlan(metrics, {metric.name: metric for metric in metrics})


def _metrics(run: Mapping[str, Any]) -> tuple[MetricPlan, ...]:
    spec = run.get("spec") or {}
    written = spec.get("metrics") or []
    try:
        values = argument_values(spec.get("args") or (), run)
        resolved = [resolved_metric(metric, values) for metric in written]
    except ArgumentError as error:
        raise Unmeasurable(f"Unable to resolve metric arguments: {error}") from None
    try:
        check_metrics(resolved)
        dry = dry_run_metrics(spec.get("dryRun") or (), resolved)
        kept = retention_limits(spec.get("measurementRetention") or (), resolved)
    except InvalidAnalysis as error:
        raise Unmeasurable(f"Analysis spec invalid: {error}") from None
    return tuple(
        _metric_plan(metric, done, dry_run=done["name"] in dry, kept=kept.get(done["name"], 0))
        for metric, done in zip(written, resolved, strict=True)
    )


def _metric_plan(written: Mapping[str, Any], metric: Mapping[str, Any], *, dry_run: bool, kept: int) -> MetricPlan:
    return MetricPlan(
        name=metric["name"],
        provider=provider_of(metric),
        written=written,
        resolved=metric,
        interval_s=parse_duration(metric["interval"]) if metric.get("interval") else None,
        delay_s=parse_duration(metric["initialDelay"]) if metric.get("initialDelay") else None,
        count=effective_count(metric),
        failure_limit=whole(metric.get("failureLimit")),
        inconclusive_limit=whole(metric.get("inconclusiveLimit")),
        error_limit=whole(metric.get("consecutiveErrorLimit"), CONSECUTIVE_ERROR_LIMIT),
        success_limit=whole(metric.get("consecutiveSuccessLimit")),
        dry_run=dry_run,
        kept=kept if kept > 0 else KEPT,
    )


def provider_of(metric: Mapping[str, Any]) -> str:
    """The name of a metric's provider: the field of its settings, or a plugin's own name."""
    provider = metric.get("provider") or {}
    for name in PROVIDERS:
        if provider.get(name) is not None:
            return name
    return next(iter(provider.get("plugin") or {}), "")
