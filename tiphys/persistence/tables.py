"""The tables, column by column, as upstream's migrations leave them, and what is ours beside them.

Ours are indexes that pages are read along, and a column `summary`: what a list shows of a workflow, so that a list
reads no whole workflows. Rows of upstream's controller have none; it is filled in from the workflow then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON as PG_JSON
from sqlalchemy.dialects.postgresql import JSONB

from tiphys.persistence.settings import ARCHIVED_TABLE, LABELS_TABLE, NODES_TABLE

_NOW = sa.text("CURRENT_TIMESTAMP")


@dataclass(frozen=True, slots=True)
class Tables:
    """The archive, its labels, and offloaded nodes."""

    metadata: sa.MetaData
    archived: sa.Table
    labels: sa.Table
    nodes: sa.Table


@lru_cache(maxsize=16)
def archive_tables(nodes_table: str = NODES_TABLE) -> Tables:
    """The tables of one `persistence`; `nodes_table` is its `tableName`."""
    metadata = sa.MetaData()
    archived = sa.Table(
        ARCHIVED_TABLE, metadata,
        sa.Column("clustername", sa.String(64), nullable=False),
        sa.Column("uid", sa.String(128), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("phase", sa.String(25), nullable=False),
        sa.Column("namespace", sa.String(256), nullable=False),
        sa.Column("startedat", sa.DateTime, nullable=False, server_default=_NOW),
        sa.Column("finishedat", sa.DateTime, nullable=False, server_default=_NOW),
        sa.Column("instanceid", sa.String(64), nullable=False),
        sa.Column("creationtimestamp", sa.DateTime, server_default=_NOW),
        sa.Column("summary", sa.JSON().with_variant(JSONB(), "postgresql")),  # ours; before the large one: see SQLite
        sa.Column("workflow", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("clustername", "uid", name=f"{ARCHIVED_TABLE}_pkey"),
    )  # fmt: skip
    columns = archived.c
    sa.Index(
        f"{ARCHIVED_TABLE}_i1", columns.clustername, columns.instanceid, columns.namespace, columns.startedat.desc()
    )
    sa.Index(f"{ARCHIVED_TABLE}_i2", columns.clustername, columns.instanceid, columns.finishedat)
    sa.Index(f"{ARCHIVED_TABLE}_i3", columns.clustername, columns.instanceid, columns.name)
    sa.Index(f"{ARCHIVED_TABLE}_i4", columns.clustername, columns.startedat)
    sa.Index(f"{ARCHIVED_TABLE}_i5", columns.creationtimestamp)
    return Tables(metadata, archived, _labels(metadata), _nodes(metadata, nodes_table))


PAGES_INDEX = f"{ARCHIVED_TABLE}_t1"  # these two made room for the next three
NAMES_INDEX = f"{ARCHIVED_TABLE}_t2"
ALL_INDEX = f"{ARCHIVED_TABLE}_t3"
NAMESPACE_INDEX = f"{ARCHIVED_TABLE}_t4"
NAME_INDEX = f"{ARCHIVED_TABLE}_t5"
LABELLED_INDEX = f"{LABELS_TABLE}_t1"


def _labels(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        LABELS_TABLE, metadata,
        sa.Column("clustername", sa.String(64), nullable=False),
        sa.Column("uid", sa.String(128), nullable=False),
        sa.Column("name", sa.String(317), nullable=False),
        sa.Column("value", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("clustername", "uid", "name"),
        sa.ForeignKeyConstraint(
            ["clustername", "uid"], [f"{ARCHIVED_TABLE}.clustername", f"{ARCHIVED_TABLE}.uid"], ondelete="CASCADE"
        ),
        sa.Index(f"{LABELS_TABLE}_i1", "name", "value"),
    )  # fmt: skip


def _nodes(metadata: sa.MetaData, nodes_table: str) -> sa.Table:
    return sa.Table(
        nodes_table, metadata,
        sa.Column("uid", sa.String(128), nullable=False),
        sa.Column("namespace", sa.String(256), nullable=False),
        sa.Column("clustername", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("updatedat", sa.DateTime, nullable=False, server_default=_NOW),
        sa.Column("nodes", sa.JSON().with_variant(PG_JSON(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("clustername", "uid", "version"),
        sa.Index(f"{nodes_table}_i1", "clustername", "namespace", "updatedat"),
    )  # fmt: skip
