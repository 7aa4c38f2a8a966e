"""One round with the locks of a database is one transaction: read, decide, write down what was decided.

Two controllers that decide at once exclude each other. Ours wait for each other, by a lock on a table of ours that is
had before anything is read; so even a round that was thought lost comes before or after its successor. Beside
upstream's, PostgreSQL runs both as if one came after the other, and the loser begins again; a lock that is given is
also entered in the table that upstream looks at while it decides. SQLite has one writer at a time. (SYNC-4, SYNC-11)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.lock.round import Found, Row, Settled, settle
from actors.lock_round import LockAnswer, LockRound
from runtime.api import Refused, Unavailable
from tiphys.persistence.engine import Store
from tiphys.persistence.sync_settings import SyncSettings
from tiphys.persistence.sync_tables import Tables, sync_tables

RACES_MAX: Final = 8
"""How often a round begins again that lost a race; then the next one has its chance."""

PORTION: Final = 400  # names in one statement

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the tables keep UTC without saying so, as upstream's do


@dataclass(frozen=True, slots=True)
class Rounds:
    """The locks of one database, in the name of one controller."""

    store: Store
    settings: SyncSettings

    async def carry_out(self, asked: LockRound) -> LockAnswer:
        """Write down what a round asks for and grants, and answer with it.

        Raises Unavailable (nothing is known of what was written: ask again) and Refused."""
        for last in (False,) * (RACES_MAX - 1) + (True,):
            try:
                async with self.store.writing(serializable=True) as connection:
                    return await _Round(connection, sync_tables(self.settings.tables), self.settings, asked).run()
            except Unavailable as error:
                if last or not lost_race(error):
                    raise
        raise AssertionError("a last attempt answers or raises")


def lost_race(error: Unavailable) -> bool:
    """Whether another transaction came first, and nothing else is wrong."""
    driver = getattr(error.__cause__, "orig", None)
    state = getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None) or ""
    return str(state).startswith("40")


@dataclass(frozen=True, slots=True)
class _Round:
    """One attempt, within one transaction."""

    connection: AsyncConnection
    tables: Tables
    settings: SyncSettings
    asked: LockRound

    @property
    def me(self) -> str:
        """The controller that asks."""
        return f"{self.settings.controller}-{self.asked.part}" if self.asked.part else self.settings.controller

    async def run(self) -> LockAnswer:
        if self.connection.dialect.name == "postgresql":  # before the first read, so that it sees what the last one did
            await self.connection.execute(sa.text(f"lock table {self.tables.lives.name} in exclusive mode"))
        life = await self._begin()
        names = {name for _, held in self.asked.held for name in held}
        names |= {name for one in self.asked.wanted for name in one.names}
        found = await self._found(names)
        settled = settle(self.asked, found, self.me)
        entered = await self._enter(sorted(settled.given))
        if len(entered) < len(settled.given):  # somebody else is just deciding about these
            settled = settle(self.asked, replace(found, busy=settled.given - set(entered)), self.me)
        await self._write(found.rows, settled)
        await self._leave(entered)
        return replace(settled.answer, life=life)

    async def _begin(self) -> int:
        """The heartbeat, and which life this is. Raises Refused when it is over."""
        controllers, lives, me = self.tables.controllers, self.tables.lives, self.me
        beat = sa.update(controllers).where(controllers.c.controller == me).values(time=_time(self.asked.now))
        if (await self.connection.execute(beat)).rowcount == 0:
            await self.connection.execute(controllers.insert().values(controller=me, time=_time(self.asked.now)))
        mine = (lives.c.states == self.tables.states.name) & (lives.c.controller == me)
        last = (await self.connection.execute(sa.select(lives.c.life).where(mine))).scalar()
        if self.asked.life and self.asked.life != last:
            raise Refused(
                f"another process has begun to act as controller {me!r} in the database {self.settings.database.place}:"
                " give every controller a `synchronization.controllerName` of its own"
            )
        if self.asked.life:
            return self.asked.life
        life = (last or 0) + 1
        if last is None:
            values = {"states": self.tables.states.name, "controller": me, "life": life}
            await self.connection.execute(lives.insert().values(**values))
        else:
            await self.connection.execute(sa.update(lives).where(mine).values(life=life))
        return life

    # ------------------------------------------------------------------------------------------ reading

    async def _found(self, names: set[str]) -> Found:
        states, limits = self.tables.states, self.tables.limits
        mine = states.c.controller == self.me
        rows = {row[:3]: row for row in await self._states(mine)}
        for portion in _portions(sorted(names)):
            rows |= {row[:3]: row for row in await self._states(states.c.name.in_(portion))}
        found: dict[str, int] = {}
        for portion in _portions(sorted(name for name in names if name.startswith("sem/"))):
            wanted = limits.c.name.in_([name.removeprefix("sem/") for name in portion])
            for name, limit in (await self.connection.execute(sa.select(limits).where(wanted))).all():
                if limit is not None:
                    found[f"sem/{name}"] = limit
        return Found(tuple(rows.values()), found, await self._alive())

    async def _states(self, where: sa.ColumnElement[bool]) -> list[Row]:
        columns = self.tables.states.c
        wanted = (columns.name, columns.workflowkey, columns.controller, columns.held, columns.priority, columns.time)
        found = (await self.connection.execute(sa.select(*wanted).where(where))).all()
        return [
            Row(row.name, row.workflowkey, row.controller, bool(row.held), row.priority or 0, _seconds(row.time))
            for row in found
        ]

    async def _alive(self) -> frozenset[str]:
        columns = self.tables.controllers.c
        found = await self.connection.execute(sa.select(columns.controller).where(columns.time > self._since()))
        return frozenset(row.controller for row in found)

    def _since(self) -> datetime:
        return _time(self.asked.now - self.settings.inactive_s)

    # ------------------------------------------------------------------------------------------ writing

    async def _enter(self, names: Sequence[str]) -> list[str]:
        """Say that we decide about these; answers those of them about which nobody else does."""
        if not names:
            return []
        locks, columns = self.tables.locks, self.tables.controllers.c
        silent = sa.select(columns.controller).where(columns.time <= self._since())
        stale = locks.c.controller.in_(silent) | (locks.c.controller == self.me)
        await self.connection.execute(sa.delete(locks).where(stale))
        entered = []
        for name in names:
            values = {"name": name, "controller": self.me, "time": _time(self.asked.now)}
            statement: Any = (
                insert_postgresql(locks) if self.connection.dialect.name == "postgresql" else insert_sqlite(locks)
            )
            done = await self.connection.execute(statement.values(**values).on_conflict_do_nothing())
            if done.rowcount == 1:
                entered.append(name)
        return entered

    async def _leave(self, names: Sequence[str]) -> None:
        locks = self.tables.locks
        for portion in _portions(names):
            mine = locks.c.name.in_(portion) & (locks.c.controller == self.me)
            await self.connection.execute(sa.delete(locks).where(mine))

    async def _write(self, before: Iterable[Row], settled: Settled) -> None:
        """Make this controller's rows what they are to be."""
        states = self.tables.states
        had = {(row.name, row.holder): row for row in before if row.controller == self.me}
        wanted = {(row.name, row.holder): row for row in settled.rows}
        this = (
            (states.c.name == sa.bindparam("of_name"))
            & (states.c.workflowkey == sa.bindparam("of_holder"))
            & (states.c.controller == self.me)
        )
        if gone := [{"of_name": name, "of_holder": holder} for name, holder in sorted(had.keys() - wanted.keys())]:
            await self.connection.execute(sa.delete(states).where(this), gone)
        if changed := [_of(row) for key, row in wanted.items() if key in had and had[key] != row]:
            values: dict[str, Any] = {
                "held": sa.bindparam("is_held"), "priority": sa.bindparam("of_priority"), "time": sa.bindparam("at")
            }  # fmt: skip
            await self.connection.execute(sa.update(states).where(this).values(values), changed)
        if new := [_values(row) for key, row in wanted.items() if key not in had]:
            await self.connection.execute(states.insert(), new)


def _of(row: Row) -> dict[str, Any]:
    return {
        "of_name": row.name, "of_holder": row.holder, "is_held": row.held, "of_priority": row.priority,
        "at": _time(row.created),
    }  # fmt: skip


def _values(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "workflowkey": row.holder, "controller": row.controller, "held": row.held,
        "priority": row.priority, "time": _time(row.created),
    }  # fmt: skip


def _time(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(time: datetime | None) -> float:
    if time is None:
        return 0.0
    plain = time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    return (plain - _EPOCH).total_seconds()


def _portions(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while portion := list(islice(rest, PORTION)):
        yield portion
