"""A workflow's PodDisruptionBudget is there while it runs: made at the start, deleted once the end is on record.

It never holds the workflow up: one that the server refuses is a warning in the status. What is deleted is what was
seen to be the workflow's own, by its uid. (POD-7.)
"""

from __future__ import annotations

from typing import Any

from actors.names import labels
from actors.workflow.state import WorkflowState
from runtime.api import AlreadyExists, ApiError, Gone, Refused
from runtime.messages import Command, Create, Delete, Read, WakeAt
from runtime.objects import DISRUPTION_BUDGETS, Object, Reference, owner_uid

BUDGET = "budget"  # tag
AGAIN = "claim:budget"  # the wake-up after an API server that did not answer
ASKED = "?"  # its uid is not known yet
RETRY_S = 2.0


def create(state: WorkflowState, owner: dict[str, Any]) -> list[Command]:
    """Make the budget that the spec asks for, owned by the workflow."""
    wished = state.running.spec.get("podDisruptionBudget")
    if not wished:
        return []
    state.budget = ASKED
    name, namespace = state.address.name, state.address.namespace
    thing: Object = {
        "apiVersion": DISRUPTION_BUDGETS.api_version, "kind": DISRUPTION_BUDGETS.kind,
        "metadata": {
            "name": name, "namespace": namespace, "labels": {labels.WORKFLOW: name}, "ownerReferences": [owner],
        },
        "spec": {"selector": {"matchLabels": {labels.WORKFLOW: name}}, **wished},
    }  # fmt: skip
    return [Create(DISRUPTION_BUDGETS, thing, BUDGET)]


def drop(state: WorkflowState) -> list[Command]:
    """Delete the budget, if it is known to be there."""
    if not state.budget or state.budget == ASKED:
        return []
    return [Delete(_reference(state, state.budget), tag=BUDGET)]


def answered(state: WorkflowState, command: Command, result: Object | None) -> list[Command]:
    """It has been made, looked at, or deleted."""
    if isinstance(command, Delete) or result is None:
        state.budget = ""
        return []
    if owner_uid(result) != state.address.uid:
        return _without(state, f"PodDisruptionBudget {state.address.name} exists already and is not this workflow's")
    state.budget = result["metadata"]["uid"]
    return drop(state) if state.closed else []


def refused(state: WorkflowState, command: Command, error: ApiError, now: float) -> list[Command]:
    """Look whose it is when one is there; ask again when nobody answered; else go on without."""
    if isinstance(error, AlreadyExists):
        return [Read(_reference(state), BUDGET)]
    if isinstance(error, Gone | Refused):
        if isinstance(command, Delete):
            state.budget = ""
            return []
        return _without(state, f"the PodDisruptionBudget cannot be made: {error.message}")
    return [WakeAt(now + RETRY_S, AGAIN)]


def _without(state: WorkflowState, warning: str) -> list[Command]:
    state.budget = ""
    state.warnings.append(f"spec.podDisruptionBudget: {warning}")
    return []


def _reference(state: WorkflowState, uid: str = "") -> Reference:
    return Reference(DISRUPTION_BUDGETS, state.address.namespace, state.address.name, uid)
