"""Namespaces take turns: a queue with a lane for each, so that ten thousand of one do not stand before one of another.

Within a lane the first come is the first served. A queue may have several fences: what stands behind one that is shut
waits, without holding up what stands behind another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeAlias, TypeVar

Item = TypeVar("Item")
Fence: TypeAlias = Callable[[], bool]
"""Whether what stands behind it may be taken now."""


class Turns(Generic[Item]):
    """The lanes. One that is empty is forgotten."""

    __slots__ = ("_lanes", "_length", "_ring")

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Item]] = {}
        self._ring: deque[str] = deque()  # the lanes in the order of their turns
        self._length = 0

    def append(self, lane: str, item: Item) -> None:
        """The last of its lane."""
        self._lane(lane).append(item)
        self._length += 1

    def appendleft(self, lane: str, item: Item) -> None:
        """The first of its lane."""
        self._lane(lane).appendleft(item)
        self._length += 1

    def _lane(self, lane: str) -> deque[Item]:
        found = self._lanes.get(lane)
        if found is None:
            found = self._lanes[lane] = deque()
            self._ring.append(lane)
        return found

    def popleft(self) -> Item:
        """The first of the lane whose turn it is. Raises IndexError when nothing waits."""
        lane = self._ring[0]
        waiting = self._lanes[lane]
        item = waiting.popleft()
        self._length -= 1
        if waiting:
            self._ring.rotate(-1)
        else:
            self._ring.popleft()
            del self._lanes[lane]
        return item

    def __iter__(self) -> Iterator[Item]:
        return (item for lane in self._lanes.values() for item in lane)

    def __len__(self) -> int:
        return self._length


class Fenced(Generic[Item]):
    """Lanes behind fences, which take turns, too."""

    __slots__ = ("_behind",)

    def __init__(self) -> None:
        self._behind: dict[Fence, Turns[Item]] = {}

    def append(self, fence: Fence, lane: str, item: Item) -> None:
        """The last of its lane."""
        self._turns(fence).append(lane, item)

    def appendleft(self, fence: Fence, lane: str, item: Item) -> None:
        """The first of its lane."""
        self._turns(fence).appendleft(lane, item)

    def _turns(self, fence: Fence) -> Turns[Item]:
        found = self._behind.get(fence)
        if found is None:
            found = self._behind[fence] = Turns()
        return found

    def take(self) -> Item | None:
        """The next one that no fence holds back; None when there is none."""
        for fence, turns in self._behind.items():
            if turns and fence():
                if len(self._behind) > 1:
                    self._behind[fence] = self._behind.pop(fence)  # the others come first the next time
                return turns.popleft()
        return None

    def open(self) -> int:
        """How many could be taken now."""
        return sum(len(turns) for fence, turns in self._behind.items() if turns and fence())

    def __len__(self) -> int:
        return sum(map(len, self._behind.values()))
