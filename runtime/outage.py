"""A server that does not answer is asked by one call at a time, less and less often, until it does.

Every actor that has asked something would ask again by itself: ten thousand of them are a storm, on a server that is
about to come back. So what they want waits in the queue, and one of them finds out for all.
"""

from __future__ import annotations

AWAY_AFTER = 8
"""Calls in a row without an answer; fewer are weather."""

AWAY_FOR_S = 2.0
"""And for so long: what was in flight together may fail together."""

FIRST_S, LONGEST_S = 0.5, 5.0
"""Between two calls: at first, and in the end."""


class Outage:
    """What the last calls say of the server. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failures = 0
        self._since = 0.0  # the first of them
        self._next_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the server is away."""
        return self._next_at > 0

    def failed(self, now: float) -> float:
        """A call got no answer. Seconds until the next one may be made; 0: go on."""
        self._failures += 1
        if self._failures == 1:
            self._since = now
        if self._failures < AWAY_AFTER or now - self._since < AWAY_FOR_S:
            return 0.0
        wait_s = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures - AWAY_AFTER, 10))
        self._next_at = now + wait_s
        return wait_s

    def answered(self) -> bool:
        """It has answered, whatever it said. True when it was away."""
        was_on = self.is_on
        self._failures, self._next_at = 0, 0.0
        return was_on

    def permits(self, in_flight: int, now: float) -> bool:
        """Whether another call may be begun."""
        return self._next_at <= 0 or (in_flight == 0 and now >= self._next_at)
