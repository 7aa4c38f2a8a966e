"""The containers of a containerSet are nodes of their own: entries that follow the pod's status (CSET-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.messages import Edge, NodeChanged, NodeStatus
from actors.names import ids
from actors.node.assessment import Assessment, ContainerVerdict
from actors.node.behaviour import new_status
from runtime.messages import Command, Tell

if TYPE_CHECKING:
    from actors.node.pod import PodNode


def container_entries(node: PodNode, seen: Assessment) -> list[Command]:
    """Tell the journal of every container whose state is not what was told before."""
    containers = (node.instance.template.get("containerSet") or {}).get("containers") or ()
    commands: list[Command] = []
    for container in containers:
        verdict = seen.containers.get(container["name"])
        if verdict is None or node.told_containers.get(container["name"]) == verdict:
            continue
        first = container["name"] not in node.told_containers
        node.told_containers[container["name"]] = verdict
        entry = _entry(node, container["name"], verdict)
        commands.append(Tell(node.run.address, NodeChanged(entry, node.id)))
        if first:
            parents = [ids.container(node.status.name, need) for need in container.get("dependencies") or ()]
            parent_ids = tuple(ids.node_id(node.run.name, name) for name in parents) or (node.id,)
            commands.append(Tell(node.run.address, Edge(parent_ids, entry.id)))
    return commands


def _entry(node: PodNode, name: str, verdict: ContainerVerdict) -> NodeStatus:
    status = new_status(
        ids.container(node.status.name, name), node.run, "Container", boundary_name=node.status.name,
        boundary_id=node.id, template_name=node.status.template_name, template_scope=node.status.template_scope,
    )  # fmt: skip
    done = "1/1" if verdict.phase == "Succeeded" else "0/1"
    return msgspec.structs.replace(
        status, phase=verdict.phase, message=verdict.message, progress=done,
        started_at=verdict.started_at or node.status.started_at, finished_at=verdict.finished_at or None,
        outputs={"exitCode": verdict.exit_code} if verdict.exit_code else None,
    )  # fmt: skip
