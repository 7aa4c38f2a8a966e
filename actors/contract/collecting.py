"""What a workflow wishes to become of its artifacts: which strategy holds for which of them. (AGC-1, AGC-2)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ON_COMPLETION, ON_DELETION = "OnWorkflowCompletion", "OnWorkflowDeletion"
DELETING = frozenset({ON_COMPLETION, ON_DELETION})


def wishes(spec: Mapping[str, Any], templates: Iterable[Mapping[str, Any]], *, logs: bool = False) -> set[str]:
    """The deleting strategies that hold for an artifact of one of a workflow's templates, or for the archived logs
    where a repository asks for these (`logs`)."""
    default = strategy_of(spec.get("artifactGC"), "")
    found = {default} if logs or spec.get("archiveLogs") else set()
    for template in templates:
        for artifact in (template.get("outputs") or {}).get("artifacts") or ():
            found.add(strategy_of(artifact.get("artifactGC"), default))
        if (template.get("archiveLocation") or {}).get("archiveLogs"):
            found.add(default)
    return found & DELETING


def strategy_of(section: Mapping[str, Any] | None, default: str) -> str:
    """The strategy that a section names; `Undefined` is upstream's word for none."""
    named = str((section or {}).get("strategy") or "")
    return default if named in ("", "Undefined") else named
