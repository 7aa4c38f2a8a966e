"""Clocks of tests: the virtual time of the product's simulations, and one that a test sets by hand."""

from __future__ import annotations

from tiphys.simulate.virtual_time import (
    WALL_START,
    NothingWillHappenError,
    VirtualClock,
    VirtualLoop,
    WorkOutsideError,
)

__all__ = ["WALL_START", "HandClock", "NothingWillHappenError", "VirtualClock", "VirtualLoop", "WorkOutsideError"]


class HandClock:
    """A `runtime.clock.Clock` that a test sets; for what runs without any loop."""

    def __init__(self, now: float = WALL_START) -> None:
        self.now = now

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now
