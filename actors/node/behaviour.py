"""What every node does: keep its status, tell its parent and the journal, stop when it is done.

A behaviour is the state of a node's actor. Each kind of node overrides what it reacts to; nothing here waits.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.messages import COMPLETED, EXECUTABLE, ChildChanged, Edited, NodeChanged, NodeStatus, Phase
from actors.names.timestamps import rfc3339
from actors.run import Run
from runtime.api import ApiError
from runtime.messages import Address, Command, Stop, Tell
from runtime.objects import Object, Reference


class Behaviour:
    """One node: its place in the tree and its status."""

    def __init__(self, run: Run, parent: Address, status: NodeStatus) -> None:
        self.run = run
        self.parent = parent
        self.status = status
        self.live: set[str] = set()  # node ids of children whose actors live
        self.awake = False  # it has begun to read

    @property
    def retires(self) -> bool:
        """Nothing is left to do for this node; it goes when its children have gone."""
        return self.status.ended

    @property
    def id(self) -> str:
        """The node's id."""
        return self.status.id

    @property
    def address(self) -> Address:
        """The node's own actor."""
        return self.run.node_address(self.id)

    # ------------------------------------------------------------------ what may be overridden

    def started(self, now: float) -> list[Command]:
        """The first message of the actor's life."""
        raise AssertionError(f"{type(self).__name__} does not start")

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """Another actor says something."""
        del sender, word, now
        return []

    def observed(self, ref: Reference, thing: Object, now: float) -> list[Command]:
        """An object of this node (its pod) is now so."""
        del ref, thing, now
        return []

    def gone(self, ref: Reference, now: float) -> list[Command]:
        """An object of this node is no longer there."""
        del ref, now
        return []

    def woke(self, tag: str, now: float) -> list[Command]:
        """A wake-up has come."""
        del tag, now
        return []

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """A command was performed."""
        del command, result, now
        return []

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """A command was not performed."""
        del command, error, now
        return []

    def child_ended(self, child: Address, crash: str, now: float) -> list[Command]:
        """A child's actor is gone; `crash` is the exception's text when it crashed."""
        del child, crash, now
        return []

    def waiting(self) -> str:
        """One sentence: what this node waits for."""
        return f"{self.status.type} node is {self.status.phase or 'not begun'}"

    # ------------------------------------------------------------------ what all share

    def leaves(self) -> frozenset[str]:
        """The phases that reach whatever hangs on this node's outbound nodes (§ phase computation: branch phase)."""
        return frozenset({self.status.phase}) if self.status.phase in COMPLETED else frozenset()

    def outbound(self) -> tuple[str, ...]:
        """The nodes that whatever follows this one hangs on."""
        return (self.id,)

    def now_is(self, phase: Phase, now: float, message: str = "", **fields: Any) -> None:
        """Take on a phase, with the times and the progress that go with it. A final phase is never left.

        The clock that tells of its end may not be that of its beginning, and may be behind it: it ends then at once."""
        changes: dict[str, Any] = {"phase": phase, "message": message, **fields}
        if not self.status.started_at:
            changes["started_at"] = rfc3339(now)
        if phase in {"Succeeded", "Failed", "Error", "Skipped", "Omitted"} and not self.status.finished_at:
            started = changes.get("started_at") or self.status.started_at or ""
            changes["finished_at"] = max(changes.get("finished_at") or rfc3339(now), started)
        if self.status.type in EXECUTABLE and not self.status.progress:
            changes["progress"] = "0/1"
        if self.status.type in EXECUTABLE and phase in {"Succeeded", "Skipped", "Omitted"}:
            total = (changes.get("progress") or self.status.progress).rpartition("/")[2]
            changes["progress"] = f"{total}/{total}"
        self.status = msgspec.structs.replace(self.status, **changes)

    def announce(self, *, wants_record: bool = False, **more: Any) -> list[Command]:
        """Tell the journal, then the parent, what this node now is."""
        changed = NodeChanged(self.status, self.parent.part, wants_record)
        return [
            Tell(self.run.address, changed),
            Tell(self.parent, ChildChanged(self.status, self.outbound(), leaves=self.leaves(), **more)),
        ]

    def never_began(self) -> list[Command]:
        """End without ever having had an entry in the status."""
        return [Tell(self.parent, ChildChanged(self.status, ())), Stop()]

    def edited(self, word: Edited, now: float) -> list[Command]:
        """Somebody wrote this node's entry: most nodes keep what they are and put it on record again."""
        del word, now
        return [Tell(self.run.address, NodeChanged(self.status, self.parent.part))]
