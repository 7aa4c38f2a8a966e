"""What a workflow's actor knows of its nodes in the database: the version on record, and what is on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.messages import WriteStatus
from runtime.objects import Object


@dataclass
class Offload:
    """Empty for a workflow whose status has its nodes itself."""

    version: str = ""  # that the status on record names
    write: WriteStatus | None = None  # waits for its nodes to be in the database
    saved: bool = False  # the write under way follows such a wait
    asked: str = ""  # the version that is being read
    awaited: Object | None = None  # the workflow that is taken in once its nodes have been read
    read: tuple[str, dict[str, dict[str, Any]]] | None = None  # what was read last, until it has been taken in
    lost: str = ""  # what the database said of a version that it does not have
    trouble: str = ""  # why it took or gave no nodes when it was last asked
    since: float = 0.0  # when that began (epoch seconds)
    told: bool = False  # an Event says so
    rests: bool = False  # it is not to be asked now
    failures: int = 0  # in a row

    @property
    def holds(self) -> bool:
        """Whether nothing may be written: the database is to be asked later, or the newest record is not known yet."""
        return self.rests or self.awaited is not None
