"""What of a configuration is read and not acted upon, each with the reason or what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiphys.configuration.keys import Configuration

SAYS_NOTHING: Final = {
    "namespace": "which namespaces are looked after is said by --namespaced and --managed-namespace",
    "kubeConfig": "no pod of a workflow talks to the API server with a kubeconfig; use service accounts",
    "artifactDrivers": "drivers are Python packages in the executor's image, found by their entry points",
    "persistence": "there is no archive and no database for nodes yet (ARCHV-1, OFF-2)",
    "telemetryConfig": "metrics are scraped from one place, which metricsConfig is about",
    "podSpecLogStrategy": "pods are in the API server's audit log; nothing is logged of them here",
    "initlessPod": "a pod has an init container only when something must be there before its containers begin",
    "sso": "there is no server to sign on to yet (CLI-21)",
    "links": "there is no server to show them yet (UI-2)",
    "columns": "there is no server to show them yet (UI-2)",
    "navColor": "there is no server to show it yet (UI-2)",
}

METRICS_PORT: Final = 9090
EXECUTOR_OURS: Final = ("name", "command", "args", "volumeMounts")
"""Fields of `executor` that the helpers in a pod have of their own."""


def notices(read: Configuration) -> list[str]:
    """Every key that was given and changes nothing."""
    given = {key for key in read.model_fields_set if getattr(read, key)}
    told = [f"{key}: {why}" for key, why in SAYS_NOTHING.items() if key in given]
    told += [f"executor.{key}: the helpers in a pod have their own" for key in EXECUTOR_OURS if key in read.executor]
    metrics = read.metricsConfig
    if metrics.secure:
        told.append("metricsConfig.secure: metrics are served without TLS; put a proxy in front, or leave it out")
    if metrics.path != "/metrics":
        told.append("metricsConfig.path: metrics are at /metrics")
    if metrics.port != METRICS_PORT:
        told.append("metricsConfig.port: --http-address says where metrics are served")
    if not metrics.enabled:
        told.append("metricsConfig.enabled: metrics cost nothing until somebody scrapes them; leave the port closed")
    if metrics.options or metrics.temporality:
        told.append("metricsConfig: options and temporality are for OTLP, which is not spoken")
    if read.nodeEvents.sendAsPod:
        told.append("nodeEvents.sendAsPod: Events of nodes are about their workflow")
    if read.synchronization is not None and (read.synchronization.postgresql or read.synchronization.mysql):
        told.append("synchronization: locks of a database are not there yet (SYNC-4); use ConfigMaps and mutexes")
    return told
