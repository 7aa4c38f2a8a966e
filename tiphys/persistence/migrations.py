"""Tables come into being and change step by step; every step leads back, and one that was cut short is taken up again.

A step is one transaction with the note that it was taken, so a death between two leaves a schema that somebody knows;
a backfill is many short ones and goes on where it stopped. Two that migrate at once wait for each other. A schema
that upstream's controller has made is taken as it is, and is left to it on the way back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.api import Refused
from tiphys.persistence.engine import Store
from tiphys.persistence.summary import summary_of
from tiphys.persistence.tables import (
    ALL_INDEX,
    LABELLED_INDEX,
    NAME_INDEX,
    NAMES_INDEX,
    NAMESPACE_INDEX,
    PAGES_INDEX,
    Tables,
)

UPSTREAMS_ARCHIVE: Final = 68
"""The last of upstream's own changes to the archive's tables (4.1), as it counts them in `schema_history`."""

BACKFILL_ROWS: Final = 200
ADVISORY: Final = 7_447_497  # the number of the lock that migrations of a PostgreSQL database hold

Work = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """One change and its way back. With `again`, it is repeated until it answers False."""

    what: str
    up: Work
    down: Work
    fill: Callable[[AsyncConnection], Awaitable[bool]] | None = None


class Plan(NamedTuple):
    """What a component's tables go through."""

    component: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """How far a component is, and whether its tables were made here (not by upstream's controller)."""

    version: int = 0
    ours: bool = False


_progress = sa.Table(
    "tiphys_schema", sa.MetaData(),
    sa.Column("component", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("ours", sa.Boolean, nullable=False),
)  # fmt: skip


async def standing(store: Store, plan: Plan) -> Taken:
    """How far a component is. Raises Unavailable, Refused."""
    async with store.reading() as connection:
        if not await _exists(connection, _progress.name):
            return Taken()
        return await _read(connection, plan)


async def migrate(store: Store, plan: Plan, to: int | None = None) -> list[str]:
    """Take all steps up, or those up or down to the version `to`; what was done, in words.

    Raises Unavailable and Refused; what was done before that stays done."""
    goal = len(plan.steps) if to is None else to
    if not 0 <= goal <= len(plan.steps):
        raise Refused(f"there is no version {goal} of {plan.component}: 0 to {len(plan.steps)}")
    done = []
    while True:
        async with store.writing() as connection:
            await _alone(connection)
            await connection.run_sync(lambda sync: _progress.create(sync, checkfirst=True))
            taken = await _read(connection, plan)
            if taken.version == goal or (to is None and taken.version > goal):
                break
            up = taken.version < goal
            step = plan.steps[taken.version if up else taken.version - 1]
            await (step.up if up else step.down)(connection)
            await _note(connection, plan, taken.version + (1 if up else -1))
        if up and step.fill is not None:
            await _fill(store, step.fill)
        done.append(f"{plan.component}: {'' if up else 'back: '}{step.what}")
    await _finish_fills(store, plan, goal)
    return done


async def _finish_fills(store: Store, plan: Plan, goal: int) -> None:
    """A backfill that a former run left half done."""
    for step in plan.steps[:goal]:
        if step.fill is not None:
            await _fill(store, step.fill)


async def _fill(store: Store, fill: Callable[[AsyncConnection], Awaitable[bool]]) -> None:
    more = True
    while more:
        async with store.writing() as connection:
            more = await fill(connection)


async def _alone(connection: AsyncConnection) -> None:
    """No other migration runs until this transaction ends; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("select pg_advisory_xact_lock(:number)"), {"number": ADVISORY})


async def _read(connection: AsyncConnection, plan: Plan) -> Taken:
    found = (await connection.execute(sa.select(_progress).where(_progress.c.component == plan.component))).first()
    return Taken() if found is None else Taken(found.version, found.ours)


async def _note(connection: AsyncConnection, plan: Plan, version: int) -> None:
    mine = _progress.c.component == plan.component
    done = await connection.execute(sa.update(_progress).where(mine).values(version=version))
    if done.rowcount == 0:
        await connection.execute(_progress.insert().values(component=plan.component, version=version, ours=False))


async def _exists(connection: AsyncConnection, table: str) -> bool:
    return bool(await connection.run_sync(lambda sync: sa.inspect(sync).has_table(table)))


async def _execute(connection: AsyncConnection, *statements: str) -> None:
    for statement in statements:
        await connection.execute(sa.text(statement))


# ------------------------------------------------------------------------------------------ upstream's tables


def founding(component: str, metadata: sa.MetaData, first: str, history: str, newest: int) -> Step:
    """Upstream's tables: made as its newest version has them, or found."""

    async def up(connection: AsyncConnection) -> None:
        found = await _exists(connection, first)
        if found:
            await _check_history(connection, history, newest)
        await connection.run_sync(metadata.create_all)
        if not found:
            await _execute(
                connection,
                f"create table if not exists {history} (schema_version int not null, primary key (schema_version))",
                f"delete from {history}",  # noqa: S608  the names are ours
                f"insert into {history} values ({newest})",  # noqa: S608
            )
        values = {"component": component, "version": 0, "ours": not found}
        await connection.execute(sa.delete(_progress).where(_progress.c.component == component))
        await connection.execute(_progress.insert().values(**values))

    async def down(connection: AsyncConnection) -> None:
        mine = sa.select(_progress.c.ours).where(_progress.c.component == component)
        if not (await connection.execute(mine)).scalar():
            return  # upstream's own: it may be at work with them
        await connection.run_sync(metadata.drop_all)
        await _execute(connection, f"drop table if exists {history}")

    return Step("upstream's tables", up, down)


async def _check_history(connection: AsyncConnection, history: str, newest: int) -> None:
    version = None
    if await _exists(connection, history):
        version = (await connection.execute(sa.text(f"select max(schema_version) from {history}"))).scalar()  # noqa: S608
    if version is None or version < newest:
        raise Refused(
            f"the tables are those of an older argo (schema {version}, needed is {newest}): let the controller of "
            "argo-workflows 4.1 migrate them first, or name another database"
        )


async def _nothing(connection: AsyncConnection) -> None:
    del connection


def archive_plan(tables: Tables) -> Plan:
    """The archive and offloaded nodes."""
    name, labels = tables.archived.name, tables.labels.name

    async def summaries(connection: AsyncConnection) -> None:
        columns = await connection.run_sync(lambda sync: [one["name"] for one in sa.inspect(sync).get_columns(name)])
        if "summary" not in columns:
            kind = "jsonb" if connection.dialect.name == "postgresql" else "json"
            await _execute(connection, f"alter table {name} add column summary {kind}")

    async def no_summaries(connection: AsyncConnection) -> None:
        await _execute(connection, f"alter table {name} drop column summary")

    async def backfill(connection: AsyncConnection) -> bool:
        rows = tables.archived.c
        wanted = sa.select(rows.clustername, rows.uid, rows.workflow).where(rows.summary.is_(sa.null()))
        found = (await connection.execute(wanted.limit(BACKFILL_ROWS))).all()
        for row in found:
            this = (rows.clustername == row.clustername) & (rows.uid == row.uid)
            filled = sa.update(tables.archived).where(this).values(summary=summary_of(row.workflow))
            await connection.execute(filled)
        return len(found) == BACKFILL_ROWS

    steps = (
        founding(f"archive:{tables.nodes.name}", tables.metadata, name, "schema_history", UPSTREAMS_ARCHIVE),
        Step("what a list shows of a workflow, in a column of its own", summaries, no_summaries),
        Step("summaries of workflows that were there before", _nothing, _nothing, backfill),
        _indexes(name, labels),
        _covering(name),
    )
    return Plan(f"archive:{tables.nodes.name}", steps)


def _indexes(name: str, labels: str) -> Step:
    async def pages(connection: AsyncConnection) -> None:
        await _execute(
            connection,
            *_narrow(name),
            f"create index if not exists {LABELLED_INDEX} on {labels} (clustername, name, value, uid)",
        )

    async def no_pages(connection: AsyncConnection) -> None:
        await _without(connection, PAGES_INDEX, NAMES_INDEX, LABELLED_INDEX)

    return Step("indexes that pages are read along", pages, no_pages)


def _covering(name: str) -> Step:
    """One index for whatever is asked, and two that lead to the rows of a namespace or of a name at once."""
    mine, place = "clustername, instanceid", "startedat desc, uid desc"
    columns = {
        ALL_INDEX: f"{mine}, {place}, namespace, phase, name, finishedat",
        NAMESPACE_INDEX: f"{mine}, namespace, {place}, phase, name, finishedat",
        NAME_INDEX: f"{mine}, name, {place}, namespace, phase, finishedat",
    }

    async def covering(connection: AsyncConnection) -> None:
        made = (f"create index if not exists {index} on {name} ({those})" for index, those in columns.items())
        await _execute(connection, *made)
        await _without(connection, PAGES_INDEX, NAMES_INDEX)

    async def narrow(connection: AsyncConnection) -> None:
        await _execute(connection, *_narrow(name))
        await _without(connection, *columns)

    return Step("indexes that hold every column a page is asked by", covering, narrow)


def _narrow(name: str) -> tuple[str, str]:
    return (
        f"create index if not exists {PAGES_INDEX} on {name} (clustername, instanceid, startedat desc, uid desc)",
        f"create index if not exists {NAMES_INDEX} on {name} (clustername, instanceid, name, uid)",
    )


async def _without(connection: AsyncConnection, *indexes: str) -> None:
    await _execute(connection, *(f"drop index if exists {index}" for index in indexes))
