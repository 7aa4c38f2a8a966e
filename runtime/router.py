"""An object's change goes to the actors it concerns; an object nobody answers for is given its own actor.

Routes are the rooms' code: one that raises costs its own watch that object, and nobody else anything. Until `open`,
only the stores change: actors are born when all that they may ask the cache for is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from runtime.actor import Room, Watch
from runtime.lives import Lives
from runtime.log import Log
from runtime.messages import Address, Gone, Observed
from runtime.objects import Object, Resource
from runtime.registry import Actor, Registry
from runtime.store import Change, Concerns, Store

Source: TypeAlias = tuple[Resource, str]
"""What is listed and watched once: a resource and a label selector."""

log = Log()


class Router:
    """All stores, and the way from them to the actors."""

    def __init__(self, rooms: Sequence[Room], registry: Registry) -> None:
        self._registry = registry
        self._lives: Lives | None = None
        self._open: frozenset[str] = frozenset()  # rooms
        self.route_errors = 0
        self.watches: dict[Source, list[Watch]] = {}
        self.stores: dict[Source, Store] = {}
        self._of_room: dict[str, list[Source]] = {}  # what a room's actors are told, their own objects first
        self._waking: dict[str, dict[Source, set[int]]] = {}  # the positions of a room's watches that give birth
        for room in rooms:
            for watch in sorted(room.watches, key=lambda watch: not watch.wakes):
                source = watch.resource, watch.labels
                self.watches.setdefault(source, []).append(watch)
                if watch.wakes:
                    positions = self._waking.setdefault(room.name, {}).setdefault(source, set())
                    positions.add(len(self.watches[source]) - 1)
                self._of_room.setdefault(room.name, []).append(source)
        for source, watches in self.watches.items():
            self.stores[source] = Store(source[0], self._guard(watches))

    def optional(self, source: Source) -> bool:
        """Whether all who watch it can do without."""
        return all(watch.optional for watch in self.watches[source])

    def attach(self, lives: Lives) -> None:
        """Name who gives life (made after the router, whose cache it reads)."""
        self._lives = lives

    def _guard(self, watches: list[Watch]) -> Concerns:
        broken: set[int] = set()

        def ask(index: int, thing: Object) -> Address | None:
            try:
                return watches[index].route(thing)
            except Exception as error:  # a room's own code; the other rooms are not to suffer
                self.route_errors += 1
                if index not in broken:  # once a watch: the next ten thousand objects would say the same
                    broken.add(index)
                    resource, name = watches[index].resource.plural, thing["metadata"].get("name", "")
                    log.exception("route.failed", resource=resource, name=name, exc_info=error)
                return None

        routes = [watch.route for watch in watches]

        def concerns(thing: Object) -> tuple[Address | None, ...]:
            try:
                return tuple([route(thing) for route in routes])
            except Exception:  # noqa: BLE001  # asked one by one, so that each fails for itself
                return tuple([ask(index, thing) for index in range(len(routes))])

        return concerns

    def cached(self, address: Address) -> list[Observed]:
        """What the cache has for an address, its own object first."""
        sources = dict.fromkeys(self._of_room.get(address.room, ()))
        return [message for source in sources for message in self.stores[source].objects_of(address)]

    def absent(self, address: Address) -> Actor | None:
        """Wake the own actor of an object that is in the cache; None when there is no such object."""
        if self._lives is None or address.room not in self._open or address in self._lives.quarantined:
            return None
        return self._lives.wake(address) if self.has_own(address) else None

    def has_own(self, address: Address) -> bool:
        """Whether the object whose own actor lives at the address is there."""
        sources = self._waking.get(address.room, {}).items()
        return any(self.stores[source].is_of(address, positions) for source, positions in sources)

    def tell(self, source: Source) -> Callable[[Sequence[Change]], None]:
        """Where an informer of that source tells its changes."""
        watches = self.watches[source]

        def tell(changes: Sequence[Change]) -> None:
            opened = self._open
            for change in changes:
                if change.address.room in opened:
                    self._deliver(watches[change.watch], change)

        return tell

    def _deliver(self, watch: Watch, change: Change) -> None:
        _, address, message = change
        actor = self._registry.actors.get(address)
        if actor is not None:
            if watch.wakes:
                actor.news = True
            self._registry.post(actor, message)
        elif watch.wakes and self._lives is not None:
            if isinstance(message, Gone):
                self._lives.forget(address)
            else:
                self._lives.wake(address)  # which is told what the cache has, this message too

    def open(self, rooms: Iterable[str]) -> None:
        """Begin to tell, and to wake whom something is told to; `wake_room` wakes those that nothing happens to."""
        self._open |= frozenset(rooms)

    def close(self, rooms: Iterable[str]) -> None:
        """Tell nobody there and wake nobody, until the next `open`; the stores go on."""
        self._open -= frozenset(rooms)

    def wake_room(self, room: str) -> Iterator[Address]:
        """Wake an actor for every object of a room that has none and is not in quarantine."""
        for source, positions in self._waking.get(room, {}).items():
            for address in (address for at in sorted(positions) for address in self.stores[source].addresses(at)):
                if self._lives is None or room not in self._open:
                    return
                if address not in self._registry.actors and address not in self._lives.quarantined:
                    self._lives.wake(address)
                    yield address

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms whose actors are woken by objects of their own."""
        return tuple(self._waking)
