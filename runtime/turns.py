"""Namespaces take turns: a queue with a lane for each, so that ten thousand of one do not stand before one of another.

Within a lane the first come is the first served, or the most urgent one. A queue may have several fences: what stands
behind one that is shut waits, without holding up what stands behind another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Generic, Protocol, TypeAlias, TypeVar

Item = TypeVar("Item")
Fence: TypeAlias = Callable[[], bool]
"""Whether what stands behind it may be taken now."""


class Lane(Protocol[Item]):
    """What waits in one namespace; a deque is one."""

    def append(self, item: Item, /) -> None:
        """The last."""
        ...

    def appendleft(self, item: Item, /) -> None:
        """The first."""
        ...

    def popleft(self) -> Item:
        """The next."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


class Ranks(Generic[Item]):
    """A lane in which lower ranks go first; `rank` says which an item is of, from 0 to `highest`."""

    __slots__ = ("_queues", "_rank")

    def __init__(self, rank: Callable[[Item], int], highest: int) -> None:
        self._rank = rank
        self._queues: tuple[deque[Item], ...] = tuple(deque() for _ in range(highest + 1))

    def append(self, item: Item) -> None:
        """The last of its rank."""
        self._queues[self._rank(item)].append(item)

    def appendleft(self, item: Item) -> None:
        """The first of its rank."""
        self._queues[self._rank(item)].appendleft(item)

    def popleft(self) -> Item:
        """The first of the lowest rank. Raises IndexError when nothing waits."""
        for queue in self._queues:
            if queue:
                return queue.popleft()
        raise IndexError("an empty lane")

    def most_urgent(self) -> int:
        """How many there are of rank 0."""
        return len(self._queues[0])

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self._queues)

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    def __bool__(self) -> bool:  # asked twice for each item
        return any(self._queues)


LANES_KEPT = 32
"""Empty lanes are kept for their namespace's next item, up to so many beside the busy ones: a few KB each."""


class Turns(Generic[Item]):
    """The lanes, each for a namespace."""

    __slots__ = ("_lanes", "_lanes_max", "_new", "_ring")

    def __init__(self, lane: Callable[[], Lane[Item]] = deque) -> None:
        self._new = lane
        self._lanes: dict[str, Lane[Item]] = {}
        self._lanes_max = LANES_KEPT  # then the empty ones go
        self._ring: deque[Lane[Item]] = deque()  # those in which something waits, in the order of their turns

    def append(self, lane: str, item: Item) -> None:
        """The last of its lane."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._open(lane)
        if not waiting:
            self._ring.append(waiting)
        waiting.append(item)

    def appendleft(self, lane: str, item: Item) -> None:
        """The first of its lane."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._open(lane)
        if not waiting:
            self._ring.append(waiting)
        waiting.appendleft(item)

    def _open(self, lane: str) -> Lane[Item]:
        if len(self._lanes) >= self._lanes_max:
            self._lanes = {name: found for name, found in self._lanes.items() if found}
            self._lanes_max = len(self._lanes) + LANES_KEPT
        found = self._lanes[lane] = self._new()
        return found

    def popleft(self) -> Item:
        """The first of the lane whose turn it is. Raises IndexError when nothing waits."""
        waiting = self._ring[0]
        item = waiting.popleft()
        if waiting:
            self._ring.rotate(-1)
        else:
            self._ring.popleft()
        return item

    def seek(self, good: Callable[[Lane[Item]], object]) -> bool:
        """Make it the turn of the next lane that is good; False when there is none."""
        for _ in range(len(self._ring)):
            if good(self._ring[0]):
                return True
            self._ring.rotate(-1)
        return False

    @property
    def lanes(self) -> list[Lane[Item]]:
        """Those in which something waits, in the order of their turns."""
        return list(self._ring)

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self._ring)

    def __len__(self) -> int:
        return sum(map(len, self._ring))

    def __bool__(self) -> bool:
        return bool(self._ring)


class Fenced(Generic[Item]):
    """Lanes behind fences, which take turns, too."""

    __slots__ = ("_behind", "_new")

    def __init__(self, lane: Callable[[], Lane[Item]] = deque) -> None:
        self._new = lane
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
            found = self._behind[fence] = Turns(self._new)
        return found

    def take(self, good: Callable[[Lane[Item]], object] | None = None) -> Item | None:
        """The next one that no fence holds back, of lanes that are good; None when there is none."""
        for fence, turns in self._behind.items():
            if turns._ring and fence() and (good is None or turns.seek(good)):  # asked for each order, and in vain
                if len(self._behind) > 1:
                    self._behind[fence] = self._behind.pop(fence)  # the others come first the next time
                return turns.popleft()
        return None

    def open(self) -> list[Lane[Item]]:
        """The lanes that could be taken from now."""
        return [lane for fence, turns in self._behind.items() if turns and fence() for lane in turns.lanes]

    def __len__(self) -> int:
        return sum(map(len, self._behind.values()))
