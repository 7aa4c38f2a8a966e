"""The archive: finished workflows by uid, in pages that are read along an index, newest first.

A page ends with the place of its last row, and the next one begins after it: no row is counted to be skipped, so the
thousandth page costs what the first one does. Which rows a page has is decided in the index alone, which holds every
column that can be asked about; only those rows are fetched, for each is large. So what nobody has costs one walk along
an index. Saving is idempotent: the newest version of a workflow replaces another. (ARCHV-1, ARCHV-2, ARCHV-3)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.api import Gone
from runtime.objects import Object
from tiphys.devcluster.selectors import parse_labels
from tiphys.persistence.engine import Store
from tiphys.persistence.labelled import labelled
from tiphys.persistence.nul import without_nul
from tiphys.persistence.summary import listed, moment, persisted, summary_of
from tiphys.persistence.tables import Tables

PLANNED_ANEW = "SET LOCAL plan_cache_mode = force_custom_plan"
"""From a statement's sixth time on, PostgreSQL may have one plan for all values: seconds instead of milliseconds."""

SHOWN = ("uid", "name", "namespace", "phase", "startedat", "finishedat", "creationtimestamp", "summary")


class Place(NamedTuple):
    """Where a page ended: the start of its last workflow (seconds since the epoch) and its uid."""

    started: float
    uid: str


@dataclass(frozen=True, slots=True)
class Query:
    """Which archived workflows; what is empty is not asked. `name_is`: exact, prefix or contains, and in each of them
    capital letters differ from small ones, whatever the database."""

    namespace: str = ""
    name: str = ""
    name_is: str = "exact"
    labels: str = ""  # a label selector
    phases: tuple[str, ...] = ()
    started_after: float | None = None  # seconds since the epoch, as all of these
    started_before: float | None = None
    finished_before: float | None = None


class Page(NamedTuple):
    """Workflows without their nodes, newest first, and where the next page begins; None after the last one."""

    items: list[Object]
    after: Place | None


class Archive:
    """The archived workflows of one cluster and instance."""

    def __init__(self, store: Store, tables: Tables, cluster: str = "default", instance_id: str = "") -> None:
        self._store = store
        self._tables = tables
        self._rows = tables.archived.c
        self._cluster = cluster
        self._mine = (self._rows.clustername == cluster) & (self._rows.instanceid == instance_id)
        self._instance_id = instance_id

    async def save(self, workflow: Object) -> None:
        """Put a finished workflow on record, whole. Raises Unavailable, Refused."""
        meta, status = workflow["metadata"], workflow.get("status") or {}
        kept = {**workflow, "metadata": {**meta, "labels": persisted(meta.get("labels"))}}
        row = {
            "clustername": self._cluster, "instanceid": self._instance_id,
            "uid": meta["uid"], "name": meta["name"], "namespace": meta.get("namespace", ""),
            "phase": status.get("phase", ""), "startedat": moment(status.get("startedAt")),
            "finishedat": moment(status.get("finishedAt")), "creationtimestamp": moment(meta.get("creationTimestamp")),
            "summary": without_nul(summary_of(kept)), "workflow": without_nul(kept),
        }  # fmt: skip
        labels = [
            {"clustername": self._cluster, "uid": meta["uid"], "name": name, "value": str(value)}
            for name, value in kept["metadata"]["labels"].items()
        ]
        async with self._store.writing() as connection:
            await self._drop(connection, [meta["uid"]])
            await connection.execute(self._tables.archived.insert(), row)
            await connection.execute(self._tables.labels.insert(), labels)

    async def get(self, uid: str) -> Object:
        """An archived workflow, whole. Raises Gone, Unavailable, Refused."""
        wanted = sa.select(self._rows.workflow).where(self._mine, self._rows.uid == uid)
        async with self._store.reading() as connection:
            found = (await connection.execute(wanted)).scalar()
        if found is None:
            raise Gone(f"there is no archived workflow with the uid {uid}", code=404, reason="NotFound")
        thing: Object = orjson.loads(found) if isinstance(found, str) else found
        thing.setdefault("metadata", {})["labels"] = persisted(thing["metadata"].get("labels"))
        return thing

    async def page(self, query: Query, limit: int, after: Place | None = None) -> Page:
        """At most `limit` workflows that come after a place. Raises Unavailable, Refused."""
        async with self._store.reading() as connection:
            if connection.dialect.name == "postgresql":
                await connection.exec_driver_sql(PLANNED_ANEW)
            wanted = await self._wanted(connection, query, limit, after)
            found = (await connection.execute(wanted)).all()
            found = [await self._whole(connection, row) for row in found]
        rows = found[:limit]
        last = Place(rows[-1].startedat.replace(tzinfo=UTC).timestamp(), rows[-1].uid) if len(found) > limit else None
        return Page([listed(row) for row in rows], last)

    async def _wanted(self, connection: AsyncConnection, query: Query, limit: int, after: Place | None) -> Any:
        """The statement of a page and one row more: the keys from the index first, then the rows they belong to."""
        rows = self._rows
        keys = sa.select(rows.startedat, rows.uid).where(self._mine, *self._conditions(query))
        if after is not None:
            began = _utc(after.started)
            keys = keys.where(rows.startedat <= began).where((rows.startedat < began) | (rows.uid < after.uid))
        if query.name:
            keys = keys.where(_named(rows.name, query, connection.dialect.name))
        for part in parse_labels(query.labels):
            keys = keys.where(await labelled(connection, self._tables, self._cluster, part))
        key = keys.order_by(rows.startedat.desc(), rows.uid.desc()).limit(limit + 1).subquery("key")
        theirs = (rows.clustername == self._cluster) & (rows.uid == key.c.uid)
        shown = sa.select(*(rows[name] for name in SHOWN)).select_from(key.join(self._tables.archived, theirs))
        return shown.order_by(key.c.startedat.desc(), key.c.uid.desc())

    async def _whole(self, connection: AsyncConnection, row: Any) -> Any:
        """The row, with a summary also if upstream's controller has written it."""
        if row.summary is not None:
            return row
        wanted = sa.select(self._rows.workflow).where(self._mine, self._rows.uid == row.uid)
        return Row(**{**row._mapping, "summary": summary_of((await connection.execute(wanted)).scalar() or {})})

    async def delete(self, uid: str) -> bool:
        """Forget a workflow; False when it was not there. Raises Unavailable, Refused."""
        async with self._store.writing() as connection:
            return await self._drop(connection, [uid]) > 0

    async def delete_ended_before(self, at: float, limit: int = 500) -> int:
        """Forget workflows that ended before `at` (seconds since the epoch), at most `limit`; how many that were."""
        wanted = sa.select(self._rows.uid).where(self._mine, self._rows.finishedat < _utc(at)).limit(limit)
        async with self._store.writing() as connection:
            uids = list((await connection.execute(wanted)).scalars())
            return await self._drop(connection, uids) if uids else 0

    async def _drop(self, connection: AsyncConnection, uids: Sequence[str]) -> int:
        labels = self._tables.labels
        theirs = (labels.c.clustername == self._cluster) & labels.c.uid.in_(uids)
        await connection.execute(sa.delete(labels).where(theirs))
        done = await connection.execute(sa.delete(self._tables.archived).where(self._mine, self._rows.uid.in_(uids)))
        return done.rowcount

    async def label_keys(self) -> list[str]:
        """Every label that an archived workflow of the cluster bears."""
        labels = self._tables.labels.c
        return await self._distinct(labels.name, labels.clustername == self._cluster)

    async def label_values(self, key: str) -> list[str]:
        """Every value of a label."""
        labels = self._tables.labels.c
        return await self._distinct(labels.value, (labels.clustername == self._cluster) & (labels.name == key))

    async def _distinct(self, column: Any, condition: Any) -> list[str]:
        wanted = sa.select(column).distinct().where(condition).order_by(column)
        async with self._store.reading() as connection:
            return list((await connection.execute(wanted)).scalars())

    # ------------------------------------------------------------------------------------------ conditions

    def _conditions(self, query: Query) -> list[Any]:
        rows = self._rows
        found: list[Any] = [rows.namespace == query.namespace] if query.namespace else []
        if query.phases:
            found.append(rows.phase.in_(query.phases))
        if query.started_after is not None:
            found.append(rows.startedat >= _utc(query.started_after))
        if query.started_before is not None:
            found.append(rows.startedat <= _utc(query.started_before))
        if query.finished_before is not None:
            found.append(rows.finishedat <= _utc(query.finished_before))
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """A row whose summary was made here."""

    uid: str
    name: str
    namespace: str
    phase: str
    startedat: datetime
    finishedat: datetime
    creationtimestamp: datetime | None
    summary: Any


def _named(column: Any, query: Query, dialect: str) -> Any:
    """The condition of a name. SQLite's LIKE takes capital letters for small ones, PostgreSQL's does not."""
    if query.name_is not in ("prefix", "contains"):
        return column == query.name
    begins = query.name_is == "prefix"
    if dialect == "sqlite":
        at = sa.func.instr(column, query.name)
        return at == 1 if begins else at > 0
    return column.startswith(query.name, autoescape=True) if begins else column.contains(query.name, autoescape=True)


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
