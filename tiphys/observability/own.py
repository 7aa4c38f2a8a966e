"""Metrics that no actor measures of itself: they are read off the running system, or measured around it.

Names without a prefix are upstream's Rollouts', to the letter; those of `UPSTREAM` get upstream's prefix for workflows.
"""

from __future__ import annotations

from typing import Final

from actors.rollout.metrics import ROLLOUT_METRICS
from runtime.metric import Metric

DELAYS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OBJECT: Final = ("namespace", "name")

LOOP_DELAY: Final = Metric(
    "tiphys_loop_delay_seconds", "histogram", "How late the event loop wakes who slept.", (), DELAYS
)
LOOP_STALLS: Final = Metric(
    "tiphys_loop_stalls_total", "counter", "Times that the event loop was late by 100 ms or more."
)
MESSAGE_DELAY: Final = Metric(
    "tiphys_message_delay_seconds", "histogram", "How long a message waits until its actor reads it.", (), DELAYS
)
OLDEST_MESSAGE: Final = Metric(
    "tiphys_oldest_message_seconds", "gauge", "Age of the oldest message that waits, as a probe among them has it."
)
STUCK: Final = Metric(
    "tiphys_objects_stuck", "gauge", "Objects that were deleted ten minutes ago and that our finalizer still keeps.",
    ("kind",),
)  # fmt: skip
QUARANTINED: Final = Metric("tiphys_objects_quarantined", "gauge", "Objects whose actor was put aside.", ("room",))
CRON_DUE: Final = Metric("tiphys_cron_runs_due", "gauge", "Runs of CronWorkflows that are due and not submitted.")
CRON_LATE: Final = Metric(
    "tiphys_cron_late_seconds", "gauge", "How late the run is that has been due for the longest time."
)
MEMORY: Final = Metric("process_resident_memory_bytes", "gauge", "Memory of the process, as every exporter has it.")
CPU: Final = Metric("process_cpu_seconds_total", "counter", "CPU time of the process, as every exporter has it.")

OWN: Final = (
    LOOP_DELAY, LOOP_STALLS, MESSAGE_DELAY, OLDEST_MESSAGE, STUCK, QUARANTINED, CRON_DUE, CRON_LATE, MEMORY, CPU,
)  # fmt: skip

ROLLOUT_INFO: Final = Metric(
    "rollout_info", "gauge", "Information about a Rollout.", (*_OBJECT, "strategy", "traffic_router", "phase")
)
ROLLOUT_PHASE: Final = Metric(
    "rollout_phase", "gauge", "The phase of a Rollout (upstream: use rollout_info).", (*_OBJECT, "strategy", "phase")
)
REPLICAS: Final = {
    name: Metric(f"rollout_info_replicas_{name}", "gauge", f"Replicas of a Rollout that are {name}.", _OBJECT)
    for name in ("available", "unavailable", "desired", "updated")
}
RUN_INFO: Final = Metric("analysis_run_info", "gauge", "Information about an AnalysisRun.", (*_OBJECT, "phase"))
RUN_PHASE: Final = Metric(
    "analysis_run_phase", "gauge", "The phase of an AnalysisRun (upstream: use analysis_run_info).", (*_OBJECT, "phase")
)
RUN_METRIC_TYPE: Final = Metric(
    "analysis_run_metric_type", "gauge", "The provider of an AnalysisRun's metric.", (*_OBJECT, "metric", "type")
)
RUN_METRIC_PHASE: Final = Metric(
    "analysis_run_metric_phase", "gauge", "The phase of an AnalysisRun's metric.",
    (*_OBJECT, "metric", "type", "dry_run", "phase"),
)  # fmt: skip
TEMPLATE_INFO: Final = Metric("analysis_template_info", "gauge", "Information about an AnalysisTemplate.", _OBJECT)
TEMPLATE_METRIC_INFO: Final = Metric(
    "analysis_template_metric_info", "gauge", "The metrics of an AnalysisTemplate.", (*_OBJECT, "type", "metric")
)
EXPERIMENT_INFO: Final = Metric("experiment_info", "gauge", "Information about an Experiment.", (*_OBJECT, "phase"))
EXPERIMENT_PHASE: Final = Metric(
    "experiment_phase", "gauge", "The phase of an Experiment (upstream: use experiment_info).", (*_OBJECT, "phase")
)

OF_OBJECTS: Final = (
    ROLLOUT_INFO, ROLLOUT_PHASE, *REPLICAS.values(), RUN_INFO, RUN_PHASE, RUN_METRIC_TYPE, RUN_METRIC_PHASE,
    TEMPLATE_INFO, TEMPLATE_METRIC_INFO, EXPERIMENT_INFO, EXPERIMENT_PHASE,
)  # fmt: skip
"""A series or more for each object there is, at most as many as an installation allows; a deleted one's go with it."""

DECLARED: Final = (*ROLLOUT_METRICS, *OWN, *OF_OBJECTS)
"""For `runtime.system.Settings.metrics`."""

IS_LEADER: Final = Metric("is_leader", "gauge", "1 while this process holds the lease.")
VERSION: Final = Metric("version", "gauge", "The version, with the value 1.", ("version", "platform", "compiler"))
REQUESTS: Final = Metric(
    "k8s_request_total", "counter", "Requests to the Kubernetes API.", ("kind", "verb", "status_code")
)
REQUEST_DURATION: Final = Metric(
    "k8s_request_duration", "histogram", "Seconds that requests to the Kubernetes API took.",
    ("kind", "verb", "status_code"), (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 180.0),
)  # fmt: skip
_LOCK: Final = ("type", "storage", "lock_name", "namespace")
LOCKS_HELD: Final = Metric("locks_held", "gauge", "How many hold a lock.", _LOCK)
LOCKS_PENDING: Final = Metric("locks_pending", "gauge", "How many wait for a lock.", _LOCK)
LOG_MESSAGES: Final = Metric("log_messages", "counter", "Lines that were logged.", ("level",))

UPSTREAM: Final = (IS_LEADER, VERSION, REQUESTS, REQUEST_DURATION, LOCKS_HELD, LOCKS_PENDING, LOG_MESSAGES)
"""Upstream's for workflows, beside those that actors measure (actors/upstream_metrics.py)."""
