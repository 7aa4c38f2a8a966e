"""Which finished workflows go, and which one says how long the next will take. Pure. (TTL-3, EST-1.)"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from actors.names import labels
from actors.names.timestamps import seconds
from actors.packing import nodes_of

Kind: TypeAlias = tuple[str, str, str]  # namespace, label, value

ESTIMATED_BY = (labels.WORKFLOW_TEMPLATE, labels.CLUSTER_WORKFLOW_TEMPLATE, labels.CRON_WORKFLOW)
"""Labels that make workflows alike: the first one that a workflow has decides."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many finished workflows of each phase are kept; None: all."""

    completed: int | None = None
    failed: int | None = None
    errored: int | None = None

    def kept(self, phase: str) -> int | None:
        """How many of a phase."""
        return {"Succeeded": self.completed, "Failed": self.failed, "Error": self.errored}.get(phase)


@dataclass
class Finished:
    """All finished workflows, by their phase, and the successful ones by what they are like."""

    by_phase: dict[str, dict[Hashable, str]] = field(default_factory=dict)  # phase -> who -> when it was created
    alike: dict[Kind, dict[Hashable, str]] = field(default_factory=dict)
    places: dict[Hashable, tuple[str, list[Kind]]] = field(default_factory=dict)  # who -> where it stands above

    def add(self, who: Hashable, workflow: Mapping[str, Any]) -> None:
        """`who` is finished."""
        phase, created = _phase(workflow), workflow["metadata"].get("creationTimestamp") or ""
        kinds = _kinds(workflow) if phase == "Succeeded" else []
        self.places[who] = (phase, kinds)
        self.by_phase.setdefault(phase, {})[who] = created
        for kind in kinds:
            self.alike.setdefault(kind, {})[who] = created

    def drop(self, who: Hashable) -> None:
        """`who` is gone, or runs again."""
        phase, kinds = self.places.pop(who, ("", []))
        self.by_phase.get(phase, {}).pop(who, None)
        for kind in kinds:
            self.alike[kind].pop(who, None)
            if not self.alike[kind]:
                del self.alike[kind]

    def beyond(self, retention: Retention) -> list[Hashable]:
        """Who is to go: all but the newest of each phase."""
        gone: list[Hashable] = []
        for phase, known in self.by_phase.items():
            kept = retention.kept(phase)
            if kept is not None and len(known) > kept:
                oldest_first = sorted(known, key=lambda who: known[who])
                gone += oldest_first[: len(known) - kept]
        return gone

    def newest(self, namespace: str, label: str, value: str) -> Hashable | None:
        """The newest successful workflow of a kind."""
        known = self.alike.get((namespace, label, value), {})
        return max(known, key=lambda who: known[who], default=None)


def durations(
    workflow: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[int, dict[str, int]]:
    """How many whole seconds a finished workflow took, and each of its nodes by the rest of its name; `nodes` are they
    where its status has them not."""
    status = workflow.get("status") or {}
    name = workflow["metadata"]["name"]
    found = nodes_of(status) if nodes is None else nodes
    took = {str(node.get("name") or "").replace(name, "", 1): _took(node) for node in found.values() if _took(node)}
    return _took(status), took


def _took(record: Mapping[str, Any]) -> int:
    began, ended = record.get("startedAt"), record.get("finishedAt")
    return max(0, int(seconds(ended) - seconds(began))) if began and ended else 0


def _phase(workflow: Mapping[str, Any]) -> str:
    return str((workflow.get("status") or {}).get("phase") or "")


def _kinds(workflow: Mapping[str, Any]) -> list[Kind]:
    meta = workflow["metadata"]
    have = meta.get("labels") or {}
    return [(meta.get("namespace") or "", label, have[label]) for label in ESTIMATED_BY if label in have]
