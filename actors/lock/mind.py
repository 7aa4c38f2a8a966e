"""The lock room: one actor gives all locks, because several may be wanted together, all of them or none.

It remembers nothing that the workflows' statuses do not say: every unfinished workflow is shown to it, those in the
cache before anybody can ask, so after a restart the holders on record are known before a lock is given. A workflow
that is gone or finished holds nothing any more. Limits of semaphores are read live, and again while somebody waits.
(SYNC-2..9, SYNC-12, SYNC-13.)

Next: `decide.LockTable` says who gets what; `actors/workflow/locks.py` puts it on record before anything begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.lock.decide import Lock, LockTable, Request
from actors.lock_messages import (
    AskLocks,
    HoldsLocks,
    HoldsOnly,
    LockAwaited,
    LockGranted,
    LockRefused,
    ReturnLocks,
    SayAgain,
    holder_key,
    holder_node,
    holdings,
    limit_of,
)
from actors.upstream_metrics import lock_taken
from runtime import api
from runtime.messages import (
    Address,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Read,
    Started,
    Tell,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import CONFIGMAPS, Object, Reference

LIMIT, SETTLED = "limit:", "settled"
SETTLE_S = 2.0  # after a crash of this actor: by then every workflow has said again what it holds
RETRY_READ_S = 2.0  # after an API server that did not answer


class Holder(NamedTuple):
    """A workflow's actor (by its uid: a successor of the same name is another) and the node that holds for it."""

    workflow: Address
    node_id: str

    @property
    def key(self) -> str:
        """As the status names it."""
        return holder_key(self.workflow, self.node_id)


@dataclass(frozen=True, slots=True)
class LockSettings:
    """What an installation decides about locks."""

    limit_cache_s: float = 1.0  # a semaphore's limit is believed for so long
    recheck_s: float = 10.0  # and read again so often while somebody waits


@dataclass
class LockState:
    """All locks, and whom they are given to."""

    table: LockTable = field(default_factory=LockTable)
    nodes: dict[Address, dict[str, None]] = field(default_factory=dict)  # workflow -> its nodes that hold or wait
    reborn: bool = False  # this life follows a crash: what was asked for before is forgotten
    read_at: dict[str, float] = field(default_factory=dict)  # semaphore -> when its limit was read
    reading: set[str] = field(default_factory=set)
    unheard: dict[Holder, None] = field(default_factory=dict)  # wait, and were not told for what: a limit is being read


class LockMind:
    """How the actor that gives locks behaves."""

    def __init__(self, settings: LockSettings | None = None) -> None:
        self.settings = settings or LockSettings()

    def birth(self, address: Address, argument: Any) -> LockState:
        """Nothing is held, as far as is known yet."""
        del address, argument
        return LockState()

    def waiting(self, state: LockState) -> str:
        """How many wait, and for what."""
        wanted = [f"{key} ({len(lock.queue)} waiting)" for key, lock in state.table.locks.items() if lock.queue]
        more = " …" if len(wanted) > 5 else ""
        return f"for holders of {', '.join(wanted[:5])}{more}" if wanted else "for somebody to want a lock"

    def receive(self, state: LockState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Started(attempt):
                state.reborn = state.table.paused = attempt > 0
                return [WakeAt(now + SETTLE_S, SETTLED)] if state.reborn else []
            case Observed(ref, thing):
                return self._met(state, ref, thing)
            case Gone(ref, _):
                return self._forget(state, _workflow(ref), now)
            case Told(sender, word):
                return self._told(state, sender, word, now)
            case Done(Read(tag=tag), result):
                return self._limit_read(state, tag.removeprefix(LIMIT), result, now)
            case Failed(Read(tag=tag), error):
                return self._limit_unread(state, tag.removeprefix(LIMIT), error, now)
            case Woke(tag):
                return self._woke(state, tag, now)
            case Done() | Failed() | Down():
                return []

    # ------------------------------------------------------------------------------------------ workflows

    def _told(self, state: LockState, sender: Address, word: Any, now: float) -> list[Command]:
        match word:
            case AskLocks():
                return self._asked(state, sender, word, now)
            case HoldsLocks(node_id, keys):
                if sender in state.nodes:
                    self._adopt(state, Holder(sender, node_id), keys)
            case HoldsOnly(node_ids):
                others = [node_id for node_id in state.nodes.get(sender, {}) if node_id not in node_ids]
                return [command for other in others for command in self._free(state, Holder(sender, other), now)]
            case ReturnLocks(node_id):
                return self._free(state, Holder(sender, node_id), now)
        return []

    def _met(self, state: LockState, ref: Reference, thing: Object) -> list[Command]:
        """An unfinished workflow; at first sight, what it has on record is held."""
        workflow = _workflow(ref)
        if workflow in state.nodes:
            return []
        state.nodes[workflow] = {}
        for holder, keys in holdings(thing.get("status") or {}).items():
            self._adopt(state, Holder(workflow, holder_node(holder)), tuple(keys))
        return [Tell(workflow, SayAgain())] if state.reborn else []

    def _adopt(self, state: LockState, holder: Holder, keys: tuple[str, ...]) -> None:
        for key in keys:
            state.table.lock(key, None if limit_of(key) else 1)
        state.table.adopt(holder, keys)
        state.nodes[holder.workflow][holder.node_id] = None

    def _forget(self, state: LockState, workflow: Address, now: float) -> list[Command]:
        """A workflow that is gone or finished holds nothing (SYNC-9)."""
        nodes = state.nodes.get(workflow, {})
        commands = [command for node_id in list(nodes) for command in self._free(state, Holder(workflow, node_id), now)]
        state.nodes.pop(workflow, None)
        return commands

    # ------------------------------------------------------------------------------------------ locks

    def _asked(self, state: LockState, sender: Address, word: AskLocks, now: float) -> list[Command]:
        nodes = state.nodes.get(sender)
        if nodes is None:
            return []  # its object is gone or finished already
        holder, table = Holder(sender, word.node_id), state.table
        if holder in table.held:
            return [Tell(sender, LockGranted(word.node_id, word.number))]
        nodes[word.node_id] = None
        for key in word.keys:
            table.lock(key, None if limit_of(key) else 1)
        reads = self._freshen(state, word.keys, now)
        request = Request(holder, sender.name, word.keys, word.number, word.priority, word.created)
        commands = [*reads, *_granted(table.ask(request))]
        if holder not in table.waiting:
            return commands
        if any(table.locks[key].closed for key in word.keys):
            state.unheard[holder] = None
            return commands
        return [*commands, _awaited(table, request), *self._recheck(word.keys, now)]

    def _free(self, state: LockState, holder: Holder, now: float) -> list[Command]:
        table = state.table
        state.nodes.get(holder.workflow, {}).pop(holder.node_id, None)
        state.unheard.pop(holder, None)
        keys = table.held.get(holder, ())
        reads = self._freshen(state, [key for key in keys if table.locks[key].queue], now)
        granted = table.free(holder)
        for key in keys:
            if key not in table.locks:
                state.read_at.pop(key, None)
        return [*reads, *_granted(granted), *_moved_on(table, keys)]

    def _woke(self, state: LockState, tag: str, now: float) -> list[Command]:
        if tag == SETTLED:
            state.table.paused = False
            granted = _granted(state.table.grant(list(state.table.locks)))
            waiting = [_awaited(state.table, request) for _, request in state.table.waiting.values()]
            return [*granted, *waiting]
        key = tag.removeprefix(LIMIT)
        lock = state.table.locks.get(key)
        return [self._read(state, key)] if lock is not None and lock.queue and key not in state.reading else []

    # ------------------------------------------------------------------------------------------ limits

    def _freshen(self, state: LockState, keys: Iterable[str], now: float) -> list[Command]:
        """Read the limits that are not known or too old; until then nobody is let in."""
        reads: list[Command] = []
        for key in keys:
            lock = state.table.locks[key]
            age = now - state.read_at.get(key, 0.0)
            known = lock.limit is not None and not lock.closed and age <= self.settings.limit_cache_s
            if limit_of(key) is not None and not known:
                lock.closed = True
                if key not in state.reading:
                    reads.append(self._read(state, key))
        return reads

    def _read(self, state: LockState, key: str) -> Command:
        limit = limit_of(key)
        assert limit is not None, f"{key} has no limit to read"
        state.reading.add(key)
        return Read(Reference(CONFIGMAPS, limit.namespace, limit.config_map), LIMIT + key)

    def _recheck(self, keys: Iterable[str], now: float) -> list[Command]:
        return [WakeAt(now + self.settings.recheck_s, LIMIT + key) for key in keys if limit_of(key) is not None]

    def _limit_read(self, state: LockState, key: str, config_map: Object, now: float) -> list[Command]:
        where = limit_of(key)
        assert where is not None
        text = (config_map.get("data") or {}).get(where.entry)
        if text is None:
            return self._no_limit(state, key, f'ConfigMap {where.config_map} has no entry "{where.entry}"', now)
        if not text.strip().isdecimal() or int(text) < 1:
            return self._no_limit(state, key, f'the limit "{text}" is not a whole number above zero', now)
        return self._resize(state, key, int(text), now)

    def _resize(self, state: LockState, key: str, limit: int, now: float) -> list[Command]:
        """The limit is known: grant what it allows, and tell those who wait if they wait for something else now."""
        state.reading.discard(key)
        lock = state.table.locks.get(key)
        if lock is None:
            return []
        state.read_at[key] = now
        before = lock.limit
        commands = _granted(state.table.resize(key, limit))
        if not lock.queue:
            return commands
        commands += self._recheck([key], now)
        for _, request in lock.queue if state.unheard or before != limit else ():
            locks = [state.table.locks[wanted] for wanted in request.keys]
            if (before != limit or request.holder in state.unheard) and not any(lock.closed for lock in locks):
                state.unheard.pop(request.holder, None)  # type: ignore[call-overload]  # holders are Holder here
                commands.append(_awaited(state.table, request))
        return commands

    def _limit_unread(self, state: LockState, key: str, error: api.ApiError, now: float) -> list[Command]:
        """Absent and forbidden are answers; silence is not (SYNC-13)."""
        if isinstance(error, api.Gone | api.Refused):
            return self._no_limit(state, key, error.message, now)
        state.reading.discard(key)
        lock = state.table.locks.get(key)
        if lock is None:
            return []
        text = f"Waiting to acquire the synchronization lock. {error.message}"
        told = [_tell(request, LockAwaited(_node(request), key, text)) for _, request in lock.queue if lock.closed]
        return [*told, WakeAt(now + RETRY_READ_S, LIMIT + key)]

    def _no_limit(self, state: LockState, key: str, why: str, now: float) -> list[Command]:
        """A limit that was known stays; one that never was makes the lock impossible to have (SYNC-3)."""
        lock = state.table.locks.get(key)
        if lock is not None and lock.limit is not None:
            return self._resize(state, key, lock.limit, now)
        state.reading.discard(key)
        commands: list[Command] = []
        for _, request in list(lock.queue) if lock is not None else ():
            text = f"failed to initialize semaphore {key} with limit: {why}"
            commands.append(_tell(request, LockRefused(_node(request), text)))
            if isinstance(request.holder, Holder):
                commands += self._free(state, request.holder, now)
        return commands


def _workflow(ref: Reference) -> Address:
    return Address("workflow", ref.namespace, ref.name, ref.uid)


def _node(request: Request) -> str:
    assert isinstance(request.holder, Holder)
    return request.holder.node_id


def _tell(request: Request, word: Any) -> Command:
    assert isinstance(request.holder, Holder)
    return Tell(request.holder.workflow, word)


def _granted(requests: Iterable[Request]) -> list[Command]:
    commands: list[Command] = []
    for request in requests:
        commands.append(_tell(request, LockGranted(_node(request), request.number)))
        commands += [lock_taken(key) for key in request.keys]
    return commands


def _awaited(table: LockTable, request: Request) -> Command:
    """What a request waits for, in the words that the status shows (SYNC-7)."""
    lock = table.obstacle(request)
    if lock.limit is None:
        text = f"Waiting for {lock.key} lock."
    else:
        text = f"Waiting for {lock.key} lock. Lock status: {lock.available}/{lock.limit}"
    return _tell(request, LockAwaited(_node(request), lock.key, text, _holder_keys(lock)))


def _holder_keys(lock: Lock) -> tuple[str, ...]:
    return tuple(holder.key for holder in lock.holders if isinstance(holder, Holder))


def _moved_on(table: LockTable, keys: Iterable[str]) -> list[Command]:
    """Who waits for several locks may by now wait for another one of them."""
    locks = [table.locks[key] for key in keys if key in table.locks]
    several = {request.holder: request for lock in locks for request in lock.several.values()}
    return [_awaited(table, request) for request in several.values()]
