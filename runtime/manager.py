"""A manager watches over one room: when more than a fifth of its actors crash within a minute, all are rebuilt.

Single objects have budgets of their own (`restarts`). Many at once mean that the fault is not in the objects: the
manager falls, its supervisor starts it again, and it begins by ending the room and waking it from the cache. When that
does not help either, the supervisor gives up, and with it, in the end, the process.
"""

from __future__ import annotations

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from runtime.clock import Clock
from runtime.lives import Lives
from runtime.log import Log
from runtime.messages import Address
from runtime.restarts import MANAGER_PERIOD_S, is_epidemic
from runtime.router import Router

WAKE_CHUNK = 64
"""Actors born at once, before the event loop may do something else."""

log = Log()


class Epidemic(Exception):  # it says what happened
    """Too many actors of one room crashed at once."""


class Manager:
    """Watches over a room. `run` is a supervisor's child."""

    def __init__(self, room: str, lives: Lives, router: Router, clock: Clock) -> None:
        self.room = room
        self._lives = lives
        self._router = router
        self._clock = clock
        self._crashes: dict[Address, float] = {}
        self._fallen = False
        self._alarm = anyio.Event()

    def crashed(self, address: Address) -> None:
        """An actor of this room that an object had woken has crashed."""
        now = self._clock.monotonic()
        self._crashes = {who: at for who, at in self._crashes.items() if now - at < MANAGER_PERIOD_S}
        self._crashes[address] = now
        if is_epidemic(self._crashes, self._actors() + 1, now):  # it is not back yet
            self._alarm.set()

    def _actors(self) -> int:
        aside = sum(1 for address in self._lives.quarantined if address.room == self.room)
        return self._lives.registry.inhabitants(self.room) + aside

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Wait for an epidemic and raise it; started again after one, rebuild the room first."""
        self._alarm = anyio.Event()
        self._crashes.clear()
        if self._fallen:
            self._fallen = False
            log.error("room.rebuilt", room=self.room, ended=self._lives.end_room(self.room))
            await awaken(self._router, self.room)
        task_status.started()
        await self._alarm.wait()
        self._fallen = True
        raise Epidemic(
            f"{len(self._crashes)} of {self._actors()} actors of room {self.room} crashed within"
            f" {MANAGER_PERIOD_S:.0f} s"
        )


async def awaken(router: Router, room: str) -> None:
    """Wake all of a room, a few at a time."""
    for number, _ in enumerate(router.wake_room(room)):
        if number % WAKE_CHUNK == WAKE_CHUNK - 1:
            await anyio.lowlevel.checkpoint()
