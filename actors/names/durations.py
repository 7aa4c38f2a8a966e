"""Durations are Go's: `1h30m`, `1.5s`, `250ms`, written back the way Go writes them.

Counted in whole nanoseconds inside, because that is where Go rounds; handed out as seconds.
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SECOND = 1_000_000_000
_NANOSECONDS_MAX = 2**63 - 1
_NUMBER = re.compile(r"([0-9]*)(\.[0-9]*)?", re.ASCII)
_UNIT = re.compile(r"[^.0-9]*", re.ASCII)
_BARE = re.compile(r"[+-]?[0-9]+", re.ASCII)


def parse_duration(text: str) -> float:
    """Read a Go duration such as `1m30s` as seconds.

    Raises ValueError with Go's wording; a bare number has no unit and is refused.
    """
    return parse_nanoseconds(text) / _SECOND


def parse_duration_or_seconds(text: str) -> float:
    """Read a Go duration, or whole seconds written without a unit (back-off and suspend accept both)."""
    if _BARE.fullmatch(text):
        return float(int(text))
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"unable to parse {text} as a duration: {error}") from error


def parse_nanoseconds(text: str) -> int:
    """Read a Go duration as whole nanoseconds. Raises ValueError with Go's wording."""
    quoted = _quote(text)
    rest = text
    sign = -1 if rest[:1] == "-" else 1
    if rest[:1] in {"-", "+"}:
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f"time: invalid duration {quoted}")
    total = 0
    while rest:
        amount, unit, rest = _term(rest, quoted)
        total += int(amount * unit)
        if total > _NANOSECONDS_MAX + (sign < 0):
            raise ValueError(f"time: invalid duration {quoted}")
    return sign * total


def _term(text: str, quoted: str) -> tuple[Fraction, int, str]:
    number = _NUMBER.match(text)
    digits = number.group(0) if number else ""
    if digits in {"", "."}:
        raise ValueError(f"time: invalid duration {quoted}")
    rest = text[len(digits) :]
    unit = _UNIT.match(rest)
    name = unit.group(0) if unit else ""
    if not name:
        raise ValueError(f"time: missing unit in duration {quoted}")
    if name not in _UNITS:
        raise ValueError(f"time: unknown unit {_quote(name)} in duration {quoted}")
    whole, _, fraction = digits.partition(".")
    return Fraction(f"{whole or '0'}.{fraction or '0'}"), _UNITS[name], rest[len(name) :]


def format_duration(seconds: float) -> str:
    """Write seconds as Go prints a Duration: `1h0m5s`, `250ms`, `0s`."""
    return format_nanoseconds(round(Fraction(seconds) * _SECOND))


def format_nanoseconds(nanoseconds: int) -> str:
    """Write nanoseconds as Go prints a Duration."""
    size = abs(nanoseconds)
    sign = "-" if nanoseconds < 0 else ""
    if size == 0:
        return "0s"
    if size < _SECOND:
        unit, scale = next((u, n) for u, n in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)) if size >= n)
        return f"{sign}{_decimal(size, scale)}{unit}"
    minutes, rest = divmod(size, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return sign + text


def _decimal(amount: int, scale: int) -> str:
    whole, fraction = divmod(amount, scale)
    if not fraction:
        return str(whole)
    places = len(str(scale)) - 1
    return f"{whole}.{fraction:0{places}d}".rstrip("0")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
