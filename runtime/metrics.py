"""Every metric of the runtime in one list; values are plain numbers until somebody scrapes.

Counting is an addition in a dictionary. prometheus-client is imported by the first scrape and only writes the text: a
command line that nobody scrapes neither loads it nor pays for its locks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runtime.log import Log
from runtime.metric import Labels, Metric
from runtime.series import SERIES_MAX, Series

log = Log()


RUNTIME_METRICS: tuple[Metric, ...] = (
    Metric("actors", "gauge", "Actors alive.", ("room",)),
    Metric("actors_ready", "gauge", "Actors with something to read."),
    Metric("messages_waiting", "gauge", "Messages in all mailboxes."),
    Metric("mailbox_deepest", "gauge", "Messages in the fullest mailbox."),
    Metric("supervised_restarts_total", "counter", "Starts of supervised tasks beyond their first.", ("task",)),
    Metric("actors_quarantined", "gauge", "Actors put aside because they crashed too often."),
    Metric("actor_births_total", "counter", "Actors born."),
    Metric("actor_crashes_total", "counter", "Exceptions in a mind."),
    Metric("messages_total", "counter", "Messages read by actors."),
    Metric("dead_letters_total", "counter", "Messages to actors that do not live."),
    Metric("timers", "gauge", "Wake-ups that wait."),
    Metric("commands_waiting", "gauge", "Commands that no performer has taken yet."),
    Metric("commands_in_flight", "gauge", "Calls to the API server that have not returned."),
    Metric("commands_window", "gauge", "Calls that may be in flight, as the API server grants them."),
    Metric("commands_total", "counter", "Commands by outcome.", ("outcome",)),
    Metric("cache_objects", "gauge", "Objects in the cache.", ("resource", "selector")),
    Metric(
        "cache_silent_seconds",
        "gauge",
        "Seconds since the server last said anything; 0 for kinds it does not serve.",
        ("resource", "selector"),
    ),
    Metric("cache_events_total", "counter", "Watch events received.", ("resource", "selector")),
    Metric("cache_lists_total", "counter", "Pages listed.", ("resource", "selector")),
    Metric("leader", "gauge", "1 while this process holds the lease and may write.", ("lease",)),
    Metric("leader_reigns_total", "counter", "How often this process took the lease.", ("lease",)),
    Metric("route_errors_total", "counter", "Exceptions in the rooms' route functions."),
)


class _Histogram:
    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.sum = 0.0


class Metrics:
    """The values. `declared` are a program's own metrics, beside the runtime's."""

    def __init__(
        self, declared: Sequence[Metric] = (), *, prefix: str = "runtime_", series: Series | None = None
    ) -> None:
        self._prefix = prefix
        self.series = series  # metrics that come to be while the program runs
        runtime = [metric._replace(name=prefix + metric.name) for metric in RUNTIME_METRICS]
        self.metrics: dict[str, Metric] = {metric.name: metric for metric in (*runtime, *declared)}
        self._values: dict[str, dict[Labels, Any]] = {name: {} for name in self.metrics}
        self._unknown: set[str] = set()

    def measure(self, name: str, value: float = 1.0, labels: Labels = ()) -> None:
        """Observe a value. An undeclared name or other labels than declared are logged once and not counted.

        Of one metric at most SERIES_MAX label sets are kept; the one measured longest ago makes way: a label that
        names objects must not fill the memory with those that are gone."""
        metric = self.metrics.get(name)
        if metric is None or tuple(sorted(key for key, _ in labels)) != tuple(sorted(metric.labels)):
            if name not in self._unknown:
                self._unknown.add(name)
                declared = "is not declared" if metric is None else f"has the labels {metric.labels}"
                log.error("metric.unknown", name=name, labels=labels, reason=f"it {declared}")
            return
        values = self._values[name]
        known = values.pop(labels, None)  # the order is that of the last measures
        if len(values) >= SERIES_MAX:
            del values[next(iter(values))]
        if metric.kind == "counter":
            values[labels] = (known or 0.0) + value
        elif metric.kind == "gauge":
            values[labels] = value
        else:
            histogram = values[labels] = known or _Histogram(len(metric.buckets))
            histogram.counts[bisect_left(metric.buckets, value)] += 1
            histogram.sum += value

    def put(self, name: str, value: float, **labels: str) -> None:
        """Set a value of the runtime's own, counted elsewhere (statistics)."""
        name = self._prefix + name
        metric = self.metrics[name]
        self._values[name][tuple((label, labels[label]) for label in metric.labels)] = value

    def replace(self, name: str, values: Mapping[Labels, float]) -> None:
        """Set all values at once: what is not among them is forgotten. Raises KeyError when it is not declared."""
        order = self.metrics[name].labels
        self._values[name] = {tuple((key, dict(labels)[key]) for key in order): n for labels, n in values.items()}

    def value(self, name: str, labels: Labels = ()) -> float:
        """The present value (of a histogram: how many observations); 0 when nothing was measured."""
        if self.series is not None and self.series.knows(name):
            return self.series.value(name, labels)
        found = self._values.get(name, {}).get(labels, 0.0)
        return float(sum(found.counts)) if isinstance(found, _Histogram) else float(found)

    def exposition(self, refresh: Callable[[], None] = lambda: None) -> bytes:
        """The text a Prometheus server scrapes; `refresh` is called first, to put statistics in."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415  # see the module's docstring

        refresh()
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry) + (self.series.text().encode() if self.series is not None else b"")

    def collect(self) -> Iterator[Any]:
        """The metric families, for prometheus-client."""
        from prometheus_client.core import (  # noqa: PLC0415  # see the module's docstring
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for name, metric in self.metrics.items():
            order = metric.labels
            if metric.kind == "histogram":
                family: Any = HistogramMetricFamily(name, metric.help, labels=order)
                for labels, histogram in self._values[name].items():
                    family.add_metric(_in_order(labels, order), _cumulated(metric, histogram), histogram.sum)
            else:
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                family = kind(name, metric.help, labels=order)
                values = self._values[name]
                for labels, value in values.items() if order or values else [((), 0.0)]:
                    family.add_metric(_in_order(labels, order), value)
            yield family


def _in_order(labels: Labels, order: tuple[str, ...]) -> list[str]:
    named = dict(labels)
    return [named[label] for label in order]


def _cumulated(metric: Metric, histogram: _Histogram) -> list[tuple[str, float]]:
    total, rows = 0, []
    for bound, number in zip((*map(str, metric.buckets), "+Inf"), histogram.counts, strict=True):
        total += number
        rows.append((bound, float(total)))
    return rows
