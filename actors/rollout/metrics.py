"""What is counted of Rollouts, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from actors.names.timestamps import seconds
from actors.rollout.plan import Plan
from runtime.messages import Address, Command, Measure
from runtime.metric import Metric
from runtime.objects import Object

EVENTS: Final = "rollout_events_total"
TOTAL, MOVING, MANUAL = (
    "rollout_duration_seconds", "rollout_progression_duration_seconds", "rollout_manual_pause_duration_seconds"
)  # fmt: skip

_LONG: Final = (30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0)
_MIDDLE: Final = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_MANUAL: Final = (0.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0)

ROLLOUT_METRICS: Final = (
    Metric(EVENTS, "counter", "Events about Rollouts.", ("namespace", "name", "type", "reason")),
    Metric(TOTAL, "histogram", "How long updates took.", ("status",), _LONG),
    Metric(MOVING, "histogram", "How long updates took without waiting for people.", ("status",), _MIDDLE),
    Metric(MANUAL, "histogram", "How long updates waited for people.", ("status",), _MANUAL),
)


def measures(address: Address, plan: Plan) -> Iterator[Command]:
    """What a plan that was carried out counts for."""
    for said in plan.said:
        kind = "Warning" if said.warning else "Normal"
        labels = ("namespace", address.namespace), ("name", address.name), ("type", kind), ("reason", said.reason)
        yield Measure(EVENTS, 1.0, labels)
    for record in plan.durations:
        yield from _durations(record)


def _durations(record: Object) -> Iterator[Command]:
    total = seconds(record["finishedAt"]) - seconds(record["rolloutStartedAt"])
    manual = float(record.get("totalManualPauseDurationSeconds") or 0)
    labels = (("status", str(record.get("completionStatus", ""))),)
    yield Measure(TOTAL, total, labels)
    yield Measure(MOVING, total - manual, labels)
    yield Measure(MANUAL, manual, labels)
