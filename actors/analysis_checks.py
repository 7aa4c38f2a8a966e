"""A list of metrics that can be measured: every mistake is told in upstream's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actors.language.regex import RegexError, compile_regex
from actors.names.durations import parse_duration

Metric = Mapping[str, Any]

PROVIDERS = (
    "prometheus", "job", "web", "wavefront", "kayenta", "datadog", "newRelic", "cloudWatch", "graphite", "influxdb",
    "skywalking",
)  # fmt: skip
"""Those with a field of their own; a plugin's name is a key of `plugin`."""

CONSECUTIVE_ERROR_LIMIT = 4
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


class InvalidAnalysis(ValueError):
    """Metrics or rules that cannot be measured; the text says which."""


def whole(value: Any, default: int = 0) -> int:
    """The number of an IntOrString; text that is no number is 0, as upstream reads it."""
    if value is None:
        return default
    if isinstance(value, int):
        return int(value)
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else 0


def effective_count(metric: Metric) -> int | None:
    """How many measurements are taken: 1 without count and interval, endless (None) with an interval alone."""
    return whole(metric.get("count")) or (None if metric.get("interval") else 1)


def check_metrics(metrics: Sequence[Metric]) -> None:
    """Raises InvalidAnalysis for the first metric that cannot be measured; their arguments are in place."""
    if not metrics:
        raise InvalidAnalysis("no metrics specified")
    names: set[str] = set()
    for index, metric in enumerate(metrics):
        name = metric.get("name") or ""
        if name in names:
            raise InvalidAnalysis(f"metrics[{index}]: duplicate name '{name}'")
        names.add(name)
        try:
            check_metric(metric)
        except InvalidAnalysis as error:
            raise InvalidAnalysis(f"metrics[{index}]: {error}") from None


def check_metric(metric: Metric) -> None:
    """Raises InvalidAnalysis when the limits contradict each other, or there is not exactly one provider."""
    _check_limits(metric)
    _check_times(metric)
    provider = metric.get("provider") or {}
    number = sum(1 for name in PROVIDERS if provider.get(name) is not None) + len(provider.get("plugin") or {})
    if number == 0:
        raise InvalidAnalysis("no provider specified")
    if number > 1:
        raise InvalidAnalysis("multiple providers specified")


def _check_limits(metric: Metric) -> None:
    count, failures = whole(metric.get("count")), whole(metric.get("failureLimit"))
    successes, inconclusive = whole(metric.get("consecutiveSuccessLimit")), whole(metric.get("inconclusiveLimit"))
    if successes < 0:
        raise InvalidAnalysis("consecutiveSuccessLimit must be >= 0")
    if failures < -1:
        raise InvalidAnalysis("failureLimit must be >= 0, or -1 to be disabled")
    if successes == 0 and failures == -1:
        raise InvalidAnalysis("failureLimit and consecutiveSuccessLimit cannot both be disabled")
    if inconclusive < 0:
        raise InvalidAnalysis("inconclusiveLimit must be >= 0")
    if whole(metric.get("consecutiveErrorLimit")) < 0:
        raise InvalidAnalysis("consecutiveErrorLimit must be >= 0")
    if count <= 0:
        return
    if failures >= 0 and count < failures + successes:
        raise InvalidAnalysis(
            f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failures} + {successes}) if both >= 0"
        )
    if failures < 0 and count < successes:
        raise InvalidAnalysis("count must be >= consecutiveSuccessLimit")
    if count < inconclusive:
        raise InvalidAnalysis("count must be >= inconclusiveLimit")


def _check_times(metric: Metric) -> None:
    if whole(metric.get("count")) > 1 and not metric.get("interval"):
        raise InvalidAnalysis("interval must be specified when count > 1")
    for field, word in (("interval", "interval"), ("initialDelay", "startDelay")):
        if metric.get(field):
            try:
                parse_duration(metric[field])
            except ValueError as error:
                raise InvalidAnalysis(f"invalid {word} string: {error}") from None


def cannot_fail(metric: Metric) -> bool:
    """Whether a metric is never Failed, however its measurements end: legal, and seldom meant."""
    count, failures = effective_count(metric), whole(metric.get("failureLimit"))
    successes = whole(metric.get("consecutiveSuccessLimit"))
    if not metric.get("successCondition") and not metric.get("failureCondition") and not _judges(metric):
        return True
    return count is not None and failures >= count and not successes


def _judges(metric: Metric) -> bool:
    """Whether the provider judges by itself."""
    provider = metric.get("provider") or {}
    return any(provider.get(name) is not None for name in ("job", "kayenta", "plugin"))


# ----------------------------------------------------------------------------------------------------- rules


def dry_run_metrics(rules: Sequence[Mapping[str, Any]], metrics: Sequence[Metric]) -> frozenset[str]:
    """The names of metrics that change nothing. Raises InvalidAnalysis for a rule that concerns none."""
    found: set[str] = set()
    for index, rule in enumerate(rules):
        found |= _concerned("dryRun", index, rule, metrics)
    return frozenset(found)


def retention_limits(rules: Sequence[Mapping[str, Any]], metrics: Sequence[Metric]) -> dict[str, int]:
    """How many measurements are kept, of metrics with a rule; the last one that concerns a metric counts.

    Raises InvalidAnalysis for a rule that concerns none."""
    found: dict[str, int] = {}
    for index, rule in enumerate(rules):
        for name in _concerned("measurementRetention", index, rule, metrics):
            found[name] = whole(rule.get("limit"))
    return found


def _concerned(field: str, index: int, rule: Mapping[str, Any], metrics: Iterable[Metric]) -> set[str]:
    names = {metric["name"] for metric in metrics if _matches(rule.get("metricName") or "", metric["name"])}
    if not names:
        raise InvalidAnalysis(f"{field}[{index}]: Rule didn't match any metric name(s)")
    return names


def _matches(pattern: str, name: str) -> bool:
    """Whether the regular expression is found anywhere in the name; one that cannot be read is found nowhere."""
    try:
        return compile_regex(pattern).search(name) is not None
    except RegexError:
        return False
