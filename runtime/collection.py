"""Cyclic garbage is looked for a few thousand objects at a time; among all there are, seldom and in a quiet moment.

What is over is freed when the last reference to it goes: nothing that actors are made of is a cycle (a test holds the
rooms to it). What is left are closed connections and the tracebacks of exceptions. Python's own rule would look at all
that has come since the start every so often, and nobody is read for as long as that takes: half a second for a million
objects, however few of them are garbage.

What was freed is given back to the system once a minute. The C library keeps it, in pieces between what still lives: a
few MiB more every ten minutes, while objects, and all that they hold, stayed as many as they were.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

YOUNG = 5_000
"""So many new objects are looked at together: a few milliseconds."""

TRIM_S = 60.0
"""Between two times that freed memory is given back: one or two milliseconds where little was freed."""

WHOLE_TRIMS = 10
"""Every so many of them there is a look at everything that was made since the start."""

WHOLE_S = TRIM_S * WHOLE_TRIMS

QUIET_WITHIN_S = 60.0
"""So long a quiet moment is waited for; then it is done all the same."""

_NEVER = 1_000_000_000


class Collection:
    """This process's garbage collection, while `run` runs. `run` is a supervisor's child."""

    def __init__(self, is_quiet: Callable[[], bool], give_back: Callable[[], None] | None = None) -> None:
        self.looks = 0  # at everything
        self._is_quiet = is_quiet
        self._give_back = give_back or _trim()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Collect until cancelled; then Python's own rule holds again."""
        usual = gc.get_threshold()
        gc.set_threshold(YOUNG, _NEVER, _NEVER)
        try:
            task_status.started()
            while True:
                for _ in range(WHOLE_TRIMS):
                    await anyio.sleep(TRIM_S)
                    self._give_back()
                with anyio.move_on_after(QUIET_WITHIN_S):
                    while not self._is_quiet():  # noqa: ASYNC110  # once in ten minutes
                        await anyio.sleep(0.25)
                gc.collect()
                self.looks += 1
        finally:
            gc.set_threshold(*usual)


def _trim() -> Callable[[], None]:
    """What gives freed memory back; nothing with a C library that has no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda: None) if trim is None else lambda: trim(0)
