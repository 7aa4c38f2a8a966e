"""Metrics that upstream's controller has too, under its names: what every room may measure. (§ metrics.)

Those about queues, workers and rate limiters are not here: there are none. The runtime's own metrics say how actors,
caches and API calls fare.
"""

from __future__ import annotations

from typing import Final

from runtime.messages import Measure
from runtime.metric import Metric

NEW: Final = "New"  # what a workflow made of a template is counted as before it has a phase
PREFIX: Final = "argo_workflows_"  # of all of them, and of the ones that workflows define

_ENTERED = Metric("total_count", "counter", "Workflows that have entered a phase.", ("phase", "namespace"))
_GAUGE = Metric("gauge", "gauge", "Workflows in the cluster by their phase.", ("phase",))
_PODS = Metric("pods_gauge", "gauge", "Pods of workflows in the cluster by their phase.", ("phase",))
_PODS_ENTERED = Metric("pods_total_count", "counter", "Pods that have entered a phase.", ("phase", "namespace"))
_PENDING = Metric("pod_pending_count", "counter", "Pods that wait, by the reason.", ("reason", "namespace"))
_OF_TEMPLATE = ("name", "namespace", "cluster_scope")
_TRIGGERED = Metric(
    "workflowtemplate_triggered_total", "counter", "Phases that workflows made of a template have entered.",
    (*_OF_TEMPLATE, "phase"),
)  # fmt: skip
_RUNTIME = Metric(
    "workflowtemplate_runtime", "histogram", "Seconds that workflows made of a template took.", _OF_TEMPLATE,
    (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0),
)  # fmt: skip
_LOCK = ("type", "storage", "lock_name", "namespace")
_TAKEN = Metric("locks_taken_total", "counter", "How often a lock was given.", _LOCK)


def entered(phase: str, namespace: str) -> Measure:
    """A workflow has entered a phase."""
    return _measure(_ENTERED, 1.0, phase, namespace)


def workflows(phase: str, number: int) -> Measure:
    """So many workflows are in a phase."""
    return _measure(_GAUGE, number, phase)


def pods(phase: str, number: int) -> Measure:
    """So many pods are in a phase."""
    return _measure(_PODS, number, phase)


def pod_entered(phase: str, namespace: str) -> Measure:
    """A pod has entered a phase."""
    return _measure(_PODS_ENTERED, 1.0, phase, namespace)


def pod_waits(reason: str, namespace: str) -> Measure:
    """A pod waits, for this reason."""
    return _measure(_PENDING, 1.0, reason, namespace)


def template_triggered(name: str, namespace: str, phase: str, *, cluster: bool) -> Measure:
    """A workflow made of a template has entered a phase."""
    return _measure(_TRIGGERED, 1.0, name, namespace, str(cluster).lower(), phase)


def template_took(name: str, namespace: str, took_s: float, *, cluster: bool) -> Measure:
    """A workflow made of a template has ended."""
    return _measure(_RUNTIME, took_s, name, namespace, str(cluster).lower())


def lock_taken(key: str) -> Measure:
    """A lock was given."""
    return _measure(_TAKEN, 1.0, *lock_labels(key))


def lock_labels(key: str) -> tuple[str, str, str, str]:
    """The type, the storage, the name and the namespace of a lock."""
    namespace, kind, name = (*key.split("/", 2), "", "")[:3]
    types = {
        "Mutex": ("mutex", "configmap"),  # upstream's word for what no database keeps
        "ConfigMap": ("semaphore", "configmap"),
        "DatabaseMutex": ("mutex", "database"),
    }
    type_, storage = types.get(kind, ("semaphore", "database"))
    return type_, storage, name, namespace


def _measure(metric: Metric, value: float, *labels: str) -> Measure:
    return Measure(metric.name, float(value), tuple(zip(metric.labels, labels, strict=True)), declared=metric)
