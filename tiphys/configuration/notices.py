"""What of a configuration is read and not acted upon, each with the reason or what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiphys.configuration.databases import Synchronization
    from tiphys.configuration.keys import Configuration

SAYS_NOTHING: Final = {
    "namespace": "which namespaces are looked after is said by --namespaced and --managed-namespace",
    "kubeConfig": "no pod of a workflow talks to the API server with a kubeconfig; use service accounts",
    "artifactDrivers": "drivers are Python packages in the executor's image, found by their entry points",
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
    return [*told, *_of_databases(read)]


def _of_databases(read: Configuration) -> list[str]:
    told = []
    kept = read.persistence
    if kept is not None:
        if kept.mysql:
            told.append("persistence.mysql: PostgreSQL and SQLite are spoken: nothing is archived")
        elif (kept.archive or kept.nodeStatusOffLoad) and kept.postgresql is None and kept.sqlite is None:
            lost = "nothing is archived" if kept.archive else "no nodes are moved to one"
            told.append(f"persistence: it names no database (postgresql or sqlite): {lost}")
        if kept.reconnectionConfig or kept.dbReconnectConfig:
            told.append("persistence.reconnectionConfig: a database that is away is asked again, however long it takes")
        if kept.postgresql is not None and (kept.postgresql.azureToken or kept.postgresql.awsRDSToken):
            told.append("persistence.postgresql: tokens of Azure and AWS are not made here; name a passwordSecret")
    locks = read.synchronization
    if locks is not None:
        told += _of_locks(locks)
    return told


def _of_locks(locks: Synchronization) -> list[str]:
    told = []
    if locks.mysql:
        told.append("synchronization.mysql: PostgreSQL and SQLite are spoken: no database keeps locks")
    if locks.postgresql is not None and (locks.postgresql.azureToken or locks.postgresql.awsRDSToken):
        told.append("synchronization.postgresql: tokens of Azure and AWS are not made here; name a passwordSecret")
    if locks.reconnectionConfig or locks.dbReconnectConfig:
        told.append("synchronization.reconnectionConfig: a database that is away is asked again, each pollSeconds")
    if locks.enableAPI:
        told.append("synchronization.enableAPI: there is no server; `tiphys sync` writes limits into the database")
    if not locks.controllerName and (locks.postgresql or locks.sqlite):
        told.append(
            "synchronization.controllerName: it is empty; controllers that share locks need a name of their own each"
        )
    return told
