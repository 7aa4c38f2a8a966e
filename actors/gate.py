"""A gate lets at most so many in at once, and nobody any more after a failure when it is to fail fast.

A boundary with `parallelism` or `failFast` has one for its direct children (PAR-4, FF-2), the workflow one for all
its pods (PAR-3). First come, first served; pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.names import ids


@dataclass
class Gate:
    """`limit` None lets everybody in; 0 nobody."""

    limit: int | None = None
    fail_fast: bool = False
    inside: set[str] = field(default_factory=set)
    waiting: OrderedDict[str, None] = field(default_factory=OrderedDict)  # in the order of their asking
    failed: bool = False
    held: bool = False  # nobody is let in while the workflow is suspended
    restored: set[str] = field(default_factory=set)  # were inside before a restart, and have not asked again yet
    staying: set[str] = field(default_factory=set)  # are inside, do nothing there, and will ask before they do
    owed: set[str] = field(default_factory=set)  # had been let in before a restart, and need no place until they ask
    doubtful: set[str] = field(default_factory=set)  # of those restored: may have left since, without a word of it
    names: dict[str, str] = field(default_factory=dict)  # of those who asked or were inside: where they stand

    def ask(self, who: str, name: str = "") -> list[str]:
        """`who`, the node of that name, wants in; answers who may enter now (asking twice changes nothing)."""
        self.names[who] = name
        if who in self.staying:
            self.staying.discard(who)
            return [] if self.closed else [who]
        if self._was_replaced(who):
            self.restored.discard(who)
            self.inside.discard(who)
            self.waiting[who] = None
            self.waiting.move_to_end(who, last=False)
            return []
        if self.remembers(who):
            self.restored.discard(who)
            self.owed.discard(who)
            self.inside.add(who)
            return [who, *self.admit()]
        if who not in self.inside and who not in self.waiting:
            self.waiting[who] = None
        return self.admit()

    def restore(self, places: Mapping[str, str], *, doubtful: bool = False) -> None:
        """These nodes, with their names, were inside when the record was written, or are found there: their places
        stay theirs. Of those who are `doubtful` others may have the places by now."""
        self.doubtful.difference_update(places)
        self.doubtful.update(places.keys() - self.inside if doubtful else ())
        self.restored.update(places)
        self.inside |= self.restored
        self.names.update(places)

    def vacate(self, who: str) -> list[str]:
        """What `who` had been let in for before a restart is over, and it has not asked again: what comes before it
        may need the place. Answers who may enter now."""
        if who not in self.restored:
            return []
        self.restored.discard(who)
        self.inside.discard(who)
        self.owed.add(who)
        return self.admit()

    def leave(self, who: str, *, failed: bool = False, stays: bool = False) -> list[str]:
        """`who` has ended or gives up waiting; answers who may enter now. With `stays` its place is kept for it."""
        self.failed = self.failed or failed
        kept = stays and not self.closed and who in self.inside
        for places in (self.restored, self.owed, self.staying, set() if kept else self.inside):
            places.discard(who)
        if kept:
            self.staying.add(who)
        else:
            self.names.pop(who, None)
        self.waiting.pop(who, None)
        return self.admit()

    def forsake(self, above: str) -> list[str]:
        """The actor of the node of that name has crashed, and with it went all below it: whatever they have asked for
        or got, nobody would ever give it back. Answers who may enter now."""
        gone = {who for who, name in self.names.items() if name == above or ids.is_below(name, above)}
        for who in gone:
            del self.names[who]
        for places in (self.restored, self.owed, self.staying, self.inside, self.doubtful):
            places.difference_update(gone)
        self.waiting = OrderedDict.fromkeys(who for who in self.waiting if who not in gone)
        return self.admit()

    def admit(self) -> list[str]:
        """Let in whoever may enter now."""
        admitted = []
        while self.waiting and not self.closed and not self.held and self._has_room():
            who, _ = self.waiting.popitem(last=False)
            self.inside.add(who)
            admitted.append(who)
        return admitted

    @property
    def stuck(self) -> bool:
        """Whether all places are kept for those who have not asked again, and others wait for one."""
        full = bool(self.waiting) and not self.closed and not self.held and not self._has_room()
        return full and self.inside <= self.restored

    def remembers(self, who: str) -> bool:
        """Whether `who` had been let in before a restart and has not asked again."""
        return who in self.restored or who in self.owed

    def _was_replaced(self, who: str) -> bool:
        """Whether others have its place: more were inside than may be, so some had left and that was not written."""
        doubtful = who in self.doubtful and who in self.restored and who not in self.owed
        return doubtful and self.limit is not None and len(self.inside) > self.limit

    @property
    def closed(self) -> bool:
        """Nobody will ever be let in again."""
        return self.fail_fast and self.failed

    def _has_room(self) -> bool:
        return self.limit is None or len(self.inside) < self.limit
