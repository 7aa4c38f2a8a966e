"""How actors are born, end, crash and come back.

Two kinds. A *child* is spawned by an actor, ends before it, and its crash is its parent's business (`Down`). An
object's *own* actor is woken by the object's first event; when it crashes it is rebuilt from the cache, because state
is nothing that could not be read back. Beyond its budget it is quarantined: out of the way,
retried after a growing delay or when its object changes, and visible with the message that killed it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from runtime.actor import Mind, Room
from runtime.clock import Clock
from runtime.log import Log
from runtime.messages import Address, Down, Message, Observed, Started, Told
from runtime.monitors import Monitors
from runtime.questions import Pending, Questions
from runtime.recorder import Recorder
from runtime.registry import DEAD, STOPPED, Actor, Registry
from runtime.restarts import Budget, History, crashed, released
from runtime.timers import Timers

OBJECT_BUDGET = Budget(intensity=5, period_s=60.0)
"""Restarts of one object's actor before it is put aside: enough for weather, too few to burn a core on a bug."""

log = Log()


@dataclass(eq=False, slots=True)
class Quarantine:
    """An object's actor that crashed too often: why, since when, and until when it is left alone (UTC seconds)."""

    address: Address
    message: Message | None  # the one it crashed on; None when it was its birth
    error: str
    since: float
    until: float
    attempts: int


Alarm: TypeAlias = Actor | Quarantine | Pending
"""Who may own a timer."""


class Cache(Protocol):
    """What the newest states of the cluster's objects are, as far as actors are concerned."""

    def cached(self, address: Address) -> Sequence[Observed]:
        """What concerns an address, its own object first."""
        ...

    def has_own(self, address: Address) -> bool:
        """Whether the object whose own actor lives at the address is there."""
        ...


class LivesStatistics(NamedTuple):
    """Births and crashes so far, and who is in quarantine."""

    births: int
    crashes: int
    quarantined: tuple[Quarantine, ...]


class Lives:
    """Birth, end, crash and restart of all actors."""

    def __init__(
        self,
        rooms: Mapping[str, Room],
        registry: Registry,
        timers: Timers[Alarm],
        clock: Clock,
        cache: Cache,
        budget: Budget = OBJECT_BUDGET,
    ) -> None:
        self._minds: dict[str, Mind] = {name: room.mind for name, room in rooms.items()}
        self.registry = registry
        self._timers = timers
        self._clock = clock
        self._cache = cache
        self._budget = budget
        self.monitors = Monitors(registry)
        self.questions = Questions(registry)
        self.recorder: Recorder | None = None
        self.on_quarantine: Callable[[Quarantine], None] | None = None  # told of each, besides the log
        self.on_crash: Callable[[Address], None] | None = None  # told of each crash of an object's own actor
        self._histories: dict[Address, History] = {}  # only of those that have crashed
        self.quarantined: dict[Address, Quarantine] = {}
        self._births = 0
        self._crashes = 0

    # -------------------------------------------------------------------------------------------- births

    def wake(self, address: Address) -> Actor | None:
        """Give life to an object's own actor and tell it what the cache has; also ends a quarantine.

        None when it crashed at birth and was not restarted."""
        living = self.registry.actors.get(address)
        if living is not None:
            return living
        entry = self.quarantined.pop(address, None)
        if entry is not None:
            self._timers.cancel_all(entry)
            self._histories[address] = released(self._histories[address], self._clock.wall())
        while True:
            history = self._histories.get(address)
            actor = Actor(address, self._mind(address), None, history.attempts if history else 0)
            error = self._bear(actor, None)
            if error is None:
                return actor
            self._report(actor, None, error)
            if not self._may_restart(actor, None, error):
                return None

    def spawn(self, parent: Actor, address: Address, argument: Any) -> None:
        """Give life to a child of `parent`; an address that lives is left alone. Its crash at birth is told as Down."""
        if address in self.registry.actors:
            return
        child = Actor(address, self._mind(address), parent)
        error = self._bear(child, argument)
        if error is not None:
            self._report(child, None, error)
            self.registry.post(parent, Down(address, "crashed", _text(error)))

    def _mind(self, address: Address) -> Mind:
        mind = self._minds.get(address.room)
        if mind is None:
            raise LookupError(f"{address}: there is no room {address.room!r}, only {', '.join(self._minds) or 'none'}")
        return mind

    def _bear(self, actor: Actor, argument: Any) -> Exception | None:
        self._births += 1
        try:
            actor.state = actor.mind.birth(actor.address, argument)
        except Exception as error:  # noqa: BLE001  # a mind may fail in any way; it falls alone
            actor.life = DEAD
            return error
        registry = self.registry
        registry.add(actor)
        registry.post(actor, Started(actor.attempt))
        for message in self._cache.cached(actor.address):
            registry.post(actor, message)
        return None

    # ---------------------------------------------------------------------------------------------- ends

    def stop(self, actor: Actor, reason: str) -> None:
        """End `actor` by its own wish, after its children. What it asked for is still done; its parent hears Down.

        If its own object has changed meanwhile and it has not read that, the next life begins at once."""
        unread = actor.mailbox.waiting() if actor.mailbox is not None and actor.parent is None else []
        self._end(actor, STOPPED, reason)
        self._histories.pop(actor.address, None)
        if actor.parent is not None:
            self.registry.post(actor.parent, Down(actor.address, reason))
            return
        told = [message for message in unread if isinstance(message, Told)]
        changed = actor.news and any(_of_own_object(message, actor.address) for message in unread)
        successor = self.wake(actor.address) if changed and self._cache.has_own(actor.address) else None
        for message in told:
            self.registry.post(successor or actor, message)  # to the dead: counted as a dead letter

    def crash(self, actor: Actor, message: Message | None, error: Exception) -> None:
        """End `actor` whose mind raised `error` on `message`: restarted, quarantined, or its parent's business."""
        self._report(actor, message, error)
        self._end(actor, DEAD, "crashed", _text(error))
        if actor.parent is not None:
            self.registry.post(actor.parent, Down(actor.address, "crashed", _text(error)))
        elif self._may_restart(actor, message, error):
            self.wake(actor.address)

    def _end(self, actor: Actor, life: int, reason: str, detail: str = "") -> None:
        for member in self.registry.family(actor):
            self._timers.cancel_all(member)
            self.registry.remove(member, life if member is actor else DEAD)
            if self.monitors:
                self.monitors.ended(member, *((reason, detail) if member is actor else ("ended", "")))
            if self.questions:
                for pending in self.questions.ended(member):
                    self._timers.cancel_all(pending)

    def end_room(self, room: str) -> int:
        """End all actors of a room that objects have woken, with their children: how many. What they asked for and
        nobody began is not done."""
        found = [
            actor for actor in self.registry.actors.values() if actor.parent is None and actor.address.room == room
        ]
        for actor in found:
            self._end(actor, DEAD, "ended")
        return len(found)

    def end_rooms(self, rooms: Collection[str]) -> None:
        """End everybody there, and forget who crashed: what is rebuilt afterwards is another reign."""
        for room in rooms:
            self.end_room(room)
        for address in [address for address in self.quarantined if address.room in rooms]:
            self.forget(address)
        for address in [address for address in self._histories if address.room in rooms]:
            del self._histories[address]

    def forget(self, address: Address) -> None:
        """The object of a quarantined actor is gone: nobody needs to be tried again."""
        entry = self.quarantined.pop(address, None)
        if entry is not None:
            self._timers.cancel_all(entry)
            self._histories.pop(address, None)

    # ------------------------------------------------------------------------------------------- crashes

    def _report(self, actor: Actor, message: Message | None, error: Exception) -> None:
        self._crashes += 1
        if self.recorder is not None:
            self.recorder.crashed(actor.address, message, _text(error), self._clock.wall())
        what = "birth" if message is None else type(message).__name__
        log.exception("actor.crashed", actor=str(actor.address), message=what, error=_text(error), exc_info=error)

    def _may_restart(self, actor: Actor, message: Message | None, error: Exception) -> bool:
        """Count the crash; True to restart at once, else the actor is in quarantine (or its object gone)."""
        now = self._clock.wall()
        address = actor.address
        if self.on_crash is not None:
            self.on_crash(address)
        if not self._cache.has_own(address):
            self._histories.pop(address, None)
            return False  # its object is gone: a successor would wait for ever for somebody to tell it so
        history, delay = crashed(self._histories.get(address, History()), now, self._budget)
        self._histories[address] = history
        if not delay:
            return True
        entry = Quarantine(address, message, _text(error), now, now + delay, history.attempts)
        self.quarantined[address] = entry
        self._timers.set(entry, "retry", entry.until)
        self.registry.nudge()
        log.error("actor.quarantined", actor=str(address), error=entry.error, for_s=delay, attempts=history.attempts)
        if self.on_quarantine is not None:
            try:
                self.on_quarantine(entry)
            except Exception as failure:  # a listener must not take the kernel down
                log.exception("quarantine.unreported", actor=str(address), exc_info=failure)
        return False

    def statistics(self) -> LivesStatistics:
        """The counts of this moment."""
        return LivesStatistics(self._births, self._crashes, tuple(self.quarantined.values()))


def _of_own_object(message: Message, address: Address) -> bool:
    return isinstance(message, Observed) and (not address.uid or message.ref.uid == address.uid)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
