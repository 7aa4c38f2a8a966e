"""Metrics: declared once, counted cheaply, written by prometheus-client."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runtime import log
from runtime.metrics import RUNTIME_METRICS, Metric, Metrics
from runtime.series import SERIES_MAX

MINE = (
    Metric("asked_total", "counter", "Asked.", ("what",)),
    Metric("level", "gauge", "Level."),
    Metric("took_seconds", "histogram", "Took.", (), (0.1, 1.0)),
)


def test_counters_add_gauges_set_histograms_observe():
    metrics = Metrics(MINE)
    for _ in range(3):
        metrics.measure("asked_total", labels=(("what", "x"),))
    metrics.measure("level", 7)
    metrics.measure("level", 2)
    for value in (0.05, 0.1, 0.5, 3.0):
        metrics.measure("took_seconds", value)
    text = metrics.exposition().decode()

    assert 'asked_total{what="x"} 3.0' in text
    assert "\nlevel 2.0" in text
    assert 'took_seconds_bucket{le="0.1"} 2.0' in text
    assert 'took_seconds_bucket{le="1.0"} 3.0' in text
    assert 'took_seconds_bucket{le="+Inf"} 4.0' in text
    assert "took_seconds_sum 3.65" in text
    assert metrics.value("took_seconds") == 4.0
    assert metrics.value("asked_total", (("what", "x"),)) == 3.0


def test_of_one_metric_the_series_measured_longest_ago_make_way():
    metrics = Metrics(MINE)
    for number in range(SERIES_MAX + 5):
        metrics.measure("asked_total", labels=(("what", str(number)),))
        metrics.measure("asked_total", labels=(("what", "0"),))

    values = {what: metrics.value("asked_total", (("what", what),)) for what in ("0", "1", "6", "7", str(SERIES_MAX))}
    assert values == {"0": SERIES_MAX + 6, "1": 0, "6": 1, "7": 1, str(SERIES_MAX): 1}


def test_a_metric_without_labels_is_there_from_the_start():
    """Else nobody can compute a rate of its first change."""
    assert "runtime_actor_crashes_total 0.0" in Metrics().exposition().decode()


def test_what_is_not_declared_is_said_once(monkeypatch: pytest.MonkeyPatch):
    lines: list[str] = []
    monkeypatch.setattr(log.Log, "_write", lambda self, level, event, fields: lines.append(fields["reason"]))
    metrics = Metrics(MINE)
    for _ in range(3):
        metrics.measure("typo")
        metrics.measure("level", 1.0, (("room", "a"),))

    assert lines == ["it is not declared", "it has the labels ()"]
    assert metrics.value("level") == 0.0


def test_every_metric_has_a_help_and_a_name_of_its_own():
    names = [metric.name for metric in RUNTIME_METRICS]
    assert len(set(names)) == len(names)
    assert all(metric.help.endswith(".") for metric in RUNTIME_METRICS)
    assert all(metric.name.endswith("_total") == (metric.kind == "counter") for metric in RUNTIME_METRICS)


def test_neither_log_nor_metrics_are_paid_for_before_they_are_used():
    heavy = ("structlog", "prometheus_client", "aiohttp")
    code = f"import sys, runtime.system; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
