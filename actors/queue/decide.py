"""Who may run: never more workflows than allowed, in all and in each namespace, the most urgent first.

Higher priority first, then the older workflow. A namespace that is full holds back nobody of another one. A limit of
zero is none. Who runs is never sent back, even when a limit is lowered. Pure. (PAR-1, PAR-2, PRI-1.)
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """Where somebody stands in a queue: the lowest is first."""

    negative_priority: int
    created: str
    number: int  # of arrival: decides between those of one second


class Entry(NamedTuple):
    """Somebody who waits."""

    place: Place
    who: Hashable


@dataclass
class Turns:
    """All who run and all who wait, by namespace."""

    limit: int = 0  # in all
    namespace_limit: int = 0  # in each namespace that has none of its own
    own_limits: dict[str, int] = field(default_factory=dict)
    paused: bool = False  # nobody is let in while it is not known who runs
    running: dict[Hashable, str] = field(default_factory=dict)  # who -> namespace
    waiting: dict[Hashable, tuple[str, Place]] = field(default_factory=dict)
    queues: dict[str, list[Entry]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)  # namespace -> how many run
    arrivals: int = 0

    def ask(self, who: Hashable, namespace: str, priority: int, created: str) -> list[Hashable]:
        """`who` wants to run, with this priority; answers all who may run now."""
        if who in self.running:
            return [who]
        number = self.waiting[who][1].number if who in self.waiting else self.arrivals
        self.arrivals += 1
        self._drop(who)
        place = Place(-priority, created, number)  # no two are the same: a queue can be searched for one
        self.waiting[who] = (namespace, place)
        insort(self.queues.setdefault(namespace, []), Entry(place, who), key=_place_of)
        return self.admit()

    def runs(self, who: Hashable, namespace: str) -> None:
        """`who` runs, whatever the limits say."""
        self._drop(who)
        if who not in self.running:
            self.running[who] = namespace
            self.counts[namespace] += 1

    def leave(self, who: Hashable) -> list[Hashable]:
        """`who` has finished or gone; answers all who may run now."""
        self._drop(who)
        namespace = self.running.pop(who, None)
        if namespace is not None:
            self.counts[namespace] -= 1
            self.counts += Counter()  # forgets namespaces where nobody runs
        return self.admit()

    def admit(self) -> list[Hashable]:
        """Let in as many as may run now, the most urgent first."""
        admitted: list[Hashable] = []
        while not self.paused and not (self.limit and len(self.running) >= self.limit):
            heads = [queue[0] for namespace, queue in self.queues.items() if self._has_room(namespace)]
            if not heads:
                break
            best = min(heads, key=_place_of)
            self.runs(best.who, self.waiting[best.who][0])
            admitted.append(best.who)
        return admitted

    def _has_room(self, namespace: str) -> bool:
        limit = self.own_limits.get(namespace, self.namespace_limit)
        return not limit or self.counts[namespace] < limit

    def _drop(self, who: Hashable) -> None:
        found = self.waiting.pop(who, None)
        if found is None:
            return
        namespace, place = found
        queue = self.queues[namespace]
        del queue[bisect_left(queue, place, key=_place_of)]
        if not queue:
            del self.queues[namespace]


def _place_of(entry: Entry) -> Place:
    return entry.place
