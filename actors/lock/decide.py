"""Who may hold which locks: all that a request names or none, and never more holders than the limit.

Every lock has a queue: higher priority first, then the older workflow. A slot goes to a request of the workflow whose
request stands first, so other nodes of that workflow may overtake the one that waits for a further lock; nobody else
may. All queues are ordered alike, so whoever is first of all is first in each of its queues: no two
wait for each other. Workflows are compared by name alone, as upstream does. (SYNC-5, SYNC-6.)
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """`holder` wants all of `keys`; `created` is the time of its workflow, as text that sorts like time; `number` is
    the holder's own."""

    holder: Hashable
    workflow: str
    keys: tuple[str, ...]
    number: int = 0
    priority: int = 0
    created: str = ""


Place = tuple[int, str, str, int]  # how requests are ordered: the lowest is first
Queue = list[tuple[Place, Request]]


def _place_of(entry: tuple[Place, Request]) -> Place:
    return entry[0]


@dataclass
class Lock:
    """One lock. A `limit` that is not known lets nobody in, nor does one that is being read again (`closed`).

    One that is kept `elsewhere` is not given by the table: somebody else says who has it (`give`)."""

    key: str
    limit: int | None = None
    closed: bool = False
    elsewhere: bool = False
    holders: dict[Hashable, None] = field(default_factory=dict)
    queue: Queue = field(default_factory=list)
    by_name: dict[str, Queue] = field(default_factory=dict)  # the same requests, apart by their workflow's name
    several: dict[Hashable, Request] = field(default_factory=dict)  # those of them that want further locks too

    @property
    def available(self) -> int:
        """How many more may hold it."""
        return max(0, (self.limit or 0) - len(self.holders))

    @property
    def unused(self) -> bool:
        """Nobody holds it and nobody wants it."""
        return not self.holders and not self.queue

    def lets_in(self, request: Request) -> bool:
        """Whether this lock is no obstacle to a request that waits for it."""
        open_ = not self.closed and not self.elsewhere and self.available > 0
        return open_ and self.queue[0][1].workflow == request.workflow

    def candidates(self) -> Iterator[Request]:
        """Who may take the next slot, in order."""
        if self.queue and not self.closed and not self.elsewhere and self.available > 0:
            for _, request in self.by_name[self.queue[0][1].workflow]:
                yield request

    def enter(self, place: Place, request: Request) -> None:
        """Stand in the queue."""
        for queue in (self.queue, self.by_name.setdefault(request.workflow, [])):
            insort(queue, (place, request), key=_place_of)
        if len(request.keys) > 1:
            self.several[request.holder] = request

    def leave(self, place: Place, request: Request) -> None:
        """Stand in the queue no longer."""
        for queue in (self.queue, self.by_name[request.workflow]):
            del queue[bisect_left(queue, place, key=_place_of)]
        if not self.by_name[request.workflow]:
            del self.by_name[request.workflow]
        self.several.pop(request.holder, None)


@dataclass
class LockTable:
    """All locks, who holds them and who waits. What changes answers with the requests granted by it."""

    locks: dict[str, Lock] = field(default_factory=dict)
    held: dict[Hashable, tuple[str, ...]] = field(default_factory=dict)  # holder -> keys
    waiting: dict[Hashable, tuple[Place, Request]] = field(default_factory=dict)
    paused: bool = False  # nothing is granted while it is not known who holds what
    asked: int = 0  # requests so far: the last word in the order

    def lock(self, key: str, limit: int | None = None) -> Lock:
        """The lock of that key, made with `limit` when there is none."""
        found = self.locks.get(key)
        if found is None:
            found = self.locks[key] = Lock(key, limit)
        return found

    def ask(self, request: Request) -> list[Request]:
        """Stand in all queues, anew if it stands there already; who holds is left alone. The locks must exist."""
        if request.holder in self.held:
            return []
        before = self._withdraw(request.holder)
        self.asked += 1
        place = (-request.priority, request.created, request.workflow, self.asked)
        self.waiting[request.holder] = place, request
        for key in request.keys:
            self.locks[key].enter(place, request)
        return self.grant((*before, *request.keys))

    def adopt(self, holder: Hashable, keys: Iterable[str]) -> None:
        """`holder` holds these, whatever the limit is by now. The locks must exist."""
        self._withdraw(holder)
        self.held[holder] = tuple(dict.fromkeys((*self.held.get(holder, ()), *keys)))
        for key in self.held[holder]:
            self.locks[key].holders[holder] = None

    def free(self, holder: Hashable) -> list[Request]:
        """`holder` neither holds nor waits any more."""
        keys = self.held.pop(holder, ())
        for key in keys:
            self.locks[key].holders.pop(holder, None)
        keys = (*keys, *self._withdraw(holder))
        granted = self.grant(keys)
        for key in keys:
            if key in self.locks and self.locks[key].unused:
                del self.locks[key]
        return granted

    def _withdraw(self, holder: Hashable) -> tuple[str, ...]:
        entry = self.waiting.pop(holder, None)
        if entry is None:
            return ()
        place, request = entry
        for key in request.keys:
            self.locks[key].leave(place, request)
        return request.keys

    def resize(self, key: str, limit: int) -> list[Request]:
        """The limit of a lock is known (again)."""
        lock = self.locks[key]
        lock.limit, lock.closed = limit, False
        return self.grant((key,))

    def grant(self, keys: Iterable[str]) -> list[Request]:
        """Give these locks to whoever may have them now; a grant moves the queues of its other locks too."""
        granted: list[Request] = []
        open_keys = deque(keys)
        while open_keys and not self.paused:
            lock = self.locks.get(open_keys.popleft())
            while lock is not None and (request := self._next(lock)) is not None:
                self._withdraw(request.holder)
                self.adopt(request.holder, request.keys)
                granted.append(request)
                open_keys.extend(key for key in request.keys if key != lock.key)
        return granted

    def _next(self, lock: Lock) -> Request | None:
        for request in lock.candidates():
            if all(self.locks[key].lets_in(request) for key in request.keys):
                return request
        return None

    def ready(self, request: Request) -> bool:
        """Whether nothing but locks that are kept elsewhere is in the way of a request that waits."""
        locks = [self.locks[key] for key in request.keys]
        return all(lock.elsewhere or lock.lets_in(request) for lock in locks)

    def give(self, holder: Hashable) -> list[Request]:
        """What `holder` wants that is kept elsewhere is its own: with all the rest, or nothing happens (SYNC-5)."""
        entry = self.waiting.get(holder)
        if entry is None or self.paused or not self.ready(entry[1]):
            return []
        request = entry[1]
        self.adopt(holder, request.keys)
        return [request, *self.grant(request.keys)]

    def obstacle(self, request: Request, free: Container[str] = ()) -> Lock:
        """The first lock that stands in the way of a request that waits; those that are `free` do not."""
        locks = [self.locks[key] for key in request.keys]
        return next((lock for lock in locks if lock.key not in free and not lock.lets_in(request)), locks[0])
