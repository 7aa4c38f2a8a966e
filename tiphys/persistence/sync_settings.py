"""Which database keeps locks, under which names, and who this controller is there. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from tiphys.persistence.settings import Database


@dataclass(frozen=True, slots=True)
class SyncTables:
    """What the tables are called."""

    limits: str = "sync_limit"
    states: str = "sync_state"
    controllers: str = "sync_controller"
    locks: str = "sync_lock"


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """The configuration's `synchronization`, as far as it is the database's business."""

    database: Database
    controller: str = ""  # the name of this one among all that share the locks
    tables: SyncTables = SyncTables()
    migrate: bool = True  # tables are made at the first use
    inactive_s: float = 300.0  # a controller that has been silent for so long has no place in a queue
