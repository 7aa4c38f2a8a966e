"""Who is there: address -> actor, its mailbox, its family, and the queue of those who have something to read.

An actor is this record and nothing else: no task, and no mailbox while nothing waits, so ten thousand idle ones are ten
thousand records. `post` is the only way to make an actor ready.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runtime.actor import Mind
from runtime.mailbox import Mailbox
from runtime.messages import Address, Message, Told
from runtime.turns import Turns

DEAD_LETTERS_KEPT = 32
"""The latest messages for nobody, for people to look at; all are counted."""

SPARE_MAILBOXES_MAX = 256
"""Empty mailboxes kept for the next actor that is told something; more would be memory that nobody uses."""

LIVING, STOPPED, DEAD = 0, 1, 2
"""An actor's life. STOPPED by its own wish: what it asked before is still done. DEAD (crashed, or ended with its
parent): what it asked and nobody began is not done."""


class Actor:
    """One life at an address. A successor at the same address is another `Actor`, so nothing of this one reaches it."""

    __slots__ = (
        "address",
        "attempt",
        "children",
        "full",
        "life",
        "mailbox",
        "mind",
        "news",
        "parent",
        "ready",
        "state",
    )

    def __init__(self, address: Address, mind: Mind, parent: Actor | None, attempt: int = 0) -> None:
        self.address = address
        self.mind = mind
        self.parent = parent
        self.attempt = attempt  # restarts after crashes before this life
        self.state: Any = None
        self.mailbox: Mailbox | None = None  # only while something waits
        self.children: dict[Address, Actor] | None = None  # in the order of their births
        self.life = LIVING
        self.ready = False  # in the ready queue, or being read right now
        self.full = False  # its mailbox has refused a message: to be killed and rebuilt
        self.news = False  # its own object has changed since its birth

    def __repr__(self) -> str:
        return f"<Actor {self.address} {('living', 'stopped', 'dead')[self.life]}>"


class DeadLetter(NamedTuple):
    """A message that found nobody."""

    to: Address
    message: str  # its type: "Told", or of a word "Told NodeChanged"
    sender: str  # empty when it was no actor's


class RegistryStatistics(NamedTuple):
    """Actors alive by room (0 where all have ended), those `ready` to read, and the messages for nobody so far.

    `waiting` are the messages in all mailboxes, `deepest` those in the fullest one."""

    actors: dict[str, int]
    ready: int
    dead_letters: int
    latest_dead: tuple[DeadLetter, ...]
    waiting: int = 0
    deepest: int = 0


class Registry:
    """All living actors. Not thread-safe: everything happens in one event loop."""

    def __init__(self) -> None:
        self.actors: dict[Address, Actor] = {}
        self.ready: Turns[Actor] = Turns()
        self.on_ready: Callable[[], None] | None = None  # set while the scheduler sleeps
        self.dead_letters = 0
        self._latest_dead: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_KEPT)
        self._rooms: Counter[str] = Counter()
        self._spare: list[Mailbox] = []

    def post(self, actor: Actor, message: Message, *, urgent: bool = False) -> None:
        """Put a message into the mailbox of `actor`; nothing happens when that life is over."""
        if actor.life:
            self.bury(actor.address, message)
            return
        box = actor.mailbox
        if box is None:
            box = actor.mailbox = self._spare.pop() if self._spare else Mailbox()
        if not box.put(message, urgent=urgent):
            actor.full = True
        if not actor.ready:
            actor.ready = True
            self.ready.append(actor.address.namespace, actor)
            if self.on_ready is not None:
                self.on_ready()

    def bury(self, to: Address, message: Message) -> None:
        """Count a message that is for nobody."""
        self.dead_letters += 1
        what, sender = type(message).__name__, ""
        if isinstance(message, Told):
            what, sender = f"Told {type(message.word).__name__}", str(message.sender)
        self._latest_dead.append(DeadLetter(to, what, sender))

    def park(self, actor: Actor) -> None:
        """Nothing waits for `actor` any more: take its (empty) mailbox back."""
        actor.ready = False
        box, actor.mailbox = actor.mailbox, None
        if box is not None and len(self._spare) < SPARE_MAILBOXES_MAX:
            self._spare.append(box)

    def nudge(self) -> None:
        """Have the scheduler look again (a timer was set by somebody who is not an actor)."""
        if self.on_ready is not None:
            self.on_ready()

    def add(self, actor: Actor) -> None:
        """Enter a new actor, also into its parent's family."""
        self.actors[actor.address] = actor
        self._rooms[actor.address.room] += 1
        parent = actor.parent
        if parent is not None:
            if parent.children is None:
                parent.children = {}
            parent.children[actor.address] = actor

    def remove(self, actor: Actor, life: int) -> None:
        """Strike out one actor (its children were before it)."""
        actor.life = life
        actor.mailbox = None
        if self.actors.get(actor.address) is actor:
            del self.actors[actor.address]
            self._rooms[actor.address.room] -= 1
        parent = actor.parent
        if parent is not None and parent.children is not None:
            parent.children.pop(actor.address, None)
            if not parent.children:
                parent.children = None

    def inhabitants(self, room: str) -> int:
        """How many live in a room."""
        return self._rooms[room]

    def family(self, actor: Actor) -> Iterator[Actor]:
        """`actor` and all below it in the order they have to end: the youngest first, children before parents."""
        order: list[Actor] = []
        stack = [actor]
        while stack:  # not recursive: a family may be deeper than Python's stack
            member = stack.pop()
            order.append(member)
            if member.children:
                stack.extend(member.children.values())  # the youngest is popped, and so ends up, first after its parent
        # `order` is parents first with the youngest branch first; what must end is children first, youngest first.
        return iter(_children_first(order))

    def statistics(self) -> RegistryStatistics:
        """The counts of this moment."""
        actors = dict(sorted(self._rooms.items()))
        depths = [len(actor.mailbox) for actor in self.ready if actor.mailbox is not None]
        latest = tuple(self._latest_dead)
        return RegistryStatistics(
            actors, len(self.ready), self.dead_letters, latest, sum(depths), max(depths, default=0)
        )


def _children_first(preorder: list[Actor]) -> list[Actor]:
    """Postorder of a preorder walk: each actor after all of its descendants, branches in the walk's order."""
    done: list[Actor] = []
    open_: list[Actor] = []
    for member in preorder:
        while open_ and open_[-1] is not member.parent:
            done.append(open_.pop())
        open_.append(member)
    done.extend(reversed(open_))
    return done
