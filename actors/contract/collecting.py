"""What a workflow wishes to become of its artifacts: which strategy holds for which of them. (AGC-1, AGC-2)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ON_COMPLETION, ON_DELETION = "OnWorkflowCompletion", "OnWorkflowDeletion"
DELETING = frozenset({ON_COMPLETION, ON_DELETION})


def wishes(spec: Mapping[str, Any], templates: Iterable[Mapping[str, Any]]) -> set[str]:
    """The deleting strategies that a workflow, or an artifact of one of its templates, asks for."""
    default = strategy_of(spec.get("artifactGC"), "")
    found = {default}  # of archived logs, too
    for template in templates:
        for artifact in (template.get("outputs") or {}).get("artifacts") or ():
            found.add(strategy_of(artifact.get("artifactGC"), default))
    return found & DELETING


def strategy_of(section: Mapping[str, Any] | None, default: str) -> str:
    """The strategy that a section names; `Undefined` is upstream's word for none."""
    named = str((section or {}).get("strategy") or "")
    return default if named in ("", "Undefined") else named
