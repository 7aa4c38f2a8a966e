"""A steps template: groups one after the other, each when the one before is complete. (STEP-1..11.)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from actors.messages import ChildChanged, Edge, NodeChanged, NodeStatus
from actors.names import ids
from actors.node.boundary import Boundary
from actors.node.called import FAILED_FAST
from actors.node.crash import crashed
from actors.node.group import GroupCall
from runtime.messages import Address, Command, Spawn, Tell


class StepsNode(Boundary):
    """Runs one group at a time."""

    kind = "steps"
    index = -1  # of the group that runs
    group: NodeStatus | None = None  # what it has said last
    follows: tuple[str, ...] = ()  # the nodes that the next group hangs on
    passed: frozenset[str] = frozenset()  # the phases that the last group passes on
    empty = False  # the last group made no calls

    def begin(self, now: float) -> list[Command]:
        """Start the first group."""
        if self.status.phase in {"", "Pending"}:
            self.now_is("Running", now)
        self.follows = (self.id,)
        return [*self.announce(), *self._next(now)]

    def _next(self, now: float) -> list[Command]:
        groups = self.instance.template.get("steps") or []
        self.index += 1
        if self.index >= len(groups):
            return self.conclude("Succeeded", now)
        call = GroupCall(
            run=self.run, parent=self.address, node_name=self._group_name(),
            place=replace(self.place(), order=(*self.call.order, self.index)),
            steps=tuple(groups[self.index]), scope=self.scope, node_type="StepGroup", parents=self.follows,
        )  # fmt: skip
        self.group = call.unheard()
        return [Tell(self.run.address, Edge(self.follows, call.address.part)), Spawn(call.address, call)]

    def _group_name(self) -> str:
        return ids.step_group(self.status.name, self.index)

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """The running group has changed."""
        if not isinstance(word, ChildChanged):
            return super().told(sender, word, now)
        if word.status.name != self._group_name():
            return []
        self.group = word.status
        if not self.group.ended:
            return []
        if self.status.ended:
            return self._record(self.group, word)
        self.daemons += word.daemons
        self.follows, self.passed = word.outbound, word.leaves
        self.empty = word.outbound == (self.group.id,)
        if self.failed_fast and not self._went_on:  # whatever became of its calls
            self.group = msgspec.structs.replace(self.group, phase="Failed", message=FAILED_FAST)
        return [*self._record(self.group, word), *self._group_ended(self.group, word, now)]

    def _group_ended(self, group: NodeStatus, word: ChildChanged, now: float) -> list[Command]:
        if group.failed:
            return self.conclude("Failed", now, group.message)
        if word.error:  # what its loops have made together cannot be read (LOOP-8)
            return [*self.end_daemons(), *self.erred(word.error, now)]
        self.scope.update(word.variables)
        return self._next(now)

    @property
    def _went_on(self) -> bool:
        """Whether the group after this one is on record: what closed the gate may stand there, or later."""
        following = ids.step_group(self.status.name, self.index + 1)
        return ids.node_id(self.run.name, following) in self.run.known

    def _record(self, group: NodeStatus, word: ChildChanged) -> list[Command]:
        """Put a group's end on record: the last word on it is the template's (FF-2). An end on record from an earlier
        life stays where the group then could not go on: others may have followed it."""
        return [Tell(self.run.address, NodeChanged(group, self.id, crashed=bool(word.error)))]

    def review(self, now: float) -> list[Command]:
        """The running group decides."""
        del now
        return []

    def child_ended(self, child: Address, crash: str, now: float) -> list[Command]:
        """A group's actor crashed: the group is an Error."""
        if not crash or self.group is None or child.part != self.group.id:
            return []
        return crashed(self.run, self.address, self.group, crash, now)

    def outbound(self) -> tuple[str, ...]:
        """The ends of the last group that ran."""
        return (self.id,) if self.empty else self.follows or (self.id,)

    def leaves(self) -> frozenset[str]:
        """What its last group passes on; where that made no calls, it is an end itself."""
        return self.passed if self.passed and self.status.ended and not self.empty else super().leaves()

    def waiting(self) -> str:
        """The group that runs."""
        return f"for step group [{self.index}]" if self.begun else "for a permit to begin"
