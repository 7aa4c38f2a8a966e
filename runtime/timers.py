"""All wake-ups wait in one heap, ordered by wall time; one per owner and tag.

The heap is asked "what is due at this wall time?", so a wake-up never comes before its hour, also when the clocks of
the machine drift apart, and a step of the wall clock is noticed at the next look. A cancelled entry stays in the heap
until it comes up or until cancelled ones are the majority: cancelling costs O(1).
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

Owner = TypeVar("Owner")

COMPACT_MIN = 64
"""Below this many cancelled entries the heap is not rebuilt: it would cost more than it frees."""


class _Entry(Generic[Owner]):
    __slots__ = ("at", "owner", "tag")

    def __init__(self, at: float, owner: Owner, tag: str) -> None:
        self.at = at
        self.owner: Owner | None = owner  # None: cancelled
        self.tag = tag


class Timers(Generic[Owner]):
    """Wake-ups of any kind of owner. Owners are told apart by hash and equality (actors: by identity)."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Entry[Owner]]] = []  # equal times come up in the order of asking
        self._by_owner: dict[Owner, dict[str, _Entry[Owner]]] = {}
        self._numbers = count()
        self._cancelled = 0

    def set(self, owner: Owner, tag: str, at: float) -> None:
        """Wake `owner` with `tag` at wall time `at`; replaces the timer of that tag."""
        tags = self._by_owner.setdefault(owner, {})
        if tag in tags:
            self._strike(tags[tag])
        entry = tags[tag] = _Entry(at, owner, tag)
        heapq.heappush(self._heap, (at, next(self._numbers), entry))

    def cancel(self, owner: Owner, tag: str) -> None:
        """Forget the timer of that tag; nothing happens when there is none."""
        tags = self._by_owner.get(owner)
        if tags is None or tag not in tags:
            return
        self._strike(tags.pop(tag))
        if not tags:
            del self._by_owner[owner]

    def cancel_all(self, owner: Owner) -> None:
        """Forget every timer of `owner` (its life has ended)."""
        for entry in self._by_owner.pop(owner, {}).values():
            self._strike(entry)

    def _strike(self, entry: _Entry[Owner]) -> None:
        entry.owner = None
        self._cancelled += 1
        if self._cancelled >= COMPACT_MIN and self._cancelled * 2 > len(self._heap):
            self._heap = [waiting for waiting in self._heap if waiting[2].owner is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def due(self, now: float) -> list[tuple[Owner, str]]:
        """Take out all whose time has come, earliest first."""
        found: list[tuple[Owner, str]] = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)[2]
            owner = entry.owner
            if owner is None:
                self._cancelled -= 1
                continue
            tags = self._by_owner[owner]
            del tags[entry.tag]
            if not tags:
                del self._by_owner[owner]
            found.append((owner, entry.tag))
        return found

    def next_at(self) -> float | None:
        """The wall time of the earliest timer; None when none is set."""
        while self._heap and self._heap[0][2].owner is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0][0] if self._heap else None

    def of(self, owner: Owner) -> dict[str, float]:
        """The timers of `owner`: tag -> wall time."""
        return {tag: entry.at for tag, entry in self._by_owner.get(owner, {}).items()}

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled
