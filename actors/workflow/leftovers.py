"""Pods whose outcome is on record and that nobody has let go: what a restart owes to the controller before it.

Nodes that have ended are not started again, so each gets an actor that looks after its pod alone.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from actors.messages import node_from_json
from actors.names.timestamps import seconds
from actors.packing import nodes_of
from actors.run import Leftover, Run
from actors.templates import TemplateLibrary
from actors.workflow import agents
from runtime.messages import Address, Command, Spawn
from runtime.objects import Object

LOOKED_AFTER_S = 24 * 3600.0  # after its end: older workflows' pods are not worth an actor each at every restart


def leftovers(run: Run, workflow_phase: str = "", unwritten: Container[str] = ()) -> list[Command]:
    """Look after the pods of all nodes that have ended, of those that are `unwritten` once the record says so."""
    ended = [node for node in run.known.values() if node.type == "Pod" and node.ended]
    return [
        Spawn(run.node_address(node.id), Leftover(run, node, workflow_phase, recorded=node.id not in unwritten))
        for node in ended
    ]


def run_of_finished(address: Address, workflow: Object, now: float) -> Run | None:
    """What is left of a workflow that is over, as far as its pods are concerned; None when that was long ago."""
    status: Mapping[str, Any] = workflow.get("status") or {}
    if not status.get("finishedAt") or now - seconds(status["finishedAt"]) > LOOKED_AFTER_S:
        return None
    spec = status.get("storedWorkflowTemplateSpec") or workflow.get("spec") or {}
    known = {key: node_from_json(entry) for key, entry in nodes_of(status).items()}
    return Run(address, spec, TemplateLibrary(f"local/{address.name}"), {}, known)


def leftovers_of_finished(run: Run, workflow: Object) -> list[Command]:
    """Look after the pods of all nodes of a workflow that is over."""
    return [*leftovers(run, (workflow.get("status") or {}).get("phase") or ""), *agents.traces(run)]
