"""When a workflow's status is written: soon, and the less often the longer a large one takes."""

from __future__ import annotations

import pytest

from actors.workflow import writing
from actors.workflow.state import WorkflowSettings, WorkflowState
from runtime.messages import Address, WakeAt

INLINE = WorkflowSettings().inline_bytes


@pytest.mark.parametrize(
    ("took_s", "size", "window_s"),
    [
        (0.001, 100, 0.2),
        (0.02, 100, 1.0),
        (0.2, 100, 2.0),
        (30.0, INLINE, 2.0),
        (0.02, INLINE + 1, 1.0),
        (0.1, INLINE + 1, 5.0),
        (30.0, INLINE + 1, 10.0),
    ],
)
def test_one_slow_write_silences_a_small_workflow_for_two_seconds_at_most(
    took_s: float, size: int, window_s: float
) -> None:
    state = WorkflowState(Address("workflow", "default", "w", "uid"), object={"metadata": {"name": "w"}})
    state.write_took_s = took_s
    state.journal.pack.size = size

    assert writing.changed(state, state.limits, 100.0) == [WakeAt(100.0 + window_s, writing.FLUSH)]
