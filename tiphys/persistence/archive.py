"""The archive: finished workflows by uid, in pages that are read along an index, newest first.

A page ends with the place of its last row, and the next one begins after it: no row is counted to be skipped, so the
thousandth page costs what the first one does. Saving is idempotent: the newest version of a workflow replaces another.
(ARCHV-1, ARCHV-2, ARCHV-3)
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
from tiphys.devcluster.selectors import Requirement, parse_labels
from tiphys.persistence.engine import Store
from tiphys.persistence.nul import without_nul
from tiphys.persistence.summary import listed, moment, persisted, summary_of
from tiphys.persistence.tables import Tables

FEW = 1000
"""Workflows of a name that are looked up one by one."""


class Place(NamedTuple):
    """Where a page ended: the start of its last workflow (seconds since the epoch) and its uid."""

    started: float
    uid: str


@dataclass(frozen=True, slots=True)
class Query:
    """Which archived workflows; what is empty is not asked. `name_is`: exact, prefix or contains."""

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
        shown = ("uid", "name", "namespace", "phase", "startedat", "finishedat", "creationtimestamp", "summary")
        wanted = sa.select(*(self._rows[name] for name in shown)).where(self._mine, *self._conditions(query))
        if after is not None:
            began = _utc(after.started)
            wanted = wanted.where(self._rows.startedat <= began).where(
                (self._rows.startedat < began) | (self._rows.uid < after.uid)
            )
        wanted = wanted.order_by(self._rows.startedat.desc(), self._rows.uid.desc()).limit(limit + 1)
        async with self._store.reading() as connection:
            if query.name:
                wanted = wanted.where(await self._called(connection, query))
            found = (await connection.execute(wanted)).all()
            found = [await self._whole(connection, row) for row in found]
        rows = found[:limit]
        last = Place(rows[-1].startedat.replace(tzinfo=UTC).timestamp(), rows[-1].uid) if len(found) > limit else None
        return Page([listed(row) for row in rows], last)

    async def _called(self, connection: AsyncConnection, query: Query) -> Any:
        """The condition of a name: the uids, where few have it, so that nobody reads along the times to find them."""
        having = _named(self._rows.name, query.name, query.name_is)
        few = sa.select(self._rows.uid).where(self._mine, having).limit(FEW + 1)
        uids = list((await connection.execute(few)).scalars())
        return self._rows.uid.in_(uids) if len(uids) <= FEW else having

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
        return found + [self._labelled(part) for part in parse_labels(query.labels)]

    def _labelled(self, part: Requirement) -> Any:
        labels = self._tables.labels.c
        having = sa.select(labels.uid).where(labels.clustername == self._cluster, labels.name == part.key)
        if part.operator in ("exists", "!"):
            bearers = having
        elif part.operator in (">", "<"):
            bound, value = int(next(iter(part.values))), sa.cast(labels.value, sa.Integer)
            numeric = labels.value.regexp_match("^-?[0-9]+$")
            compared = value > bound if part.operator == ">" else value < bound
            bearers = having.where(sa.case((numeric, compared), else_=False))
        else:
            bearers = having.where(labels.value.in_(sorted(part.values)))
        inside = self._rows.uid.in_(bearers)
        return ~inside if part.operator in ("!", "!=", "notin") else inside


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


def _named(column: Any, name: str, how: str) -> Any:
    if how == "prefix":
        return column.startswith(name, autoescape=True)
    return column.contains(name, autoescape=True) if how == "contains" else column == name


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
