"""Which command is next? Namespaces take turns; status writes first, then creations, and Events last of all.

Every object has a line; only the first of a line may be taken, so two patches of one object are never in flight
together and never change places. Among the firsts, namespaces take turns, and within one the order is by urgency, then
by arrival: the status writes of ten thousand workflows do not stand before the first pod of another namespace. Events
are for people, and wait for all else. A patch or deletion that is the same as the one that still waits last in the
line, of the same actor, is performed once for both: nothing is written twice for the same fact. A creation that its
actor withdraws keeps its place in the line, and is not begun.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from runtime.messages import Command, Create, Delete, List, Patch, Read, ReadLog, WriteStatus
from runtime.objects import EVENTS, Reference, Resource
from runtime.registry import DEAD, Actor
from runtime.turns import Fence, Fenced, Lane, Ranks

Key: TypeAlias = tuple[Resource, str, str]

# A written status releases what waits for it; deletions free what creations need.
_URGENCY: dict[type, int] = {WriteStatus: 0, Delete: 1, Patch: 1, Read: 1, List: 1, ReadLog: 1, Create: 2}


def always() -> bool:
    """A fence that is never shut."""
    return True


class Order:
    """A command and who asked for it."""

    __slots__ = (
        "actor", "after_s", "begun", "command", "fence", "is_event", "key", "taken", "times", "tries", "withdrawn",
    )  # fmt: skip

    def __init__(self, actor: Actor, command: Command, fence: Fence = always) -> None:
        self.actor = actor
        self.command = command
        self.fence = fence
        self.key = key_of(command)
        self.is_event = isinstance(command, Create) and command.resource == EVENTS
        self.tries = 0
        self.times = 1  # how often it was asked for: so many answers it has
        self.taken = False  # somebody has begun with it
        self.begun = 0  # the number of its latest try among all tries
        self.after_s = 0.0  # what the last 429 asked for
        self.withdrawn = False  # it is not to be begun any more


def key_of(command: Command) -> Key | None:
    """The object whose line the command stands in; None when it has no name yet or is about no object."""
    ref: Reference | None = getattr(command, "ref", None)
    if ref is not None:
        return ref[:3]
    if isinstance(command, Create):
        meta = command.object["metadata"]
        if "name" in meta:
            return command.resource, meta.get("namespace", ""), meta["name"]
    return None


def _lane(order: Order) -> str:
    """The namespace that is served: the object's."""
    if order.key is not None:
        return order.key[1]
    if isinstance(order.command, Create):
        return str((order.command.object.get("metadata") or {}).get("namespace", ""))
    return order.actor.address.namespace


def _urgency(order: Order) -> int:
    return _URGENCY[type(order.command)]


def _by_urgency() -> Ranks[Order]:
    return Ranks(_urgency, highest=2)


def _has_status(lane: Lane[Order]) -> int:
    return lane.most_urgent() if isinstance(lane, Ranks) else 0


def _is_the_same(last: Order, order: Order) -> bool:
    """Whether the one that waits will do what this one wants. What has begun may have been overtaken by others."""
    once = isinstance(order.command, Patch | Delete | WriteStatus)
    return once and not last.taken and last.actor is order.actor and last.command == order.command


class Orders:
    """The waiting API commands. Pure bookkeeping: nothing here waits."""

    def __init__(self) -> None:
        self._first: Fenced[Order] = Fenced(_by_urgency)
        self._events: Fenced[Order] = Fenced()
        self._lines: dict[Key, deque[Order]] = {}  # present: one of that object is first or in flight
        self._heads: dict[Key, Order] = {}  # that one
        self._waiting = 0

    def add(self, order: Order) -> None:
        """Queue an order at the end of its object's line."""
        if order.key is not None:
            line = self._lines.get(order.key)
            if line is not None:
                last = line[-1] if line else self._heads[order.key]
                if _is_the_same(last, order):
                    last.times += 1
                    return
                self._waiting += 1
                line.append(order)
                return
            self._lines[order.key] = deque()
            self._heads[order.key] = order
        self._waiting += 1
        self._offer(order)

    def _offer(self, order: Order) -> None:
        (self._events if order.is_event else self._first).append(order.fence, _lane(order), order)

    def take(self, *, statuses_only: bool = False) -> Order | None:
        """The next order to begin, of those whose fence is open; orders of the dead are dropped, but for Events.

        Call `done` when it is through."""
        only = _has_status if statuses_only else None
        while (order := self._first.take(only)) is not None:
            self._begin(order)
            if order.actor.life != DEAD:
                return order
            self.done(order)
        order = None if statuses_only else self._events.take()
        if order is not None:
            self._begin(order)  # also of the dead: what was said is said
        return order

    def _begin(self, order: Order) -> None:
        self._waiting -= 1
        order.taken = True

    def done(self, order: Order) -> None:
        """The order is through: the next of its line may begin."""
        if order.key is None:
            return
        line = self._lines[order.key]
        if line:
            self._heads[order.key] = line.popleft()
            self._offer(self._heads[order.key])
        else:
            del self._lines[order.key], self._heads[order.key]

    def again(self, order: Order) -> None:
        """An order that was begun and has to be tried again: the first of its kind. It keeps its object's line."""
        self._waiting += 1
        (self._events if order.is_event else self._first).appendleft(order.fence, _lane(order), order)

    def withdraw(self, actor: Actor, key: Key) -> None:
        """What `actor` has asked to create there is not to be begun, or not again; it keeps its place in the line."""
        if key in self._lines:
            for order in (self._heads[key], *self._lines[key]):
                if order.actor is actor and isinstance(order.command, Create):
                    order.withdrawn = True

    def statuses(self) -> int:
        """Status writes that could begin now."""
        return sum(map(_has_status, self._first.open()))

    def __len__(self) -> int:
        return self._waiting
