"""When all caches are filled, and we lead where somebody has to lead, the actors of all objects are given life.

Without an election that happens once. With one it happens at the beginning of each reign, and at the end of a reign
all actors end: what they had decided is another process's business now. The caches stay filled all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from runtime.election import Election
from runtime.informer import Informer
from runtime.lives import Lives
from runtime.log import Log
from runtime.manager import awaken
from runtime.router import Router

log = Log()


class Opening:
    """Opens the system, and closes it when the lease is lost. `run` is a supervisor's child."""

    def __init__(
        self,
        informers: Sequence[Informer],
        router: Router,
        lives: Lives,
        election: Election | None,
        settled: Callable[[], None],
    ) -> None:
        self.is_open = False  # the objects' actors are born
        self._informers = informers
        self._router = router
        self._lives = lives
        self._election = election
        self._settled = settled  # told when we are open, or wait for the lease with filled caches

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Open once, or follow the election until cancelled."""
        task_status.started()
        for informer in self._informers:
            await informer.synced.wait()
        if self._election is None:
            await self._open()
            return
        await self._election.informed()
        while True:
            if self._election.holder not in ("", self._election.identity):
                log.info("system.waits", holder=self._election.holder)
                self._settled()
            reign = await self._election.won()
            await self._open()
            await self._election.lost(reign)
            self._close()

    async def _open(self) -> None:
        self._router.open()
        for room in self._router.rooms:
            await awaken(self._router, room)
        self.is_open = True
        self._settled()
        log.info("system.ready", **self._lives.registry.statistics().actors)

    def _close(self) -> None:
        self.is_open = False
        self._router.close()
        self._lives.end_all()
        log.warning("system.closed", **self._lives.registry.statistics().actors)
