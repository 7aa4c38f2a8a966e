"""Events that have been answered and wait to be submitted: so many at most, and none is left when the process ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import anyio.abc

from runtime.log import Log

Act: TypeAlias = Callable[[], Awaitable[None]]

log = Log()


class Full(Exception):
    """As many wait as may."""


class Waiting:
    """A bounded queue and those who work it off."""

    def __init__(self, size: int, workers: int) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[Act](size)
        self._workers = workers

    def put(self, act: Act) -> None:
        """Let this be done in its turn. Raises Full, and nothing will be done."""
        try:
            self._send.send_nowait(act)
        except anyio.WouldBlock as error:
            raise Full from error

    def close(self) -> None:
        """Take nothing more: `run` ends when all that waits is done."""
        self._send.close()

    async def run(self) -> None:
        """Work it off until it is closed and empty; what fails unexpectedly is logged, and the next one follows."""
        async with self._receive, anyio.create_task_group() as tasks:
            for _ in range(self._workers):
                tasks.start_soon(self._work)

    async def _work(self) -> None:
        async with self._receive.clone() as acts:
            async for act in acts:
                try:
                    await act()
                except Exception as error:
                    log.exception("event.bug", exc_info=error)
