"""A database in memory that keeps the contract of the real one, and can be away. (tests/persistence verifies it)"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actors.database_messages import Archive, Expire
from actors.names.timestamps import seconds
from actors.packing import nodes_of
from runtime.api import Refused, Unavailable
from runtime.objects import Object
from tiphys.persistence.summary import persisted


@dataclass
class MemoryDatabase:
    """What `Databases` is to the rooms."""

    archived: dict[str, Object] = field(default_factory=dict)  # by uid
    away: bool = False
    refuses: set[str] = field(default_factory=set)  # names of workflows that it does not take
    asked: list[str] = field(default_factory=list)  # kinds of questions, in order

    async def ask(self, query: Any) -> Any:
        """Answer a question. Raises Unavailable, Refused."""
        self.asked.append(type(query).__name__)
        if self.away:
            raise Unavailable("the database does not answer")
        match query:
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
        nodes = nodes_of(status)
        status.pop("compressedNodes", None)
        kept = {**workflow, "metadata": {**meta, "labels": persisted(meta.get("labels"))}}
        self.archived[meta["uid"]] = {**kept, "status": {**status, "nodes": nodes}}
