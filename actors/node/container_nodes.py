"""The containers of a containerSet are nodes of their own: entries that follow the pod's status (CSET-5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from actors.messages import COMPLETED, POD_DELETED, Edge, NodeChanged, NodeStatus
from actors.names import ids
from actors.names.timestamps import rfc3339
from actors.node.assess import CONTAINER_DELETED
from actors.node.assessment import Assessment, ContainerVerdict
from actors.run import Call
from actors.unheard import new_status
from runtime.messages import Command, Tell

if TYPE_CHECKING:
    from actors.node.pod import PodNode


def on_record(call: Call) -> dict[str, ContainerVerdict]:
    """The containers of a call's set that the record knows, by their names: an earlier life has told of them."""
    found = (call.template.get("containerSet") or {}).get("containers") or ()
    known = {name: call.run.known.get(_id(call.run.name, call.node_name, name)) for name in _names(found)}
    return {
        name: ContainerVerdict(node.phase, node.message, node.started_at or "", node.finished_at or "")
        for name, node in known.items()
        if node is not None
    }


def close_containers(node: PodNode, now: float) -> list[Command]:
    """The pod's node has ended (killed, deleted): containers that were under way end with it, in its phase."""
    phase, message = node.status.phase, node.status.message
    message = CONTAINER_DELETED if message == POD_DELETED else message
    commands: list[Command] = []
    for name, verdict in node.told_containers.items():
        if verdict.phase not in COMPLETED:
            ended = ContainerVerdict(phase, message, verdict.started_at)
            node.told_containers[name] = ended
            commands.append(Tell(node.run.address, NodeChanged(_entry(node, name, ended, now), node.id)))
    return commands


def container_entries(node: PodNode, seen: Assessment, now: float) -> list[Command]:
    """Tell the journal of every container whose state is not what was told before: never an older one, which a cache
    may show after a restart."""
    containers = (node.instance.template.get("containerSet") or {}).get("containers") or ()
    commands: list[Command] = []
    for container in containers:
        verdict = seen.containers.get(container["name"])
        told = node.told_containers.get(container["name"])
        if verdict is None or told == verdict or (told is not None and _is_older(verdict, told)):
            continue
        first = told is None
        node.told_containers[container["name"]] = verdict
        entry = _entry(node, container["name"], verdict, now)
        commands.append(Tell(node.run.address, NodeChanged(entry, node.id)))
        if first:
            parents = [ids.container(node.status.name, need) for need in container.get("dependencies") or ()]
            parent_ids = tuple(ids.node_id(node.run.name, name) for name in parents) or (node.id,)
            commands.append(Tell(node.run.address, Edge(parent_ids, entry.id)))
    return commands


def last_containers(workflow: str, node_name: str, template: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the containers of a set on which no other one depends: what follows the pod hangs on them."""
    containers = (template.get("containerSet") or {}).get("containers") or ()
    needed = {need for container in containers for need in container.get("dependencies") or ()}
    return tuple(_id(workflow, node_name, name) for name in _names(containers) if name not in needed)


def _is_older(verdict: ContainerVerdict, told: ContainerVerdict) -> bool:
    return told.phase in COMPLETED or (told.phase == "Running" and verdict.phase == "Pending")


def _names(containers: Iterable[Mapping[str, Any]]) -> list[str]:
    return [container["name"] for container in containers]


def _id(workflow: str, node_name: str, container: str) -> str:
    return ids.node_id(workflow, ids.container(node_name, container))


def _entry(node: PodNode, name: str, verdict: ContainerVerdict, now: float) -> NodeStatus:
    status = new_status(
        ids.container(node.status.name, name), node.run, "Container", boundary_name=node.status.name,
        boundary_id=node.id, template_name=node.status.template_name, template_scope=node.status.template_scope,
        template_ref=node.status.template_ref, node_flag=node.status.node_flag,
    )  # fmt: skip
    finished = (verdict.finished_at or rfc3339(now)) if verdict.phase in COMPLETED else None
    done = "1/1" if verdict.phase == "Succeeded" else "0/1"
    return msgspec.structs.replace(
        status, phase=verdict.phase, message=verdict.message, progress=done,
        started_at=verdict.started_at or node.status.started_at, finished_at=finished,
    )  # fmt: skip
