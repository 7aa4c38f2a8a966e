"""When all caches are filled, and we lead where somebody has to lead, the actors of an office's objects are given life.

Without an election that happens once. With one it happens at the beginning of each reign, and at the end of a reign
all actors of its rooms end: what they had decided is another process's business now. The caches stay filled all the
time; but a stream may lag behind what the former leader has written, so a reign begins with lists of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from runtime.informer import Informer
from runtime.lives import Lives
from runtime.log import Log
from runtime.manager import awaken
from runtime.office import Office
from runtime.router import Router

log = Log()


class Opening:
    """Opens the rooms of an office, and closes them when its lease is lost. `run` is a supervisor's child."""

    def __init__(
        self,
        informers: Sequence[Informer],
        router: Router,
        lives: Lives,
        office: Office,
        settled: Callable[[], None],
    ) -> None:
        self.is_open = False  # the objects' actors are born
        self.is_settled = False
        self.office = office
        self._informers = informers
        self._router = router
        self._lives = lives
        self._told = settled  # when we are open, or wait for the lease with filled caches

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Open once, or follow the election until cancelled."""
        task_status.started()
        for informer in self._informers:
            await informer.synced.wait()
        election = self.office.election
        if election is None:
            await self._open()
            return
        await election.informed()
        while True:
            if election.holder not in ("", election.identity):
                log.info("system.waits", lease=election.name, holder=election.holder)
                self._settle()
            reign = await election.won()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._begin, election.since)
                await election.lost(reign)
                tasks.cancel_scope.cancel()
            self._close()

    async def _begin(self, since: float) -> None:
        """Open, once all that was there when the reign began is in the caches."""
        async with anyio.create_task_group() as tasks:
            for informer in self._informers:
                if informer.listed_at < since:
                    tasks.start_soon(informer.renew)
        await self._open()

    def _settle(self) -> None:
        self.is_settled = True
        self._told()

    async def _open(self) -> None:
        rooms = self.office.rooms
        self._router.open(rooms)
        for room in self._router.rooms:
            if room in rooms:
                await awaken(self._router, room)
        self.is_open = True
        self._settle()
        log.info("system.ready", **self._census())

    def _close(self) -> None:
        rooms = self.office.rooms
        self.is_open = False
        self._router.close(rooms)
        self._lives.end_rooms(rooms)
        log.warning("system.closed", **self._census())

    def _census(self) -> dict[str, int]:
        actors = self._lives.registry.statistics().actors
        return {room: number for room, number in actors.items() if room in self.office.rooms}
