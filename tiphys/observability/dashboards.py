"""Grafana's dashboards, made of the registry: a panel names a metric that exists, with the help it has there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from tiphys.observability.registry import registry

WIDTH, HEIGHT, ACROSS = 8, 7, 3
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    """A graph of one expression; its title is the metric's help where none is given."""

    metric: str
    expr: str
    unit: str = "short"
    legend: str = ""
    title: str = ""


def rate(metric: str, by: str = "", unit: str = "ops") -> Panel:
    """How fast a counter grows."""
    group = f" by ({by})" if by else ""
    return Panel(metric, f"sum{group} (rate({metric}[$__rate_interval]))", unit, f"{{{{{by}}}}}" if by else "")


def now(metric: str, by: str = "", unit: str = "short", how: str = "sum") -> Panel:
    """A gauge as it is."""
    group = f" by ({by})" if by else ""
    return Panel(metric, f"{how}{group} ({metric})", unit, f"{{{{{by}}}}}" if by else "")


def slowest(metric: str, share: float = 0.99) -> Panel:
    """What so large a share of all observations does not exceed."""
    expr = f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket[$__rate_interval])))"
    return Panel(metric, expr, "s", f"p{share * 100:g}")


CONTROLLER: Final = (
    now("tiphys_leader", "lease", how="max"),
    now("tiphys_actors", "room"),
    rate("tiphys_messages_total"),
    slowest("tiphys_message_delay_seconds"),
    now("tiphys_oldest_message_seconds", unit="s", how="max"),
    now("tiphys_messages_waiting"),
    now("tiphys_mailbox_deepest", how="max"),
    slowest("tiphys_loop_delay_seconds"),
    rate("tiphys_loop_stalls_total"),
    rate("tiphys_commands_total", "outcome"),
    now("tiphys_commands_waiting"),
    now("tiphys_commands_window", how="max"),
    rate("argo_workflows_k8s_request_total", "verb"),
    slowest("argo_workflows_k8s_request_duration"),
    now("tiphys_cache_silent_seconds", "resource", "s", "max"),
    now("tiphys_cache_objects", "resource"),
    rate("tiphys_cache_events_total", "resource"),
    rate("tiphys_actor_crashes_total"),
    now("tiphys_objects_quarantined", "room"),
    now("tiphys_objects_stuck", "kind", how="max"),
    rate("tiphys_supervised_restarts_total", "task"),
)
WORKFLOWS: Final = (
    now("argo_workflows_gauge", "phase"),
    rate("argo_workflows_total_count", "phase"),
    now("argo_workflows_pods_gauge", "phase"),
    rate("argo_workflows_pods_total_count", "phase"),
    rate("argo_workflows_pod_pending_count", "reason"),
    rate("argo_workflows_error_count", "cause"),
    now("argo_workflows_locks_held", "lock_name"),
    now("argo_workflows_locks_pending", "lock_name"),
    rate("argo_workflows_cronworkflows_triggered_total", "name"),
    now("tiphys_cron_runs_due"),
    now("tiphys_cron_late_seconds", unit="s", how="max"),
    rate("argo_workflows_workflowtemplate_triggered_total", "name"),
    slowest("argo_workflows_workflowtemplate_runtime", 0.5),
)
ROLLOUTS: Final = (
    now("rollout_info", "phase", how="count"),
    now("rollout_info_replicas_desired"),
    now("rollout_info_replicas_available"),
    now("rollout_info_replicas_unavailable"),
    now("rollout_info_replicas_updated"),
    rate("rollout_events_total", "reason"),
    slowest("rollout_duration_seconds", 0.5),
    slowest("rollout_progression_duration_seconds", 0.5),
    now("analysis_run_info", "phase", how="count"),
    now("analysis_run_metric_phase", "phase", how="count"),
    now("experiment_info", "phase", how="count"),
)
ALL: Final = {"tiphys-controller": CONTROLLER, "tiphys-workflows": WORKFLOWS, "tiphys-rollouts": ROLLOUTS}


def files() -> dict[str, str]:
    """Each dashboard as the JSON that Grafana imports, by its file's name."""
    return {f"{uid}.json": json.dumps(_dashboard(uid, panels), indent=1) + "\n" for uid, panels in ALL.items()}


def _dashboard(uid: str, panels: Sequence[Panel]) -> dict[str, Any]:
    source = {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": uid,
        "title": uid.replace("-", " ").capitalize(),
        "tags": ["tiphys"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": list(_panels(panels)),
    }


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    helps = {entry.name: entry.metric.help for entry in registry()}
    for at, panel in enumerate(panels):
        column, row = at % ACROSS, at // ACROSS
        target = {"refId": "A", "expr": panel.expr, "legendFormat": panel.legend, "datasource": SOURCE}
        yield {
            "id": at + 1,
            "type": "timeseries",
            "title": panel.title or helps[panel.metric].rstrip("."),
            "description": panel.metric,
            "datasource": SOURCE,
            "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [target],
        }
