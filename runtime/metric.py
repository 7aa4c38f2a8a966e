"""What a metric is: its name, its kind, what it says, and by which labels its values are told apart."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]


class Metric(NamedTuple):
    """What is measured. Counters add, gauges set, histograms observe."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
