"""Alerts, each with its reason, its limit and the page that says what to do: Prometheus' rules are made of them.

An alert is a sentence about the controllers; whether a workflow of somebody's has failed is that somebody's business.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from runtime.objects import Object
from tiphys.installation.choice import CONTROLLER, PART_OF

GROUP: Final = "tiphys"
RUNBOOKS: Final = "docs/runbooks"


class Alert(NamedTuple):
    """When it fires, for how long it must have been so, and what it says to whom."""

    name: str
    expr: str
    lasts: str
    severity: Literal["critical", "warning"]
    summary: str
    reason: str

    @property
    def page(self) -> str:
        """Its runbook, from the project's root."""
        return f"{RUNBOOKS}/{self.name}.md"


ALERTS: Final = (
    Alert(
        "TiphysNobodyLeads", "max by (lease) (tiphys_leader) < 1", "2m", "critical",
        "No controller of ours holds the lease {{ $labels.lease }}: nothing new is started.",
        "max over all replicas: one that stands by has 0",
    ),
    Alert(
        "TiphysSeveralLead", "sum by (lease) (tiphys_leader) > 1", "1m", "critical",
        "Two controllers believe that they hold the lease {{ $labels.lease }}.",
        "writes are safe by themselves; whoever was cut off should have noticed after some seconds",
    ),
    Alert(
        "TiphysAbsent", "absent(tiphys_messages_total)", "5m", "critical",
        "Prometheus sees no controller.",
        "the series is there from the first scrape on",
    ),
    Alert(
        "TiphysWatchSilent", "max by (resource, selector) (tiphys_cache_silent_seconds) > 400", "2m", "critical",
        "Nothing was heard of {{ $labels.resource }} for {{ $value | humanizeDuration }}.",
        "a watch is closed in order after 290 s, so a longer silence is a broken one",
    ),
    Alert(
        "TiphysMessagesOld", "max(tiphys_oldest_message_seconds) > 10", "2m", "warning",
        "Messages wait {{ $value | humanizeDuration }} for their actors.",
        "a hop of a workflow takes milliseconds; ten seconds is what upstream's queue waits by design",
    ),
    Alert(
        "TiphysLoopStalls", "rate(tiphys_loop_stalls_total[5m]) > 0.05", "10m", "warning",
        "The event loop stalls {{ $value | humanize }} times a second.",
        "the lease is renewed on the same loop; each stall is 100 ms or more",
    ),
    Alert(
        "TiphysThrottled", 'rate(tiphys_commands_total{outcome="throttled"}[5m]) > 1', "10m", "warning",
        "The API server turns away {{ $value | humanize }} requests a second.",
        "the window follows what is granted, so a steady rate is a server that cannot keep up",
    ),
    Alert(
        "TiphysCommandsFail",
        'rate(tiphys_commands_total{outcome="failed"}[5m]) / ignoring(outcome) rate(tiphys_commands_total'
        '{outcome="performed"}[5m]) > 0.05',
        "10m", "warning",
        "{{ $value | humanizePercentage }} of all commands to the API server fail.",
        "conflicts and absences are part of life; a twentieth is not",
    ),
    Alert(
        "TiphysQuarantined", "sum by (room) (tiphys_objects_quarantined) > 0", "5m", "warning",
        "{{ $value }} actors of {{ $labels.room }} crashed too often and were put aside.",
        "each is tried again within ten minutes, or when its object changes",
    ),
    Alert(
        "TiphysCrashes", "rate(tiphys_actor_crashes_total[10m]) > 0.1", "10m", "warning",
        "Actors crash {{ $value | humanize }} times a second.",
        "one crash is repaired unseen; a rate is a bug",
    ),
    Alert(
        "TiphysObjectsStuck", "max by (kind) (tiphys_objects_stuck) > 0", "15m", "warning",
        "{{ $value }} objects of kind {{ $labels.kind }} are deleted and kept by our finalizer.",
        "a finalizer is removed with the write that records the outcome",
    ),
    Alert(
        "TiphysCronLate", "max(tiphys_cron_late_seconds) > 120", "2m", "warning",
        "A run of a CronWorkflow is {{ $value | humanizeDuration }} late.",
        "a run is submitted in the second it is due",
    ),
    Alert(
        "TiphysRestarts", "sum by (task) (increase(tiphys_supervised_restarts_total[15m])) > 3", "0m", "warning",
        "The task {{ $labels.task }} was restarted {{ $value | humanize }} times within 15 minutes.",
        "a supervised task restarts only after an exception",
    ),
    Alert(
        "TiphysMemory", "process_resident_memory_bytes{service=\"" + CONTROLLER + "\"} > 900000000", "10m", "warning",
        "The controller uses {{ $value | humanize1024 }}B; its limit is 1 GiB.",
        "the limit of the manifests, less a tenth",
    ),
)  # fmt: skip


def rules() -> dict[str, Any]:
    """A rule file of Prometheus."""
    return {"groups": [{"name": GROUP, "rules": [_rule(alert) for alert in ALERTS]}]}


def operator() -> Object:
    """The same for Prometheus' operator."""
    meta = {"name": CONTROLLER, "labels": dict(PART_OF)}
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": meta, "spec": rules()}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasts,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "description": alert.reason, "runbook": alert.page},
    }
