"""No more than so many a second, but a burst at once: when the next one may go. (PAR-5.)

Who asks is given a moment and keeps to it; nobody is asked twice, so the order is that of the asking.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pace:
    """`per_s` on average, `burst` at once."""

    per_s: float
    burst: int = 1
    next_at: float = 0.0  # when the next one would go if there were no burst

    def wait_s(self, now: float) -> float:
        """How long the next one has to wait; its place is taken."""
        if self.per_s <= 0:
            return 0.0
        self.next_at = max(self.next_at, now)
        wait = self.next_at - now - (max(1, self.burst) - 1) / self.per_s
        self.next_at += 1 / self.per_s
        return max(0.0, wait)
