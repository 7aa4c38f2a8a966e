"""What the lock room knows: who has which lock, who waits, and how far it is with a database that keeps some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from actors.lock.decide import Lock, LockTable
from actors.lock_messages import LockAwaited, database_name, holder_key, limit_of
from actors.lock_round import Standing
from runtime.messages import Address


class Holder(NamedTuple):
    """A workflow's actor (by its uid: a successor of the same name is another) and the node that holds for it."""

    workflow: Address
    node_id: str

    @property
    def key(self) -> str:
        """As the status names it."""
        return holder_key(self.workflow, self.node_id)


@dataclass(frozen=True, slots=True)
class Polling:
    """How often a database that keeps locks is asked; `where` tells one from another."""

    where: str
    poll_s: float = 5.0  # while somebody waits
    heartbeat_s: float = 60.0  # while nobody does


@dataclass(frozen=True, slots=True)
class LockSettings:
    """What an installation decides about locks."""

    limit_cache_s: float = 1.0  # a semaphore's limit is believed for so long
    recheck_s: float = 10.0  # and read again so often while somebody waits
    apart: bool = False  # locks of other namespaces than the workflow's are other processes' to give
    database: Polling | None = None  # None: no database keeps locks


@dataclass
class Rounds:
    """How far the room is with the database."""

    where: str = ""  # which database knows of this life
    life: int = 0  # as it is called there; 0: not begun
    asking: bool = False  # a round is under way
    again: bool = False  # and something has changed since it was put together
    trouble: str = ""  # why the last one was not answered
    locks: dict[str, Standing] = field(default_factory=dict)  # by key, those that are waited for
    in_the_way: dict[Holder, tuple[str, ...]] = field(default_factory=dict)  # who waits -> keys of a database's locks
    impossible: dict[str, str] = field(default_factory=dict)  # key -> why nobody can have it
    said: dict[Holder, LockAwaited] = field(default_factory=dict)  # what was told last
    blockers: dict[tuple[Address, str], tuple[str, ...]] = field(default_factory=dict)  # a workflow, a lock -> holders


DOUBTED_MAX = 1000
LIMITS_MAX = 1000


@dataclass
class LockState:
    """All locks, and whom they are given to."""

    part: str = ""  # of the installation, which is a controller of its own to a database
    table: LockTable = field(default_factory=LockTable)
    nodes: dict[Address, dict[str, None]] = field(default_factory=dict)  # workflow -> its nodes that hold or wait
    doubted: dict[Address, set[str]] = field(default_factory=dict)  # workflow that seems to be gone -> who wants locks
    reborn: bool = False  # this life follows a crash: what was asked for before is forgotten
    read_at: dict[str, float] = field(default_factory=dict)  # semaphore -> when its limit was read
    reading: set[str] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)  # semaphore -> what its limit was, also while nobody wants it
    unheard: dict[Holder, None] = field(default_factory=dict)  # wait, and were not told for what: a limit is being read
    shared: dict[Holder, tuple[str, ...]] = field(default_factory=dict)  # who holds or wants locks of a database: those
    rounds: Rounds = field(default_factory=Rounds)

    def learn(self, key: str, limit: int) -> None:
        """The limit of a semaphore is known, and stays so where it cannot be read the next time."""
        self.limits.pop(key, None)
        self.limits[key] = limit
        if len(self.limits) > LIMITS_MAX:
            del self.limits[next(iter(self.limits))]

    def last_limit(self, key: str) -> int | None:
        """What the limit of a semaphore was when it was last heard of; None: it never was."""
        lock = self.table.locks.get(key)
        return self.limits.get(key) if lock is None or lock.limit is None else lock.limit

    def doubt(self, workflow: Address, nodes: Iterable[str]) -> None:
        """These nodes of it want something, and its object is gone or finished. Most give it back in a moment."""
        self.doubted.setdefault(workflow, set()).update(nodes)
        if len(self.doubted) > DOUBTED_MAX:
            del self.doubted[next(iter(self.doubted))]

    def believe(self, workflow: Address, node_id: str) -> None:
        """That node wants nothing any more."""
        nodes = self.doubted.get(workflow, set())
        nodes.discard(node_id)
        if not nodes:
            self.doubted.pop(workflow, None)

    def lock(self, key: str) -> Lock:
        """The lock of that key, as little as is known about it."""
        lock = self.table.lock(key, None if limit_of(key) or database_name(key) else 1)
        lock.elsewhere = bool(database_name(key))
        return lock
