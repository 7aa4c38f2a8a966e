"""How late is the loop, and how long does a message wait? A probe among all others finds out.

Nothing is added to a message or a turn: once a second the probe sleeps and sees how late it wakes, and puts a message
of its own behind all that wait. What it meets is what any message of that moment met.
"""

from __future__ import annotations

from typing import Final

import anyio

from runtime.clock import Clock
from runtime.system import System
from tiphys.observability import own

PERIOD_S: Final = 1.0
NAP_S: Final = 0.02
STALL_S: Final = 0.1


class Probe:
    """Measures until cancelled."""

    def __init__(self, system: System, clock: Clock) -> None:
        self._system = system
        self._clock = clock
        self._sent_at: float | None = None

    async def run(self) -> None:
        """Measure once a second."""
        while True:
            await self.once()
            await anyio.sleep(PERIOD_S)

    async def once(self) -> None:
        """Measure now. A message that was sent before and is still unread says how old the oldest one is at least."""
        measure, monotonic = self._system.metrics.measure, self._clock.monotonic
        if self._sent_at is None:
            self._sent_at = monotonic()
            self._system.sound(self._heard)
        began = monotonic()
        await anyio.sleep(NAP_S)
        late = max(0.0, monotonic() - began - NAP_S)
        measure(own.LOOP_DELAY.name, late)
        if late >= STALL_S:
            measure(own.LOOP_STALLS.name)
        if self._sent_at is not None:
            measure(own.OLDEST_MESSAGE.name, monotonic() - self._sent_at)

    def _heard(self) -> None:
        if self._sent_at is None:
            return
        waited = self._clock.monotonic() - self._sent_at
        self._sent_at = None
        self._system.metrics.measure(own.MESSAGE_DELAY.name, waited)
        self._system.metrics.measure(own.OLDEST_MESSAGE.name, waited)
