"""docs/metrics.md: every series and every alert as people read them, made of the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tiphys.observability.alerts import ALERTS, Alert
from tiphys.observability.registry import Listed, registry

HEAD: Final = """\
# Metrics

A controller is scraped at `/metrics` on `--http-address` (port 9090 of the Service `tiphys-controller`). Names of
upstream's controllers are upstream's, so dashboards of theirs go on working; `tiphys_…` are ours. What upstream has and
a controller without work queues cannot have (`queue_*`, `workers_busy_count`, `operation_duration_seconds`,
`client_rate_limiter_latency`, `resource_rate_limiter_latency`, `pod_missing`, `deprecated_feature`,
`workflow_condition`, `pod_restarts_total`, `*_reconcile*`, `notification_send*`,
`controller_clientset_k8s_request_total`) is not there: `tiphys_message_delay_seconds` and `tiphys_messages_waiting` say
what a queue's latency and depth would. `pods_total_count` counts phases of pods, as its name says; upstream those of
their nodes, so `Error` too and hardly ever `Pending`.

The last column is how many series of a metric there can be (of a histogram: sets of labels); the one that was measured
longest ago makes way. `TIPHYS_METRIC_SERIES_MAX` sets it for metrics whose labels name objects of users, and so does
`metricsConfig.metricsTTL` forget them. Metrics that workflows define themselves (`spec.metrics`) have the same limit.

Dashboards for Grafana are in [deploy/dashboards](../deploy/dashboards), rules for Prometheus in
[deploy/prometheus](../deploy/prometheus); both are made of the same list as this page
(`python -m tiphys.installation`).
"""

PARTS: Final = (
    ("The controller", ("tiphys_", "process_")),
    ("Workflows", ("argo_workflows_",)),
    ("Rollouts, analyses and experiments", ("rollout", "analysis_", "experiment_")),
)


def page() -> str:
    """The page's text."""
    lines = [HEAD]
    for title, prefixes in PARTS:
        listed = [entry for entry in registry() if entry.name.startswith(prefixes)]
        lines += [f"## {title}\n", *_table(listed), ""]
    lines += ["## Alerts\n", *_alerts(ALERTS)]
    return "\n".join(lines) + "\n"


def _table(listed: Sequence[Listed]) -> Iterator[str]:
    yield "| metric | kind | what | labels | at most |"
    yield "|---|---|---|---|---|"
    for entry in listed:
        labels = ", ".join(entry.metric.labels)
        yield f"| `{entry.name}` | {entry.metric.kind} | {entry.metric.help} | {labels} | {entry.most} |"


def _alerts(alerts: Sequence[Alert]) -> Iterator[str]:
    yield "| alert | fires | why this limit | page |"
    yield "|---|---|---|---|"
    for alert in alerts:
        expr = alert.expr.replace("|", "\\|")
        link = f"[{alert.name}](runbooks/{alert.name}.md)"
        yield f"| {alert.severity} | `{expr}` for {alert.lasts} | {alert.reason} | {link} |"
