"""The tables of locks, column by column as upstream's migrations leave them, and one of ours.

Ours says which process speaks in the name of a controller: one that was thought dead, and was not, is told so before it
takes back what its successor has been given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tiphys.persistence.migrations import Plan, Step, founding
from tiphys.persistence.sync_settings import SyncTables

UPSTREAMS_HISTORY: Final = "sync_schema_history"
UPSTREAMS_VERSION: Final = 10  # the last of upstream's changes to these tables (4.1), as it counts them from 0
LIVES: Final = "tiphys_sync_life"


@dataclass(frozen=True, slots=True)
class Tables:
    """Limits, who holds and waits, who lives, who is deciding, and whose turn it is to speak for a controller."""

    metadata: sa.MetaData
    limits: sa.Table
    states: sa.Table
    controllers: sa.Table
    locks: sa.Table
    lives: sa.Table


@lru_cache(maxsize=16)
def sync_tables(names: SyncTables) -> Tables:
    """The tables under these names."""
    upstreams, own = sa.MetaData(), sa.MetaData()
    limits = sa.Table(
        names.limits, upstreams,
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("sizelimit", sa.Integer),
        sa.Index("ilimit_name", "name", unique=True),
    )  # fmt: skip
    controllers = sa.Table(
        names.controllers, upstreams,
        sa.Column("controller", sa.String(64), primary_key=True),
        sa.Column("time", sa.DateTime),
        sa.Index("icontroller_name", "controller", unique=True),
    )  # fmt: skip
    states = sa.Table(
        names.states, upstreams,
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("workflowkey", sa.String(256), primary_key=True),
        sa.Column("controller", sa.String(64), primary_key=True),
        sa.Column("held", sa.Boolean),
        sa.Column("priority", sa.Integer),
        sa.Column("time", sa.DateTime),
        *(sa.Index(f"istate_{column}", column) for column in ("name", "workflowkey", "controller", "held")),
    )  # fmt: skip
    locks = sa.Table(
        names.locks, upstreams,
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("controller", sa.String(64), nullable=False),
        sa.Column("time", sa.DateTime),
        sa.Index("ilock_name", "name", unique=True),
    )  # fmt: skip
    lives = sa.Table(
        LIVES, own,
        sa.Column("states", sa.String(256), primary_key=True),
        sa.Column("controller", sa.String(64), primary_key=True),
        sa.Column("life", sa.Integer, nullable=False),
    )  # fmt: skip
    return Tables(upstreams, limits, states, controllers, locks, lives)


def sync_plan(tables: Tables) -> Plan:
    """How the tables come into being."""
    component = f"sync:{tables.states.name}"
    upstreams = founding(component, tables.metadata, tables.states.name, UPSTREAMS_HISTORY, UPSTREAMS_VERSION)
    return Plan(component, (upstreams, _lives(tables)))


def _lives(tables: Tables) -> Step:
    async def up(connection: AsyncConnection) -> None:
        await connection.run_sync(lambda sync: tables.lives.create(sync, checkfirst=True))

    async def down(connection: AsyncConnection) -> None:
        await connection.run_sync(lambda sync: tables.lives.drop(sync, checkfirst=True))

    return Step("which process speaks for a controller", up, down)
