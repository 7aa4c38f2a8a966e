"""The nodes of a finished workflow for its collector, also where a database keeps them. (AGC-5, OFF-3)"""

from __future__ import annotations

from typing import Any

from actors.database_messages import DATABASE, LoadNodes, SaveNodes
from actors.packing import VERSION, NodePack, version_of
from runtime.messages import Ask
from runtime.objects import Object


class KeptNodes:
    """The nodes that were read or saved last, and the workflow that waits for its own."""

    def __init__(self) -> None:
        self.version = ""
        self.nodes: dict[str, Any] = {}
        self.awaited: Object | None = None

    def whole(self, workflow: Object) -> Object | None:
        """The workflow with its nodes; None when they have to be read first."""
        version = version_of(workflow)
        if not version:
            return workflow
        if version != self.version:
            self.awaited = workflow
            return None
        status = workflow["status"]
        return {**workflow, "status": {**status, "nodes": {**self.nodes, **(status.get("nodes") or {})}}}

    def load(self, tag: str) -> Ask:
        """Read those of the workflow that waits."""
        assert self.awaited is not None
        return Ask(DATABASE, LoadNodes(self.awaited["metadata"]["uid"], version_of(self.awaited)), tag)

    def loaded(self, query: LoadNodes, nodes: dict[str, Any]) -> Object:
        """They were read: the workflow that has waited, with them."""
        assert self.awaited is not None
        self.version, self.nodes = query.version, nodes
        workflow, self.awaited = self.awaited, None
        status = workflow["status"]
        return {**workflow, "status": {**status, "nodes": {**nodes, **(status.get("nodes") or {})}}}

    def save(self, workflow: Object, pack: NodePack, tag: str) -> Ask:
        """Keep changed nodes of a workflow."""
        meta = workflow["metadata"]
        return Ask(DATABASE, SaveNodes(meta["uid"], meta.get("namespace") or "", pack.json()), tag)


def named(version: str) -> dict[str, Any]:
    """The merge patch of a status whose nodes are there under this version."""
    return {"nodes": None, "compressedNodes": None, VERSION: version}
