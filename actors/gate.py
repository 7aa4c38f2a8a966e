"""A gate lets at most so many in at once, and nobody any more after a failure when it is to fail fast.

A boundary with `parallelism` or `failFast` has one for its direct children (PAR-4, FF-2), the workflow one for all
its pods (PAR-3). Where places are few they are given as upstream's walk through the tree comes to who wants them: what
has begun goes on before more is begun, and of a thousand items only as many are half done as there are places. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from actors.names import ids

FIRST: tuple[int, ...] = ()
PERMITS = "permits"  # the wake-up of whose gate it is, when it is time to let in
AS_ASKED = (0,)  # those of one order go in as they have asked


@dataclass
class Gate:
    """`limit` None lets everybody in; 0 nobody."""

    limit: int | None = None
    fail_fast: bool = False
    inside: set[str] = field(default_factory=set)
    patient: bool = False  # `admit` only notes that it is time to `let_in`, when all have asked who do so at one time
    due: bool = False  # it is
    waiting: dict[str, tuple[tuple[int, ...], int]] = field(default_factory=dict)  # their order, and when they asked
    queue: list[tuple[tuple[int, ...], int, str]] = field(default_factory=list)  # likewise, with some who have left
    asked: int = 0
    failed: bool = False
    held: bool = False  # nobody is let in while the workflow is suspended
    restored: set[str] = field(default_factory=set)  # were inside before a restart, and have not asked again yet
    staying: set[str] = field(default_factory=set)  # are inside, do nothing there, and will ask before they do
    owed: set[str] = field(default_factory=set)  # had been let in before a restart, and need no place until they ask
    doubtful: set[str] = field(default_factory=set)  # of those restored: may have left since, without a word of it
    names: dict[str, str] = field(default_factory=dict)  # of those who asked or were inside: where they stand

    def ask(self, who: str, name: str = "", order: tuple[int, ...] = AS_ASKED) -> list[str]:
        """`who`, the node of that name, wants in; answers who may enter now (asking twice changes nothing)."""
        self.names[who] = name
        if who in self.staying:
            self.staying.discard(who)
            return [] if self.closed else [who]
        if self._was_replaced(who):
            self.restored.discard(who)
            self.inside.discard(who)
            self._wait(who, FIRST)
            return []
        if self.remembers(who):
            self.restored.discard(who)
            self.owed.discard(who)
            self.inside.add(who)
            return [who, *self.admit()]
        if who not in self.inside and who not in self.waiting:
            self._wait(who, order)
        return self.admit()

    def _wait(self, who: str, order: tuple[int, ...]) -> None:
        self.asked += 1
        self.waiting[who] = (order, self.asked)
        heappush(self.queue, (order, self.asked, who))

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
        self.waiting = {who: place for who, place in self.waiting.items() if who not in gone}
        return self.admit()

    def admit(self) -> list[str]:
        """Let in whoever may enter now, or soon."""
        if self.patient:
            self.due = self.due or bool(self.waiting)
            return []
        return self.let_in()

    def let_in(self) -> list[str]:
        """Let in whoever may enter now."""
        self.due = False
        admitted = []
        while self.waiting and not self.closed and not self.held and self._has_room():
            order, asked, who = heappop(self.queue)
            if self.waiting.get(who) == (order, asked):
                del self.waiting[who]
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
