"""The pod of a node that had ended before this controller lived: released and collected, and nothing else.

Its outcome is on record, so nobody starts the node again; but whoever recorded it may have died before the pod was let
go. A node whose pod is no longer there has nothing to do. (PGC-1..4.)
"""

from __future__ import annotations

from typing import Any

from actors.node.manifest_request import PodSettings
from actors.node.pod import PodNode
from actors.node.pod_maker import RELEASE
from actors.run import Call, Leftover
from actors.templates import Resolved
from runtime.messages import Command, Read, WakeAt
from runtime.objects import Object, Reference

LOOK_S = 2.0  # within which the cache has told of every pod that there is
LOOKED = "leftover:looked"


class LeftoverNode(PodNode):
    """A node at its very end."""

    def __init__(self, leftover: Leftover, settings: PodSettings) -> None:
        node = leftover.node
        template = node.template_name or (node.template_ref or {}).get("template", "")
        resolved = Resolved({"name": template, "container": {}}, template, node.template_scope)
        run = leftover.run
        super().__init__(Call(run, run.address, node.name, node.boundary_id, "", resolved), settings)
        self.status = node
        self.begun = self.introduced = True
        self.recorded = leftover.recorded
        self.ended_phase = leftover.workflow_phase
        self.given_name = leftover.pod
        self.earlier: set[str] = set()  # uids that the cache has shown before it was looked for
        self.unseen = self.vanished = leftover.unseen  # the cache need not have its pod: it is looked for

    @property
    def pod_name(self) -> str:
        """The pod's own, where it is known; else what the record says."""
        return self.given_name or super().pod_name

    def started(self, now: float) -> list[Command]:
        """Wait until the cache has told of the pod, if there is one."""
        return [WakeAt(now + LOOK_S, LOOKED)]

    def observed(self, ref: Reference, thing: Object, now: float) -> list[Command]:
        """The pod is now so; but what a cache shows that need not have it may be another one of that name before it."""
        if not self.unseen or ref.name != self.pod_name:
            return super().observed(ref, thing, now)
        self.earlier.add(thing["metadata"]["uid"])
        return []

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """It was looked for: what the cache has shown of others is late."""
        if self.unseen and isinstance(command, Read) and command.tag == RELEASE:
            self.unseen = False
            self.gone_uids |= self.earlier - {result["metadata"]["uid"]}
        return super().done(command, result, now)

    def woke(self, tag: str, now: float) -> list[Command]:
        """Without a pod by now there is none, unless the cache need not know."""
        if tag == LOOKED and self.unseen:
            return [Read(self._reference(), RELEASE)]
        if tag == LOOKED:
            self.released = self.released or self.pod is None
            return []
        return super().woke(tag, now)
