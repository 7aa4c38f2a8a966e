"""Metrics that come to be while the program runs: each measure brings its own declaration. Bounded, and aged out.

They are written here and not by prometheus-client, which would add endings to their names: people's dashboards name
them as they were declared. A gauge may be sampled: it is the time since a moment, as of the scrape. Of one metric at
most so many series are kept; the one that was measured longest ago makes way.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runtime.log import Log
from runtime.messages import Measure
from runtime.metric import Labels, Metric

SERIES_MAX = 1000
"""Of one metric: a label that takes on any value must not fill the memory of who scrapes it."""

log = Log()


@dataclass(frozen=True, slots=True)
class Modifier:
    """How a metric differs from its declaration."""

    disabled: bool = False
    without: frozenset[str] = frozenset()  # labels left out: series that differ in them alone are one
    buckets: tuple[float, ...] = ()


AS_DECLARED = Modifier()


@dataclass(frozen=True, slots=True)
class SeriesSettings:
    """What an installation decides about them."""

    prefix: str = ""
    ttl_s: float = 0.0  # a series not measured for so long is forgotten; 0: never
    series_max: int = SERIES_MAX
    modifiers: Mapping[str, Modifier] = field(default_factory=dict)


@dataclass(slots=True)
class _Value:
    """One series."""

    at: float  # when it was last measured
    number: float = 0.0
    since: float | None = None  # sampled: the number is the time since then
    counts: list[int] | tuple[()] = ()  # of a histogram: by bucket


class Series:
    """All such metrics and their values."""

    def __init__(self, settings: SeriesSettings = SeriesSettings(), *, wall: Callable[[], float]) -> None:
        self.settings = settings
        self.evicted = 0  # series that made way for others
        self.sources: list[Callable[[Series], None]] = []  # asked before the text is written, to `put` what they count
        self._wall = wall
        self._metrics: dict[str, Metric] = {}
        self._values: dict[str, dict[Labels, _Value]] = {}
        self._refused: set[str] = set()

    def measure(self, command: Measure) -> None:
        """Take in a measure; one that contradicts the metric's first declaration is logged once and not counted."""
        metric, modifier = command.declared, self.settings.modifiers.get(command.name, AS_DECLARED)
        if metric is None or modifier.disabled:
            return
        known = self._metrics.setdefault(command.name, metric)
        if (known.kind, known.help) != (metric.kind, metric.help):
            if command.name not in self._refused:
                self._refused.add(command.name)
                log.error("metric.contradicts", name=command.name, declared=known.kind, measured=metric.kind)
            return
        value = self._series(command, modifier)
        value.at, value.since = self._wall(), command.since
        if metric.kind == "histogram":
            buckets = modifier.buckets or metric.buckets
            counts = value.counts = value.counts or [0] * (len(buckets) + 1)
            counts[bisect_left(buckets, command.value)] += 1
            value.number += command.value
        elif metric.kind == "counter" or command.adds:
            value.number += command.value
        else:
            value.number = command.value

    def put(self, metric: Metric, labels: Labels, number: float, counts: Sequence[int] = ()) -> None:
        """Set a series that is counted elsewhere: its number (of a histogram: the sum), and its counts by bucket.

        Buckets that an installation asks for instead are not heeded: the counting is done."""
        modifier = self.settings.modifiers.get(metric.name, AS_DECLARED)
        if modifier.disabled:
            return
        self._metrics.setdefault(metric.name, metric)
        value = self._series(Measure(metric.name, number, labels), modifier)
        value.at, value.number, value.counts = self._wall(), number, list(counts) or ()

    def _series(self, command: Measure, modifier: Modifier) -> _Value:
        labels = command.labels
        if modifier.without:
            labels = tuple(pair for pair in labels if pair[0] not in modifier.without)
        values = self._values.setdefault(command.name, {})
        value = values.pop(labels, None) or _Value(0.0)
        if len(values) >= self.settings.series_max:
            del values[next(iter(values))]  # the order is that of the last measures
            self.evicted += 1
        values[labels] = value
        return value

    def value(self, name: str, labels: Labels = ()) -> float:
        """The present value (of a histogram: how many observations); 0 when nothing was measured."""
        found = self._values.get(name, {}).get(labels)
        return 0.0 if found is None else float(sum(found.counts)) if found.counts else self._number(found)

    def labels(self, name: str) -> list[Labels]:
        """By which labels there are values of a metric."""
        return list(self._values.get(name, ()))

    def knows(self, name: str) -> bool:
        """Whether anything of that name was measured."""
        return name in self._metrics

    def _number(self, value: _Value) -> float:
        return value.number if value.since is None else max(0.0, self._wall() - value.since)

    def _age(self) -> None:
        """Forget what is too old; what is sampled is never old."""
        if not self.settings.ttl_s:
            return
        limit = self._wall() - self.settings.ttl_s
        for values in self._values.values():
            for labels in [labels for labels, value in values.items() if value.since is None and value.at < limit]:
                del values[labels]

    # ------------------------------------------------------------------------------------------------- text

    def text(self) -> str:
        """All of it in Prometheus' text format."""
        for source in self.sources:
            source(self)
        self._age()
        return "".join(line + "\n" for name, metric in self._metrics.items() for line in self._lines(name, metric))

    def _lines(self, name: str, metric: Metric) -> Iterator[str]:
        values = self._values.get(name)
        if not values:
            return
        whole = self.settings.prefix + name
        yield f"# HELP {whole} {_escaped(metric.help)}"
        yield f"# TYPE {whole} {metric.kind}"
        for labels, value in values.items():
            if metric.kind == "histogram":
                yield from self._histogram(whole, metric, labels, value)
            else:
                yield f"{whole}{_braces(labels)} {_go(self._number(value))}"

    def _histogram(self, name: str, metric: Metric, labels: Labels, value: _Value) -> Iterator[str]:
        buckets = self.settings.modifiers.get(metric.name, AS_DECLARED).buckets or metric.buckets
        if len(value.counts) != len(buckets) + 1:  # counted elsewhere, by the buckets that were declared
            buckets = metric.buckets
        total = 0
        for bound, number in zip((*buckets, math.inf), value.counts, strict=True):
            total += number
            yield f"{name}_bucket{_braces(labels, (('le', _go(bound)),))} {total}"
        yield f"{name}_sum{_braces(labels)} {_go(value.number)}"
        yield f"{name}_count{_braces(labels)} {total}"


def _braces(labels: Labels, last: Labels = ()) -> str:
    """Labels by their names, as other exporters write them: people look for lines of the text, too."""
    inside = ",".join(f'{key}="{_escaped(value, quotes=True)}"' for key, value in (*sorted(labels), *last))
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped


def _go(number: float) -> str:
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return "NaN" if math.isnan(number) else repr(float(number)).removesuffix(".0")
