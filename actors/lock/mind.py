"""The lock room: one actor gives all locks, because several may be wanted together, all of them or none.

It remembers nothing that the workflows' statuses do not say: every unfinished workflow is shown to it, those in the
cache before anybody can ask, so after a restart the holders on record are known before a lock is given. A workflow
that is gone or finished holds nothing any more. Limits of semaphores are read live, and again while somebody waits.
Locks of a database are given once it has written that down: `shared`. (SYNC-2..9, SYNC-12, SYNC-13.)

Next: `decide.LockTable` says who gets what; `actors/workflow/locks.py` puts it on record before anything begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.lock import shared
from actors.lock.decide import Request
from actors.lock.state import Holder, LockSettings, LockState
from actors.lock.words import awaits, grants, node_of, tell
from actors.lock_messages import (
    DATABASE_TEXT_MAX,
    AskLocks,
    HoldsLocks,
    HoldsOnly,
    LockAwaited,
    LockGranted,
    LockRefused,
    ReturnLocks,
    SayAgain,
    database_name,
    fits,
    holder_node,
    holdings,
    limit_of,
    shown,
)
from actors.lock_round import answer_of
from actors.names.resources import WORKFLOW
from runtime import api
from runtime.messages import (
    Address,
    Ask,
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
from runtime.objects import CONFIGMAPS, Object, Reference, Resource

WORKFLOWS = Resource(*WORKFLOW)
LIMIT, SETTLED = "limit:", "settled"
SETTLE_S = 2.0  # after a crash of this actor: by then every workflow has said again what it holds
RETRY_READ_S = 2.0  # after an API server that did not answer


class LockMind:
    """How the actor that gives locks behaves. `part` tells several of one installation apart in the database."""

    def __init__(self, settings: LockSettings | None = None, part: str = "") -> None:
        self.settings = settings or LockSettings()
        self.part = part

    def birth(self, address: Address, argument: Any) -> LockState:
        """Nothing is held, as far as is known yet."""
        del address, argument
        return LockState(part=self.part)

    def waiting(self, state: LockState) -> str:
        """How many wait, and for what."""
        wanted = [f"{shown(key)} ({len(lock.queue)} waiting)" for key, lock in state.table.locks.items() if lock.queue]
        more = " …" if len(wanted) > 5 else ""
        trouble = state.rounds.trouble
        if not wanted:
            return f"for the database of locks: {trouble}" if trouble else "for somebody to want a lock"
        away = f"; for the database of locks: {trouble}" if trouble else ""
        return f"for holders of {', '.join(wanted[:5])}{more}{away}"

    def receive(self, state: LockState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Started(attempt):
                state.reborn = state.table.paused = attempt > 0
                settles = [WakeAt(now + SETTLE_S, SETTLED)] if state.reborn else []
                return [*settles, *([WakeAt(now + SETTLE_S, shared.ROUND)] if self.settings.database else [])]
            case Observed(ref, thing) if ref.resource == WORKFLOWS:
                return self._met(state, ref, thing, now)
            case Gone(ref, _) if ref.resource == WORKFLOWS:
                return self._forget(state, _workflow(ref), now)
            case Told(sender, word):
                return self._told(state, sender, word, now)
            case Done(Read(tag=tag), result):
                return self._limit_read(state, tag.removeprefix(LIMIT), result, now)
            case Failed(Read(tag=tag), error):
                return self._limit_unread(state, tag.removeprefix(LIMIT), error, now)
            case Done(Ask(), answer):
                return self._answered(state, answer, now)
            case Failed(Ask(), error):
                return shared.failed(state, self.settings, error, now)
            case Woke(tag):
                return self._woke(state, tag, now)
            case Observed() | Gone() | Done() | Failed() | Down():
                return []  # a namespace, which is there so that this life begins

    # ------------------------------------------------------------------------------------------ workflows

    def _told(self, state: LockState, sender: Address, word: Any, now: float) -> list[Command]:
        match word:
            case AskLocks():
                return self._asked(state, sender, word, now)
            case HoldsLocks(node_id, keys):
                if sender in state.nodes:
                    return self._adopt(state, Holder(sender, node_id), keys, now)
            case HoldsOnly(node_ids):
                others = [node_id for node_id in state.nodes.get(sender, {}) if node_id not in node_ids]
                return [command for other in others for command in self._free(state, Holder(sender, other), now)]
            case ReturnLocks(node_id):
                state.believe(sender, node_id)
                return self._free(state, Holder(sender, node_id), now)
        return []

    def _met(self, state: LockState, ref: Reference, thing: Object, now: float) -> list[Command]:
        """An unfinished workflow; at first sight, what it has on record is held.

        One that a user has begun anew may have asked before the cache told of that: it says again what it wants."""
        workflow = _workflow(ref)
        if workflow in state.nodes:
            return []
        state.nodes[workflow] = {}
        doubted = workflow in state.doubted
        state.doubted.pop(workflow, None)
        commands: list[Command] = [Tell(workflow, SayAgain())] if state.reborn or doubted else []
        for holder, keys in holdings(thing.get("status") or {}).items():
            commands += self._adopt(state, Holder(workflow, holder_node(holder)), tuple(keys), now)
        return commands

    def _adopt(self, state: LockState, holder: Holder, keys: tuple[str, ...], now: float) -> list[Command]:
        """It holds these, as it says. The database hears of it later: others may have holdings to tell of first."""
        for key in keys:
            state.lock(key)
        news = holder not in state.table.held
        state.table.adopt(holder, keys)
        state.nodes[holder.workflow][holder.node_id] = None
        if not (kept := shared.keys_of(state.table.held[holder])):
            return []
        state.shared[holder] = kept
        return [WakeAt(now + SETTLE_S, shared.ROUND)] if news and self.settings.database else []

    def _forget(self, state: LockState, workflow: Address, now: float) -> list[Command]:
        """A workflow that is gone or finished holds nothing (SYNC-9)."""
        nodes = state.nodes.get(workflow, {})
        if nodes:
            state.doubt(workflow, nodes)
        commands = [command for node_id in list(nodes) for command in self._free(state, Holder(workflow, node_id), now)]
        state.nodes.pop(workflow, None)
        return commands

    # ------------------------------------------------------------------------------------------ locks

    def _asked(self, state: LockState, sender: Address, word: AskLocks, now: float) -> list[Command]:
        nodes = state.nodes.get(sender)
        if nodes is None:
            state.doubt(sender, (word.node_id,))
            return []  # its object is gone or finished already
        holder, table = Holder(sender, word.node_id), state.table
        if holder in table.held:
            return [Tell(sender, LockGranted(word.node_id, word.number))]
        foreign = [key for key in word.keys if key.partition("/")[0] != sender.namespace and not database_name(key)]
        if foreign and self.settings.apart:
            text = f"{foreign[0]} is a lock of another namespace, and with --shards each process gives those of its own"
            remedy = "let a database keep it, leave its `namespace` out, or run one controller without --shards"
            return [Tell(sender, LockRefused(word.node_id, f"{text}: {remedy}"))]
        kept = shared.keys_of(word.keys)
        if kept and self.settings.database is None:
            return [Tell(sender, LockRefused(word.node_id, shared.NO_DATABASE))]
        if kept and not fits(holder.key):
            why = f"the database of locks has {DATABASE_TEXT_MAX} characters for a holder, and {holder.key!r} has more"
            return [Tell(sender, LockRefused(word.node_id, f"{why}: give the workflow a shorter name"))]
        nodes[word.node_id] = None
        for key in word.keys:
            state.lock(key)
        if kept:
            state.shared[holder] = kept
        reads = self._freshen(state, word.keys, now)
        request = Request(holder, sender.name, word.keys, word.number, word.priority, word.created)
        commands = [*reads, *grants(table.ask(request))]
        if holder not in table.waiting:
            return commands
        if any(table.locks[key].closed for key in word.keys):
            state.unheard[holder] = None
        if kept:
            return [*commands, *shared.begin(state, self.settings, now)]
        if holder in state.unheard:
            return commands
        return [*commands, awaits(table, request), *self._recheck(word.keys, now)]

    def _free(self, state: LockState, holder: Holder, now: float) -> list[Command]:
        table = state.table
        state.nodes.get(holder.workflow, {}).pop(holder.node_id, None)
        state.unheard.pop(holder, None)
        kept = state.shared.pop(holder, None)
        keys = table.held.get(holder, ())
        wanted = table.waiting[holder][1].keys if holder in table.waiting else keys
        reads = self._freshen(state, [key for key in keys if table.locks[key].queue], now)
        granted = table.free(holder)
        for key in keys:
            if key not in table.locks:
                state.read_at.pop(key, None)
        commands = [*reads, *grants(granted), *_moved_on(state, keys)]
        if kept:
            return [*commands, *shared.begin(state, self.settings, now)]
        return [*commands, *self._moved(state, wanted, granted, now)]

    def _moved(self, state: LockState, keys: Iterable[str], granted: Iterable[Request], now: float) -> list[Command]:
        """The queues of these locks have moved, and with the grants those of further ones."""
        return shared.moved(state, self.settings, [*keys, *(key for one in granted for key in one.keys)], now)

    def _woke(self, state: LockState, tag: str, now: float) -> list[Command]:
        if tag == SETTLED:
            state.table.paused = False
            granted = grants(state.table.grant(list(state.table.locks)))
            others = [one for holder, (_, one) in state.table.waiting.items() if holder not in state.shared]
            waiting = [awaits(state.table, request) for request in others]
            return [*granted, *waiting, *shared.begin(state, self.settings, now)]
        if tag == shared.SILENT:
            return shared.silent(state)
        if tag == shared.ROUND:
            return self._poll(state, now)
        key = tag.removeprefix(LIMIT)
        lock = state.table.locks.get(key)
        return [self._read(state, key)] if lock is not None and lock.queue and key not in state.reading else []

    # ------------------------------------------------------------------------------------------ the database

    def _poll(self, state: LockState, now: float) -> list[Command]:
        """It is time to ask the database; where there is none any more, nobody can have its locks."""
        if self.settings.database is not None:
            return shared.begin(state, self.settings, now)
        keys = {key for kept in state.shared.values() for key in kept}
        return [command for key in sorted(keys) for command in self._refuse(state, key, shared.NO_DATABASE, now)]

    def _answered(self, state: LockState, answer: Any, now: float) -> list[Command]:
        commands = shared.answered(state, answer_of(answer))
        for key, why in state.rounds.impossible.items():
            commands += self._refuse(state, key, f"failed to initialize semaphore {shown(key)} with limit: {why}", now)
        return [*commands, *shared.next_round(state, self.settings, now)]

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
        if not text.strip().isdecimal() or (int(text) < 1 and state.last_limit(key) is None):
            return self._no_limit(state, key, f'the limit "{text}" is not a whole number above zero', now)
        return self._resize(state, key, int(text), now)

    def _resize(self, state: LockState, key: str, limit: int, now: float) -> list[Command]:
        """The limit is known: grant what it allows, and tell those who wait if they wait for something else now."""
        state.reading.discard(key)
        state.learn(key, limit)
        lock = state.table.locks.get(key)
        if lock is None:
            return []
        state.read_at[key] = now
        before = lock.limit
        granted = state.table.resize(key, limit)
        commands = [*grants(granted), *self._moved(state, [key], granted, now)]
        if not lock.queue:
            return commands
        commands += self._recheck([key], now)
        for _, request in lock.queue if state.unheard or before != limit else ():
            locks = [state.table.locks[wanted] for wanted in request.keys]
            if (before != limit or request.holder in state.unheard) and not any(lock.closed for lock in locks):
                state.unheard.pop(request.holder, None)  # type: ignore[call-overload]  # holders are Holder here
                if request.holder not in state.shared:
                    commands.append(awaits(state.table, request))
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
        told = [tell(request, LockAwaited(node_of(request), key, text)) for _, request in lock.queue if lock.closed]
        return [*told, WakeAt(now + RETRY_READ_S, LIMIT + key)]

    def _no_limit(self, state: LockState, key: str, why: str, now: float) -> list[Command]:
        """A limit that was known stays; one that never was makes the lock impossible to have (SYNC-3)."""
        known = state.last_limit(key)
        if known is not None:
            return self._resize(state, key, known, now)
        state.reading.discard(key)
        return self._refuse(state, key, f"failed to initialize semaphore {key} with limit: {why}", now)

    def _refuse(self, state: LockState, key: str, why: str, now: float) -> list[Command]:
        """Nobody who waits for this lock can have it."""
        lock = state.table.locks.get(key)
        commands: list[Command] = []
        for _, request in list(lock.queue) if lock is not None else ():
            commands.append(tell(request, LockRefused(node_of(request), why)))
            if isinstance(request.holder, Holder):
                commands += self._free(state, request.holder, now)
        return commands


def _workflow(ref: Reference) -> Address:
    return Address("workflow", ref.namespace, ref.name, ref.uid)


def _moved_on(state: LockState, keys: Iterable[str]) -> list[Command]:
    """Who waits for several locks may by now wait for another one of them."""
    locks = [state.table.locks[key] for key in keys if key in state.table.locks]
    several = {request.holder: request for lock in locks for request in lock.several.values()}
    return [awaits(state.table, request) for holder, request in several.items() if holder not in state.shared]
