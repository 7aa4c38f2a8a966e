"""One node's actor without a world: its mind is told things by hand, and its commands are looked at."""

from __future__ import annotations

from typing import Any

from actors.messages import NodeStatus
from actors.names import ids, labels
from actors.node.behaviour import Behaviour
from actors.node.mind import NodeMind
from actors.node.pod_maker import Begin
from actors.run import Call, Run
from actors.templates import Resolved, TemplateLibrary
from runtime.messages import Address, Command, Message, Observed, Started, Told
from runtime.objects import PODS, Object, reference

WORKFLOW = Address("workflow", "default", "w", "uid-of-w")
LEAF: dict[str, Any] = {"name": "leaf", "container": {"image": "busybox", "command": ["true"]}}
NOW = 1_800_000_000.0


def a_run(**known: NodeStatus) -> Run:
    """A workflow `w` under way."""
    found = {entry.id: entry for entry in known.values()}
    return Run(WORKFLOW, {}, TemplateLibrary("local/w"), {}, found)


def a_call(run: Run, template: dict[str, Any] = LEAF, name: str = "w.A") -> Call:
    """A template about to run as a node."""
    return Call(run, WORKFLOW, name, "w", "w", Resolved(template, template["name"], "local/w"))


class Played:
    """A node that is told one thing after the other."""

    def __init__(self, call: Call) -> None:
        self.mind = NodeMind()
        self.call = call
        self.state: Behaviour = self.mind.birth(call.address, call)

    def hears(self, message: Message, now: float = NOW) -> list[Command]:
        """What it does about a message."""
        return list(self.mind.receive(self.state, message, now))

    def told(self, word: Any, sender: Address = WORKFLOW) -> list[Command]:
        """What it does about another actor's word."""
        return self.hears(Told(sender, word))

    def hears_of_birth(self) -> list[Command]:
        """The first message of its life."""
        return self.hears(Started(0))

    def hears_begin(self) -> list[Command]:
        """All that there was has been told."""
        return self.told(Begin(), self.call.address)

    def begins(self) -> list[Command]:
        """From its birth to the moment when it knows what there was."""
        return [*self.hears_of_birth(), *self.hears_begin()]

    def sees(self, pod: Object) -> list[Command]:
        """Its pod is so."""
        return self.hears(Observed(reference(PODS, pod), pod))


def a_pod(call: Call, phase: str = "Pending", uid: str = "one", version: str = "7") -> Object:
    """The pod of a node, as it was made for it."""
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "w", "uid": WORKFLOW.uid}
    ended = {"state": {"terminated": {"exitCode": 0}}} if phase == "Succeeded" else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": ids.pod_name("w", call.node_name, call.resolved.name), "namespace": "default", "uid": uid,
            "resourceVersion": version, "labels": {labels.WORKFLOW: "w"},
            "annotations": {labels.NODE_ID: call.id, labels.NODE_NAME: call.node_name},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "main", **ended}]},
    }  # fmt: skip


def of(kind: type[Any], commands: list[Command]) -> list[Any]:
    """Those commands that are of one kind."""
    return [command for command in commands if isinstance(command, kind)]
