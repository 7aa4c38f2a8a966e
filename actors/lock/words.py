"""What the lock room tells workflows, in the words that their statuses show. (SYNC-7)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors.lock.decide import Lock, LockTable, Request
from actors.lock.state import Holder
from actors.lock_messages import LockAwaited, LockGranted
from actors.upstream_metrics import lock_taken
from runtime.messages import Command, Tell


def node_of(request: Request) -> str:
    """The node that asks; empty for the workflow itself."""
    assert isinstance(request.holder, Holder)
    return request.holder.node_id


def tell(request: Request, word: Any) -> Command:
    """Tell the workflow that asks."""
    assert isinstance(request.holder, Holder)
    return Tell(request.holder.workflow, word)


def grants(requests: Iterable[Request]) -> list[Command]:
    """All of these have what they asked for."""
    commands: list[Command] = []
    for request in requests:
        commands.append(tell(request, LockGranted(node_of(request), request.number)))
        commands += [lock_taken(key) for key in request.keys]
    return commands


def awaits(table: LockTable, request: Request) -> Command:
    """What a request waits for."""
    return tell(request, awaited(table, request, table.obstacle(request)))


def awaited(table: LockTable, request: Request, lock: Lock, shared: Mapping[str, tuple[str, ...]] = {}) -> LockAwaited:
    """A lock of this controller's own is in the way; `shared`: who holds locks of a database."""
    if lock.limit is None:
        text = f"Waiting for {lock.key} lock."
    elif lock.limit == 0:  # somebody has closed it for a while
        text = f"Failed to get semaphore limit for {lock.key}"
    else:
        text = f"Waiting for {lock.key} lock. Lock status: {lock.limit - len(lock.holders)}/{lock.limit}"
    return LockAwaited(node_of(request), lock.key, text, holders_of(lock), besides(table, request, lock.key, shared))


def besides(
    table: LockTable, request: Request, key: str, shared: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The locks that are wanted together with one, and who holds them."""
    others = [table.locks[other] for other in request.keys if other != key]
    return tuple((lock.key, shared.get(lock.key, ()) if lock.elsewhere else holders_of(lock)) for lock in others)


def holders_of(lock: Lock) -> tuple[str, ...]:
    """The keys of those who hold a lock here."""
    return tuple(holder.key for holder in lock.holders if isinstance(holder, Holder))
