"""Every series that a controller can show, with what it says and how many of it there can be.

Dashboards, rules and docs/metrics.md are made of this list, so none of them names what does not exist. What workflows
measure of themselves (`spec.metrics`) is not among it; each of their metrics has as many series as an installation
allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Final, NamedTuple

from actors import upstream_metrics
from actors.cron import metrics as cron_metrics
from actors.rollout.metrics import ROLLOUT_METRICS
from runtime.metric import Metric
from runtime.metrics import RUNTIME_METRICS
from runtime.series import SERIES_MAX
from tiphys.observability import own

RUNTIME: Final = "tiphys_"  # the prefix of the runtime's own
UPSTREAM: Final = upstream_metrics.PREFIX

VALUES: Final = {
    "room": 20, "outcome": 3, "resource": 40, "selector": 4, "lease": 1, "task": 60, "phase": 8, "kind": 40, "verb": 8,
    "status_code": 12, "level": 4, "type": 12, "status": 8, "cause": 3, "storage": 2, "cluster_scope": 2, "version": 1,
    "platform": 1, "compiler": 1, "strategy": 3, "traffic_router": 8, "dry_run": 2, "concurrency_policy": 3,
    "reason": 100,
}  # fmt: skip
"""Labels that take so many values at most; all others name objects of users."""


class Listed(NamedTuple):
    """A metric under the name it is scraped by."""

    name: str
    metric: Metric
    of_users: tuple[str, ...]  # labels whose values users choose
    most: int  # label sets at most; each is several series of a histogram


def registry() -> list[Listed]:
    """All of it, by name."""
    return sorted(_all(), key=lambda entry: entry.name)


def _all() -> Iterator[Listed]:
    for metric in RUNTIME_METRICS:
        yield _listed(RUNTIME + metric.name, metric)
    for metric in (*ROLLOUT_METRICS, *own.OWN, *own.OF_OBJECTS):
        yield _listed(metric.name, metric)
    for metric in (*_declared(upstream_metrics), *_declared(cron_metrics), *own.UPSTREAM):
        yield _listed(UPSTREAM + metric.name, metric)


def _declared(module: object) -> list[Metric]:
    return [value for value in vars(module).values() if isinstance(value, Metric)]


def _listed(name: str, metric: Metric) -> Listed:
    of_users = tuple(label for label in metric.labels if label not in VALUES)
    return Listed(name, metric, of_users, SERIES_MAX if of_users else _fixed(metric))


def _fixed(metric: Metric) -> int:
    return min(SERIES_MAX, prod(VALUES[label] for label in metric.labels))


def scraped(entry: Listed) -> set[str]:
    """The names of its samples."""
    if entry.metric.kind == "histogram":
        return {f"{entry.name}_{end}" for end in ("bucket", "sum", "count")}
    if entry.metric.kind == "counter" and not entry.name.startswith(UPSTREAM):
        return {entry.name.removesuffix("_total") + "_total"}
    return {entry.name}
