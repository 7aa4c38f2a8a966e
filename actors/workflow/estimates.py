"""How long a workflow and its nodes will take: as long as the last successful run like it. (EST-1.)

Alike are workflows of the same template, cluster template or CronWorkflow. Nobody waits for an estimate: it is in the
writes that follow.
"""

from __future__ import annotations

from actors.history_messages import HISTORY, AskBaseline, Baseline
from actors.names import labels
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Tell

ALIKE = (labels.WORKFLOW_TEMPLATE, labels.CLUSTER_WORKFLOW_TEMPLATE, labels.CRON_WORKFLOW)


def ask(state: WorkflowState) -> list[Command]:
    """Ask how long the last one took; nothing for a workflow that is like no other, or that knows already."""
    if not state.limits.estimates or "estimatedDuration" in state.status_extra:
        return []
    have = {**((state.object or {}).get("metadata", {}).get("labels") or {}), **state.labels_extra}
    label = next((label for label in ALIKE if label in have), None)
    return [Tell(HISTORY, AskBaseline(label, have[label]))] if label else []


def heard(state: WorkflowState, word: Baseline) -> None:
    """Take the estimates in."""
    if state.ended or state.run is None or not word.duration_s:
        return
    state.status_extra["estimatedDuration"] = word.duration_s
    state.journal.estimates = {f"{state.run.name}{rest}": took for rest, took in word.nodes.items()}
    state.journal.dirty.update(dict.fromkeys(state.journal.unended))
