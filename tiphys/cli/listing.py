"""Workflows as a table, one row each, as `list` prints them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from actors.names import timestamps
from runtime.objects import Object
from tiphys.cli import nodes as status
from tiphys.cli import show, table, tree

VALUE_MAX: Final = 50
"""Letters of a parameter's value that a row has room for."""


def lines(workflows: Sequence[Object], now: float, *, wide: bool, everywhere: bool, head: bool = True) -> list[str]:
    """The table; a sentence when there is nothing to show."""
    if not workflows:
        return ["No workflows found"]
    titles = ["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE"]
    titles = (["NAMESPACE"] if everywhere else []) + titles + (["P/R/C", "PARAMETERS"] if wide else [])
    rows = [_row(workflow, now, wide=wide, everywhere=everywhere) for workflow in workflows]
    return table.aligned(([titles] if head else []) + rows)


def _row(workflow: Object, now: float, *, wide: bool, everywhere: bool) -> list[str]:
    meta, spec = workflow["metadata"], workflow.get("spec") or {}
    state = status.status_of(workflow)
    cells = [
        str(meta.get("name", "")),
        show.decorated_phase(workflow) or "Pending",
        _age(meta.get("creationTimestamp"), now),
        tree.took(state, now) or "0s",
        str(spec.get("priority") or 0),
        status.text(state, "message"),
    ]
    if everywhere:
        cells.insert(0, str(meta.get("namespace", "")))
    if wide:
        cells += [_counts(workflow), _parameters(spec)]
    return [tree.one_line(cell) for cell in cells]


def _counts(workflow: Object) -> str:
    """Pods pending, running, completed."""
    phases = [
        status.text(node, "phase") for node in status.nodes_of(workflow).values() if status.text(node, "type") == "Pod"
    ]
    ended = sum(phase in status.FINAL_PHASES for phase in phases)
    return f"{phases.count('Pending')}/{phases.count('Running')}/{ended}"


def _parameters(spec: dict[str, Any]) -> str:
    entries = (spec.get("arguments") or {}).get("parameters") or []
    given = [entry for entry in entries if entry.get("value") is not None]
    return ",".join(f"{entry.get('name')}={_ends(str(entry['value']))}" for entry in given)


def _ends(value: str) -> str:
    """A long value by its beginning and its end, as upstream cuts it."""
    return value if len(value) <= VALUE_MAX else f"{value[:32]}...{value[-15:]}"


def _age(stamp: Any, now: float) -> str:
    try:
        return tree.duration(now - timestamps.seconds(stamp)) if isinstance(stamp, str) else ""
    except ValueError:
        return ""
