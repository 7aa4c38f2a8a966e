"""A round decides who of one controller's gets which locks of a database, from what the database says. Pure.

Nothing is given beyond a limit, and to nobody but the first in the queue of all controllers that live: the order is
the one of `decide`, and so is the rule that several locks are had together. What a controller holds stays its own
however long it has been silent; only its place in the queues lapses. All rows of this controller that the round does
not ask for go: they are what an earlier life had not put on record. (SYNC-4, SYNC-5, SYNC-6, SYNC-11)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.lock.decide import LockTable, Request
from actors.lock_round import LockAnswer, LockRound, Standing

SHUT: Final = ""  # a lock that nobody gets: who wants it too only stands in the queues


class Row(NamedTuple):
    """One row of the table of states: who holds or wants one lock."""

    name: str
    holder: str
    controller: str
    held: bool = False
    priority: int = 0
    created: float = 0.0  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Found:
    """What the database says of all locks that the round names, and of all rows of its controller."""

    rows: tuple[Row, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)  # of semaphores that have one
    alive: frozenset[str] = frozenset()  # controllers whose heart has beaten lately
    busy: frozenset[str] = frozenset()  # locks that another controller is just deciding about


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be written, and said. `rows` are all rows of this controller as they are to be."""

    rows: tuple[Row, ...]
    answer: LockAnswer
    given: frozenset[str]  # names of locks that were granted


def settle(asked: LockRound, found: Found, controller: str) -> Settled:
    """Decide one round of `controller`."""
    table = LockTable(paused=True)
    names = {name for _, held in asked.held for name in held} | {name for one in asked.wanted for name in one.names}
    limits = {name: _limit(name, asked, found) for name in sorted(names | {row.name for row in found.rows})}
    for name, limit in limits.items():
        table.lock(name, limit or 0).closed = name in found.busy
    for key, free in asked.room.items():
        table.lock(key, free)
    table.lock(SHUT, 0)
    for row in found.rows:
        if row.held and row.controller != controller:
            table.adopt((row.controller, row.holder), [row.name])
    for holder, held in asked.held:
        table.adopt((controller, holder), held)
    mine = _ask(table, asked, found, controller)
    table.paused = False
    granted = {request.holder for request in table.grant(list(table.locks))}
    given = [one for one in asked.wanted if (controller, one.holder) in granted]
    obstacles = {
        one.holder: tuple(name for name in one.names if not table.locks[name].lets_in(mine[one.holder]))
        for one in asked.wanted
        if one.holder in mine and (controller, one.holder) not in granted
    }
    wanted = dict.fromkeys(name for one in asked.wanted for name in one.names)
    locks = {name: Standing(limits[name], _holders(table, name)) for name in wanted}
    answer = LockAnswer(asked.life, tuple(one.holder for one in given), obstacles, locks)
    return Settled(
        _rows(asked, found, controller, {one.holder for one in given}),
        answer,
        frozenset(name for one in given for name in one.names),
    )


def _limit(name: str, asked: LockRound, found: Found) -> int | None:
    if not name.startswith("sem/"):
        return 1
    limit = found.limits.get(name)
    return limit if limit is not None else asked.known.get(name)


def _ask(table: LockTable, asked: LockRound, found: Found, controller: str) -> dict[str, Request]:
    """Let everybody stand in the queues; answers this controller's own by holder."""
    requests = [
        _request((row.controller, row.holder), (row.name, SHUT), row.priority, row.created)
        for row in sorted(found.rows)
        if not row.held and row.controller != controller and row.controller in found.alive
    ]
    mine = {}
    for one in asked.wanted:
        if (controller, one.holder) in table.held or one.holder in mine:
            continue  # a namesake of its own holds: there is one row for both
        keys = (*one.names, *one.others) if one.ready else (*one.names, SHUT)
        mine[one.holder] = _request((controller, one.holder), keys, one.priority, one.created)
    for request in (*requests, *mine.values()):
        for key in request.keys:
            table.lock(key, 0)
        _stand(table, request)
    return mine


def _request(holder: tuple[str, str], keys: tuple[str, ...], priority: int, created: float) -> Request:
    """A wish; workflows are told apart by controller, and else by their names (SYNC-6)."""
    controller, key = holder
    workflow = key.split("/", 2)[1] if "/" in key else key
    return Request(holder, f"{workflow}@{controller}", keys, 0, priority, f"{max(created, 0.0):020.6f}")


def _stand(table: LockTable, request: Request) -> None:
    """One holder of another controller may stand in several queues, with a row for each."""
    if request.holder in table.waiting or request.holder in table.held:
        apart: tuple[object, ...] = (request.holder, request.keys)
        request = Request(apart, request.workflow, request.keys, 0, request.priority, request.created)
    table.ask(request)


def _holders(table: LockTable, name: str) -> tuple[str, ...]:
    return tuple(holder[1] for holder in table.locks[name].holders if isinstance(holder, tuple))


def _rows(asked: LockRound, found: Found, controller: str, granted: set[str]) -> tuple[Row, ...]:
    """Every row that this controller is to have. One that is there already keeps its priority and its time."""
    before = {(row.name, row.holder): row for row in found.rows if row.controller == controller}
    rows: dict[tuple[str, str], Row] = {}
    for one in asked.wanted:
        for name in one.names:
            held = one.holder in granted
            rows[name, one.holder] = Row(name, one.holder, controller, held, one.priority, one.created)
    for holder, names in asked.held:
        for name in names:
            known = before.get((name, holder), Row(name, holder, controller, created=asked.now))
            rows[name, holder] = known._replace(held=True)
    return tuple(rows.values())
