"""A database in memory that keeps the contract of the real one, and can be away. (tests/persistence verifies it)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson

from actors.database_messages import Archive, Expire, ForgetNodes, LoadNodes, SaveNodes
from actors.names.timestamps import seconds
from actors.packing import nodes_of
from runtime.api import Gone, Refused, Unavailable
from runtime.objects import Object
from tiphys.persistence.nodes import version_of
from tiphys.persistence.summary import persisted


@dataclass
class MemoryDatabase:
    """What `Databases` is to the rooms."""

    archived: dict[str, Object] = field(default_factory=dict)  # by uid
    away: bool = False
    refuses: set[str] = field(default_factory=set)  # names of workflows that it does not take
    asked: list[str] = field(default_factory=list)  # kinds of questions, in order
    nodes: dict[tuple[str, str], tuple[bytes, float]] = field(default_factory=dict)  # uid, version -> JSON, when saved
    failures: int = 0  # that were made to happen
    struck: Callable[[str, Any], bool] = lambda moment, query: False  # "before" or "after": whether it fails there

    async def ask(self, query: Any) -> Any:
        """Answer a question. Raises Unavailable, Refused."""
        self.asked.append(type(query).__name__)
        if self.away:
            raise Unavailable("the database does not answer")
        if self.struck("before", query):
            raise Unavailable("the database did not take it")
        answer = self._answer(query)
        if self.struck("after", query):
            raise Unavailable("the database's answer was lost")
        return answer

    def _answer(self, query: Any) -> Any:
        match query:
            case SaveNodes(uid, _, nodes):
                self.nodes[uid, version_of(nodes)] = nodes, anyio.current_time()
                return version_of(nodes)
            case LoadNodes(uid, version):
                if (uid, version) not in self.nodes:
                    raise Gone(f"the database has no nodes {version} of the workflow {uid}")
                return orjson.loads(self.nodes[uid, version][0])
            case ForgetNodes():
                return self._forget(query)
            case Archive(workflow):
                return self._archive(workflow)
            case Expire(before):
                old = [uid for uid, thing in self.archived.items() if seconds(thing["status"]["finishedAt"]) < before]
                for uid in old:
                    del self.archived[uid]
                return len(old)
        raise Refused(f"{type(query).__name__} is no question to a database")

    def _archive(self, workflow: Object) -> None:
        meta, status = workflow["metadata"], dict(workflow["status"])
        if meta["name"] in self.refuses:
            raise Refused("the database refuses: too long")
        nodes = self.whole(workflow)["status"]["nodes"]
        status.pop("compressedNodes", None)
        status.pop("offloadNodeStatusVersion", None)
        kept = {**workflow, "metadata": {**meta, "labels": persisted(meta.get("labels"))}}
        self.archived[meta["uid"]] = {**kept, "status": {**status, "nodes": nodes}}

    def _forget(self, query: ForgetNodes) -> int:
        now, old = anyio.current_time(), []
        for (uid, version), (_, saved_at) in self.nodes.items():
            named = query.known.get(uid)
            if named is None:
                needed = not (query.strangers or uid in query.gone)
            else:
                at = self.nodes.get((uid, named), (b"", float("-inf")))[1]
                needed = version == named or saved_at >= at
            if not needed and now - saved_at > query.older_s:
                old.append((uid, version))
        for one in old:
            del self.nodes[one]
        return len(old)

    def whole(self, workflow: Object) -> Object:
        """A workflow with the nodes that are kept here."""
        status = workflow.get("status") or {}
        version = status.get("offloadNodeStatusVersion")
        if not version:
            return {**workflow, "status": {**status, "nodes": nodes_of(status)}}
        kept = orjson.loads(self.nodes[workflow["metadata"]["uid"], version][0])
        return {**workflow, "status": {**status, "nodes": kept}}
