"""A workflow that is to be archived says so with its end, by a label; the archive room changes it when it is.

(ARCHV-1)
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.names import labels
from actors.names.label_selectors import selects
from actors.workflow.state import WorkflowState


def mark(state: WorkflowState, have: Mapping[str, str]) -> dict[str, str]:
    """The label that the last write of a workflow sets; none for one that is not archived, or was marked already.

    `have` are its labels as they are to be. Who runs it again takes the mark away."""
    selector = state.limits.archive
    if selector is None or state.closed or have.get(labels.ARCHIVING_STATUS) or not selects(selector, have):
        return {}
    return {labels.ARCHIVING_STATUS: "Pending"}
