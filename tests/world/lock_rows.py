"""A database of locks in memory that keeps the contract of the real one. (tests/persistence verifies it)

Several controllers, each with a database of its own, may have the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from actors.lock.round import Found, Row, settle
from actors.lock.state import LockSettings, Polling
from actors.lock_round import LockAnswer, LockRound
from runtime.api import Refused
from tests.world.databases import MemoryDatabase
from tiphys.controllers import ControllerSettings

SETTINGS = ControllerSettings(locks=LockSettings(database=Polling("memory")))
INACTIVE_S = 300.0


@dataclass
class LockRows:
    """The tables."""

    rows: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    beats: dict[str, float] = field(default_factory=dict)
    lives: dict[str, int] = field(default_factory=dict)
    watch: Callable[[LockRows], None] = lambda rows: None  # is shown every change

    def carry_out(self, asked: LockRound, name: str) -> LockAnswer:
        """One round, as one transaction. Raises Refused."""
        controller = f"{name}-{asked.part}" if asked.part else name
        if asked.life and asked.life != self.lives.get(controller):
            raise Refused(f"another process has begun to act as controller {controller!r}")
        life = asked.life or self.lives.get(controller, 0) + 1
        self.lives[controller], self.beats[controller] = life, asked.now
        alive = frozenset(one for one, at in self.beats.items() if at > asked.now - INACTIVE_S)
        settled = settle(asked, Found(tuple(self.rows.values()), self.limits, alive), controller)
        self.rows = {key: row for key, row in self.rows.items() if row.controller != controller}
        self.rows |= {row[:3]: row for row in settled.rows}
        self.watch(self)
        return replace(settled.answer, life=life)

    def holders(self, name: str) -> list[str]:
        """Whom a lock is given to."""
        return [row.holder for row in self.rows.values() if row.name == name and row.held]


@dataclass
class LockingDatabase(MemoryDatabase):
    """The database of one controller."""

    locks: LockRows = field(default_factory=LockRows)
    controller: str = "a"

    def _answer(self, query: Any) -> Any:
        if isinstance(query, LockRound):
            return self.locks.carry_out(query, self.controller)
        return super()._answer(query)
