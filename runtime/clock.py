"""Time comes from one place: the wall clock for what is written down, the monotonic one for how long to wait.

Everything in the runtime that needs a time takes a `Clock`; tests hand in one that jumps. Minds never see it: they get
`now` as an argument.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time, both in seconds."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC. May step when somebody sets the machine's clock."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. Only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    worked = staticmethod(time.thread_time)  # seconds that this thread itself has computed
