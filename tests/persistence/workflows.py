"""Finished workflows, and an archive of an empty database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.names.timestamps import rfc3339
from tiphys.persistence.archive import Archive
from tiphys.persistence.engine import Store
from tiphys.persistence.migrations import archive_plan, migrate
from tiphys.persistence.tables import archive_tables


def finished(
    name: str,
    namespace: str = "default",
    *,
    uid: str = "u",
    phase: str = "Succeeded",
    started: float = 1000.0,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A workflow that took ten seconds."""
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "creationTimestamp": rfc3339(started - 5),
            "labels": dict(labels or {}),
        },
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
        "status": {
            "phase": phase, "startedAt": rfc3339(started), "finishedAt": rfc3339(started + 10),
            "nodes": {name: {"id": name, "name": name, "phase": phase}},
        },
    }  # fmt: skip


async def archived(store: Store, cluster: str = "default", instance_id: str = "") -> Archive:
    """The archive of a database whose tables are there."""
    tables = archive_tables()
    await migrate(store, archive_plan(tables))
    return Archive(store, tables, cluster, instance_id)
