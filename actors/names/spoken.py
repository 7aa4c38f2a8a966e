"""Lengths of time as people say them: `30 seconds`, `4 minutes 0 seconds`. (RTY-6: what a node that backs off says.)"""

from __future__ import annotations

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
YEAR_S, LONG_YEARS = 360 * DAY_S, 37
UNITS = (
    ("year", YEAR_S), ("month", 30 * DAY_S), ("week", 7 * DAY_S), ("day", DAY_S), ("hour", HOUR_S),
    ("minute", MINUTE_S), ("second", 1),
)  # fmt: skip


def in_words(seconds: float) -> str:
    """A length of time in words: `30 seconds`, `4 minutes 0 seconds`, `1 hour 1 minutes`, `1 week 0 hours`.

    The largest unit is rounded down; the one beside it counts what a clock would show and is never said as one."""
    total = int(seconds)
    if total < MINUTE_S:
        return _largest(total)
    if total < HOUR_S:
        return f"{_largest(total)} {total % MINUTE_S} seconds"
    if total < DAY_S:
        return f"{_largest(total)} {total % HOUR_S // MINUTE_S} minutes"
    return f"{_largest(total)} {total % DAY_S // HOUR_S} hours"


def _largest(total: int) -> str:
    if total >= LONG_YEARS * YEAR_S:
        return "a long while"
    if YEAR_S * 3 // 2 <= total < 2 * YEAR_S:
        return "2 years"
    unit, length = next((unit for unit in UNITS if total >= unit[1]), UNITS[-1])
    amount = total // length
    return f"{amount} {unit}{'' if amount == 1 else 's'}"
