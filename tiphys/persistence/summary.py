"""What a list shows of an archived workflow, and the workflow that a list makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from actors.names import labels
from actors.names.timestamps import rfc3339, seconds

META, SPEC = ("labels", "annotations"), ("suspend", "arguments", "priority")
STATUS = ("message", "progress", "estimatedDuration", "resourcesDuration")


def summary_of(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that a list shows beside what has columns."""
    parts = (("metadata", META), ("spec", SPEC), ("status", STATUS))
    return {part: _only(workflow.get(part) or {}, fields) for part, fields in parts}


def _only(whole: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: whole[field] for field in fields if whole.get(field) is not None}


def listed(row: Any) -> dict[str, Any]:
    """The workflow of a row without its templates and nodes, as upstream's lists have it."""
    parts: Mapping[str, Any] = row.summary or {}
    meta, status = dict(parts.get("metadata") or {}), dict(parts.get("status") or {})
    meta |= {"name": row.name, "namespace": row.namespace, "uid": row.uid}
    meta["creationTimestamp"] = stamp(row.creationtimestamp or row.startedat)
    meta["labels"] = persisted(meta.get("labels"))
    status |= {"phase": row.phase, "startedAt": stamp(row.startedat), "finishedAt": stamp(row.finishedat)}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": meta, "spec": dict(parts.get("spec") or {}), "status": status,
    }  # fmt: skip


def persisted(known: Mapping[str, str] | None) -> dict[str, str]:
    """Labels of a workflow that was read back. (ARCHV-1)"""
    return {**(known or {}), labels.ARCHIVING_STATUS: "Persisted"}


def moment(text: Any) -> datetime:
    """A time of an object as a column has it: UTC, without saying so. An absent one is the beginning of the epoch."""
    at = seconds(text) if isinstance(text, str) and text else 0.0
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def stamp(at: datetime) -> str:
    """A column's time as objects have it."""
    return rfc3339(at.replace(tzinfo=UTC).timestamp())
