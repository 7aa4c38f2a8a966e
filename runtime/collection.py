"""Cyclic garbage is looked for a few thousand objects at a time; among all there are, in a quiet moment, and seldom
where that takes long.

What is over is freed when the last reference to it goes: nothing that actors are made of is a cycle, nor is a closed
connection (tests hold them to it). What is left are the tracebacks of exceptions. Python's own rule would look at all
that has come since the start every so often, and nobody is read for as long as that takes: half a second for a million
objects, however few of them are garbage.

What was freed is given back to the system once a minute. The C library keeps it, in pieces between what still lives: a
few MiB more every ten minutes, while objects, and all that they hold, stayed as many as they were. What is large comes
from the system, and goes back to it, by itself: where it lay, nothing small settles that would keep the whole.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

YOUNG = 5_000
"""So many new objects are looked at together: a few milliseconds."""

TRIM_S = 60.0
"""Between two times that freed memory is given back: one or two milliseconds where little was freed."""

LARGE = 256 * 1024
"""Bytes: from here on a piece of memory is the system's, as the C library has it until the first one is freed. A TLS
connection has a buffer as large, of which only a few pages are ever used. What comes and goes all the time is smaller:
a page of the system's costs two microseconds before it is used for the first time."""

WHOLE_S = 600.0
"""Between two looks at everything that was made since the start, ..."""

CHEAP_S = 0.03
"""... and if the last one took no longer than this, between two times that memory is given back there is one each."""

QUIET_WITHIN_S = 60.0
"""So long a quiet moment is waited for; then it is done all the same."""

_NEVER = 1_000_000_000
_M_MMAP_THRESHOLD = -3  # of <malloc.h>


class Collection:
    """This process's garbage collection, while `run` runs. `run` is a supervisor's child.

    `clock` says how long a look took, in seconds: by default of this thread's own time, whoever else runs."""

    def __init__(
        self,
        is_quiet: Callable[[], bool],
        give_back: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.looks = 0  # at everything
        self._is_quiet = is_quiet
        self._give_back = give_back or _trim()
        self._clock = clock

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Collect until cancelled; then Python's own rule holds again."""
        _set_large()
        usual = gc.get_threshold()
        gc.set_threshold(YOUNG, _NEVER, _NEVER)
        try:
            task_status.started()
            due = TRIM_S
            while True:
                await anyio.sleep(TRIM_S)
                due -= TRIM_S
                if due <= 0:
                    due = TRIM_S if await self._look() <= CHEAP_S else WHOLE_S
                self._give_back()
        finally:
            gc.set_threshold(*usual)

    async def _look(self) -> float:
        """Look at everything, in a quiet moment if there is one; how long that took, in seconds."""
        with anyio.move_on_after(QUIET_WITHIN_S):
            while not self._is_quiet():  # noqa: ASYNC110  # once in a minute
                await anyio.sleep(0.25)
        began = self._clock()
        gc.collect()
        self.looks += 1
        return self._clock() - began


def _trim() -> Callable[[], None]:
    """What gives freed memory back; nothing with a C library that has no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return (lambda: None) if trim is None else lambda: trim(0)


def _set_large() -> None:
    """Have the C library ask the system for what is LARGE, one by one, and not learn otherwise."""
    if (tune := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        tune(_M_MMAP_THRESHOLD, LARGE)
