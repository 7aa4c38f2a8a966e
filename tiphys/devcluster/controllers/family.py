"""What an owner's actor knows of its object and of that object's children, and which answers it still waits for.

The cache is told in order but late; the answers to one's own commands are told at once. Both meet here: of two states
of an object the newer counts (versions of the dev cluster are numbers), a child whose creation was answered is there
although the cache has not shown it yet, and one whose deletion was asked for is as good as gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runtime.messages import Address
from runtime.objects import Object, Reference, Resource, owner_uid, reference

UNSEEN_S = 30.0
"""A child that was created so long ago and never came through the watch is looked for: it may have been deleted while
the watch was broken."""


@dataclass(slots=True)
class Family:
    """One owner. `own` is None before it was seen, and after its end (`gone`)."""

    address: Address
    resource: Resource
    child_resource: Resource
    own: Object | None = None
    gone: bool = False
    children: dict[str, Object] = field(default_factory=dict)  # by uid
    orphans: dict[str, Object] = field(default_factory=dict)  # by uid: children of nobody that may be ours
    deleting: set[str] = field(default_factory=set)  # uids whose deletion was asked for
    doubtful: set[Reference] = field(default_factory=set)  # created or deleted, or not: the answer was lost
    taken: set[str] = field(default_factory=set)  # names that somebody else's objects have
    outstanding: int = 0  # commands without an answer: nothing new is decided meanwhile
    failures: int = 0  # rounds in a row in which a command failed
    not_before: float = 0.0  # after a failure: when to try again (seconds since the epoch)
    decided_at: float = 0.0  # when a plan was last made (seconds since the epoch)
    alone_until: float = 0.0  # nothing is created before the matchmaker has answered, or has failed to
    refusal: str = ""  # why the last creation was refused; empty after one that went well
    waiting: str = "for its object"
    told: set[str] = field(default_factory=set)  # what was said once and need not be said again
    is_asked: bool = False  # to decide, after all that waits in the mailbox
    _unseen: dict[str, float] = field(default_factory=dict)  # created, not yet seen: uid -> when
    _ended: set[str] = field(default_factory=set)  # uids gone since the last decision

    @property
    def uid(self) -> str:
        """Of the owner."""
        return self.address.uid

    @property
    def ref(self) -> Reference:
        """The owner, that very one."""
        return Reference(self.resource, self.address.namespace, self.address.name, self.address.uid)

    def see(self, ref: Reference, thing: Object) -> None:
        """Take in a state that the watch has shown."""
        if ref.resource == self.resource:
            if ref.uid == self.uid:
                self.own = newer(self.own, thing)
            return
        self._unseen.pop(ref.uid, None)
        self._keep(ref.uid, thing)

    def made(self, thing: Object, now: float) -> None:
        """Take in a child as the answer to its creation has it."""
        uid = thing["metadata"]["uid"]
        if uid not in self._ended and uid not in self.children:
            self._unseen[uid] = now
            self._keep(uid, thing)

    def changed(self, thing: Object) -> None:
        """Take in an object as the answer to a patch has it."""
        uid = thing["metadata"]["uid"]
        if uid == self.uid:
            self.own = newer(self.own, thing)
        elif uid not in self._ended:
            if owner_uid(thing) == self.uid:
                self._keep(uid, thing)
            else:
                self.children.pop(uid, None)

    def _keep(self, uid: str, thing: Object) -> None:
        self.orphans.pop(uid, None)
        known = self.children[uid] = newer(self.children.get(uid), thing)
        if "deletionTimestamp" in known["metadata"]:
            self.deleting.discard(uid)

    def lose(self, uid: str) -> None:
        """A child is gone, or no longer ours."""
        self.children.pop(uid, None)
        self.orphans.pop(uid, None)
        self.deleting.discard(uid)
        self._unseen.pop(uid, None)
        if self.outstanding:
            self._ended.add(uid)

    def decided(self) -> None:
        """All that was asked for is answered: what ended meanwhile cannot be mentioned by an answer any more."""
        self._ended.clear()

    def missing(self, now: float) -> list[Reference]:
        """Objects to be looked for by now: nothing may be decided before."""
        late = [uid for uid, since in self._unseen.items() if now - since >= UNSEEN_S]
        return [*self.doubtful, *(reference(self.child_resource, self.children[uid]) for uid in late)]

    def next_look(self) -> float | None:
        """When the first child has to be looked for."""
        return min(self._unseen.values()) + UNSEEN_S if self._unseen else None

    def found(self, thing: Object) -> None:
        """A child that was looked for is there; if it was to be deleted, that was not done."""
        uid = thing["metadata"]["uid"]
        self._unseen.pop(uid, None)
        self.deleting.discard(uid)
        self.changed(thing)

    def names(self) -> set[str]:
        """All names that are not free for a new child."""
        return {child["metadata"]["name"] for child in self.children.values()} | self.taken


def newer(known: Object | None, other: Object) -> Object:
    """The newer of two states of one object."""
    if known is None or version(other) >= version(known):
        return other
    return known


def version(thing: Object) -> int:
    """The version as a number, which it is in the dev cluster."""
    return int(thing["metadata"].get("resourceVersion") or 0)


def oldest_first(things: Iterable[Object]) -> list[Object]:
    """By creation time, then name."""
    return sorted(things, key=lambda thing: (thing["metadata"].get("creationTimestamp", ""), thing["metadata"]["name"]))
