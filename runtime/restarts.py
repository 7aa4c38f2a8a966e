"""How often may it crash? A budget in a window, then a back-off: two pure rules for everything that is restarted.

`within` is OTP's: more than `intensity` restarts in `period_s` is too many. Actors of objects go on from there: they
are never given up, but put aside (quarantined) for a delay that doubles up to ten minutes, because their object does
not go away by our failing at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

QUARANTINE_FIRST_S = 10.0
QUARANTINE_LONGEST_S = 600.0
"""The first and the longest time aside. A bug is rarely gone in seconds; ten minutes is what a person waits."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `intensity` restarts in any `period_s` seconds. 0: never restarted."""

    intensity: int = 5
    period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of one actor's crashes."""

    times: tuple[float, ...] = ()  # restarts within the period, oldest first
    attempts: int = 0  # restarts ever: the number in Started
    quarantines: int = 0  # in a row, without a healthy period in between
    released_at: float = 0.0  # when it was last let out of quarantine


def within(times: tuple[float, ...], now: float, budget: Budget) -> tuple[float, ...] | None:
    """The restart times with `now` added, or None when that is one too many."""
    recent = tuple(at for at in times if now - at < budget.period_s)
    return (*recent, now) if len(recent) < budget.intensity else None


def crashed(history: History, now: float, budget: Budget) -> tuple[History, float]:
    """What a crash at `now` means: the new history, and the seconds to stay aside (0: restart at once).

    Somebody just let out of quarantine has no budget: it goes back for twice as long, until it has lived a whole
    period."""
    attempts = history.attempts + 1
    on_probation = history.quarantines > 0 and now - history.released_at < budget.period_s
    if not on_probation:
        times = within(history.times, now, budget)
        if times is not None:
            return History(times, attempts), 0.0
    delay = min(QUARANTINE_LONGEST_S, QUARANTINE_FIRST_S * 2.0 ** min(history.quarantines, 32))
    return History((), attempts, history.quarantines + 1, now + delay), delay


MANAGER_SHARE = 0.2
MANAGER_CRASHED_MIN = 5
MANAGER_PERIOD_S = 60.0
"""More than a fifth of a room's actors crashed within a minute: then the fault is hardly in their objects, and the
whole room is rebuilt. Fewer than five are never that many: their own budgets deal with them."""


def is_epidemic(crashes: Mapping[T, float], actors: int, now: float) -> bool:
    """Whether a room of so many actors has to be rebuilt; `crashes`: who crashed, and when last."""
    recent = sum(1 for at in crashes.values() if now - at < MANAGER_PERIOD_S)
    return recent >= MANAGER_CRASHED_MIN and recent > MANAGER_SHARE * actors


def released(history: History, now: float) -> History:
    """Let out of quarantine at `now`, by the end of the delay or because the object changed."""
    return replace(history, released_at=now)
