"""The lock room's side of its rounds with a database: what it tells it, and what it makes of the answers.

One round is under way at a time. It tells everything that is held and wanted, so nothing is lost with one that fails:
the next says it all again. What the database grants to somebody who no longer wants it, or whose other locks are taken
by then, is not held here; the next round says so, and the database forgets it. Who holds goes on, however long the
database is away; who waits hears why. (SYNC-4, SYNC-11, SYNC-13)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from actors.database_messages import DATABASE
from actors.lock.decide import Request
from actors.lock.state import Holder, LockSettings, LockState
from actors.lock.words import awaited, besides, grants, tell
from actors.lock_messages import LockAwaited, database_name, fits, shown
from actors.lock_round import LockAnswer, LockRound, Standing, Wanted
from actors.names.timestamps import seconds
from runtime import api
from runtime.messages import Ask, Command, WakeAt

ROUND: Final = "round"
SILENT: Final = "silent"
NOTHING: Final = Standing(None, ())
SILENT_S: Final = 5.0  # a database that has not answered by then is spoken of
PRIORITY_MAX: Final = 2**31 - 1  # as much as its tables have room for
NO_DATABASE: Final = (
    "synchronization database session is not available: name a database under `synchronization` in the controller's "
    "ConfigMap"
)


def keys_of(keys: Iterable[str]) -> tuple[str, ...]:
    """Those of them that a database keeps. It keeps none of a name that it cannot have, which a status may say."""
    return tuple(key for key in keys if (name := database_name(key)) and fits(name))


def begin(state: LockState, settings: LockSettings, now: float) -> list[Command]:
    """Ask the database, or remember to when it has answered; not while it is unknown who holds what."""
    rounds, polling = state.rounds, settings.database
    if polling is None or state.table.paused:
        return []
    if rounds.asking:
        rounds.again = True
        return []
    if rounds.where != polling.where:
        rounds.where, rounds.life = polling.where, 0
    rounds.asking, rounds.again = True, False
    silent = [WakeAt(now + SILENT_S, SILENT)] if _waiting(state) else []
    return [Ask(DATABASE, _question(state, now)), *silent]


def moved(state: LockState, settings: LockSettings, keys: Iterable[str], now: float) -> list[Command]:
    """These locks have moved: with them, somebody who waits may be ready for what the database keeps."""
    return begin(state, settings, now) if _concerns_others(state, keys) else []


def _concerns_others(state: LockState, keys: Iterable[str]) -> bool:
    locks = [state.table.locks[key] for key in keys if key in state.table.locks]
    return any(holder in state.shared for lock in locks for holder in lock.several)


def _waiting(state: LockState) -> list[Request]:
    """Who waits for locks of a database, in order."""
    waiting = state.table.waiting
    return [request for _, request in sorted((waiting[one] for one in state.shared if one in waiting), key=_place)]


def _place(entry: tuple[tuple[int, str, str, int], Request]) -> tuple[int, str, str, int]:
    return entry[0]


def _question(state: LockState, now: float) -> LockRound:
    table = state.table
    room: dict[str, int] = {}
    known: dict[str, int] = {}
    held = tuple((one.key, _names(keys)) for one, keys in state.shared.items() if one in table.held and fits(one.key))
    wanted = []
    for request in _waiting(state):
        assert isinstance(request.holder, Holder)
        others = tuple(key for key in request.keys if not database_name(key))
        ready = table.ready(request)
        room |= {key: table.locks[key].available for key in others} if ready else {}
        for key in keys_of(request.keys):
            if (limit := table.locks[key].limit) is not None:
                known[database_name(key)] = limit
        created = seconds(request.created) if request.created else 0.0
        names = _names(state.shared[request.holder])
        priority = max(-PRIORITY_MAX, min(request.priority, PRIORITY_MAX))
        wanted.append(Wanted(request.holder.key, names, others, ready, priority, created))
    return LockRound(now, state.rounds.life, held, tuple(wanted), room, known, state.part)


def _names(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(database_name(key) for key in keys)


# ------------------------------------------------------------------------------------------------ answers


def answered(state: LockState, answer: LockAnswer) -> list[Command]:
    """Give what the database has given, and tell the others what they wait for. `next_round` is to be called next."""
    rounds, table = state.rounds, state.table
    rounds.asking, rounds.trouble, rounds.life = False, "", answer.life
    waiting = {request.holder.key: request for request in _waiting(state) if isinstance(request.holder, Holder)}
    _learn(state, waiting.values(), answer)
    commands: list[Command] = []
    for holder in answer.granted:
        request = waiting.get(holder)
        given = table.give(request.holder) if request is not None else []
        commands += grants(given)
        moved = [key for one in given for key in one.keys if not database_name(key)]
        rounds.again = rounds.again or not given or _concerns_others(state, moved)
    return [*commands, *tell_waits(state), WakeAt(None, SILENT)]


def _learn(state: LockState, waiting: Iterable[Request], answer: LockAnswer) -> None:
    """What is known of the database's locks from now on, and which of them nobody can have."""
    rounds, table = state.rounds, state.table
    rounds.locks, rounds.in_the_way, rounds.impossible = {}, {}, {}
    for request in waiting:
        assert isinstance(request.holder, Holder)
        keys = state.shared[request.holder]
        for key in keys:
            standing = answer.locks.get(database_name(key))
            if standing is None or key in rounds.locks:
                continue
            known = state.last_limit(key)
            limit = known if standing.limit is None else standing.limit
            rounds.locks[key] = Standing(limit, standing.holders)
            if limit is None or (limit < 1 and known is None):
                rounds.impossible[key] = _no_limit(key, limit)
            else:
                table.locks[key].limit = limit
                state.learn(key, limit)
        names = answer.obstacles.get(request.holder.key)
        if names is not None:
            rounds.in_the_way[request.holder] = tuple(key for key in keys if database_name(key) in names)


def _no_limit(key: str, limit: int | None) -> str:
    if limit is not None:
        return f'the limit "{limit}" is not a whole number above zero'
    namespace, _, name = key.split("/", 2)
    remedy = f"tiphys sync create {name} --type database --limit N -n {namespace}"
    return f"the database has no limit {namespace}/{name}; make one: {remedy}"


def next_round(state: LockState, settings: LockSettings, now: float) -> list[Command]:
    """Now, if something has changed meanwhile; else when it is time."""
    polling = settings.database
    if polling is None:
        return [WakeAt(now, ROUND)]
    if state.rounds.asking:
        return []
    if state.rounds.again:
        return begin(state, settings, now)
    waits = any(holder in state.table.waiting for holder in state.shared)
    return [WakeAt(now + (min(polling.poll_s, polling.heartbeat_s) if waits else polling.heartbeat_s), ROUND)]


def failed(state: LockState, settings: LockSettings, error: api.ApiError, now: float) -> list[Command]:
    """The database did not answer, or refuses: it is asked again, and who waits hears why."""
    rounds, polling = state.rounds, settings.database
    rounds.asking, rounds.again, rounds.trouble = False, False, error.message
    again = WakeAt(now if polling is None else now + polling.poll_s, ROUND)
    return [*tell_waits(state), WakeAt(None, SILENT), again]


def silent(state: LockState) -> list[Command]:
    """The round under way takes long."""
    if state.rounds.asking and not state.rounds.trouble:
        state.rounds.trouble = "the database has not answered yet"
        return tell_waits(state)
    return []


# ------------------------------------------------------------------------------------------------ words


def tell_waits(state: LockState) -> list[Command]:
    """Tell those who wait what for, unless they know. Who else holds a lock is told to one of each workflow."""
    rounds = state.rounds
    waiting = _waiting(state)
    said, blockers = rounds.said, rounds.blockers
    rounds.said, rounds.blockers = {}, {}
    commands: list[Command] = []
    holders = {key: standing.holders for key, standing in rounds.locks.items()}
    for request in waiting:
        assert isinstance(request.holder, Holder)
        word = _awaited(state, request, holders)
        before = said.get(request.holder)
        if word is None:
            if before is not None:
                rounds.said[request.holder] = before
            continue
        rounds.said[request.holder] = word
        same = before is not None and (before.key, before.message) == (word.key, word.message)
        about = (request.holder.workflow, word.key)
        if not same or (about not in rounds.blockers and blockers.get(about) != word.holders):
            commands.append(tell(request, word))
        rounds.blockers.setdefault(about, word.holders)
    return commands


def _awaited(state: LockState, request: Request, shared: dict[str, tuple[str, ...]]) -> LockAwaited | None:
    """What stands in the way; None for who has asked since the last round. `shared`: who holds the database's locks."""
    rounds, holder = state.rounds, request.holder
    assert isinstance(holder, Holder)
    table, keys = state.table, state.shared[holder]
    if rounds.trouble:
        text = f"Waiting to acquire the synchronization lock. {rounds.trouble}"
        others = besides(table, request, keys[0], shared)
        return LockAwaited(holder.node_id, keys[0], text, shared.get(keys[0], ()), others)
    if holder not in rounds.in_the_way:
        return None
    lock = table.obstacle(request, frozenset(keys) - frozenset(rounds.in_the_way[holder]))
    if not lock.elsewhere:
        return awaited(table, request, lock, shared)
    standing = rounds.locks.get(lock.key, NOTHING)
    text = f"Waiting for {shown(lock.key)} lock ({database_name(lock.key)}). Lock status: "
    text += f"{len(standing.holders)}/{standing.limit or 0}"
    return LockAwaited(holder.node_id, lock.key, text, standing.holders, besides(table, request, lock.key, shared))
