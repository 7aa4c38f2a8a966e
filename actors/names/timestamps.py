"""Times travel as RFC 3339 text in whole seconds, and as seconds since 1970 inside.

Kubernetes keeps whole seconds, so rules over persisted times may not count on less.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))$", re.ASCII
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

STRFTIME_LETTERS: Final = "BbmAadHIMSYypZzL"  # those of workflow.creationTimestamp.<letter>


def moment(seconds_since_epoch: float) -> datetime:
    """Give the UTC datetime of a time in seconds; exact where `fromtimestamp` depends on the platform."""
    return _EPOCH + timedelta(seconds=seconds_since_epoch)


def rfc3339(seconds_since_epoch: float) -> str:
    """Write a time as Kubernetes does: UTC, whole seconds (cut, not rounded), `Z`."""
    return _second(int(seconds_since_epoch // 1))


@lru_cache(maxsize=64)  # what happens within a second is written alike; what is past would fill memory for hours
def _second(whole: int) -> str:
    return _wall(moment(whole)) + "Z"


@lru_cache(maxsize=512)  # of what is under way many have the same
def seconds(text: str) -> float:
    """Read an RFC 3339 time as seconds since 1970.

    Raises ValueError for anything else: a time without a zone has no place on the clock.
    """
    return (parse(text) - _EPOCH).total_seconds()


def parse(text: str) -> datetime:
    """Read an RFC 3339 time, keeping its offset. Raises ValueError for anything else."""
    found = _RFC3339.match(text)
    if found is None:
        raise ValueError(f"'{text}' is not an RFC 3339 time such as 2006-01-02T15:04:05Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, utc, sign, zone_hours, zone_minutes = found.groups()[6:]
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    zone: timezone = UTC
    if not utc:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        zone = timezone(-offset if sign == "-" else offset)
    try:
        return datetime(year, month, day, hour, minute, second, micros, tzinfo=zone)
    except ValueError as error:
        raise ValueError(f"'{text}' is not an RFC 3339 time: {error}") from error


def strftime(letter: str, seconds_since_epoch: float) -> str:
    """Write the part of a UTC time that a letter of STRFTIME_LETTERS names, in English whatever the locale.

    Raises KeyError for another letter.
    """
    return _parts(seconds_since_epoch)[letter]


def creation_variables(prefix: str, seconds_since_epoch: float) -> dict[str, str]:
    """Give all variables of one time: the time itself, `.RFC3339`, `.s` and one per strftime letter."""
    return dict(_variables(prefix, seconds_since_epoch))


@lru_cache(maxsize=16)  # many workflows are created in the same second
def _variables(prefix: str, seconds_since_epoch: float) -> tuple[tuple[str, str], ...]:
    whole, parts = rfc3339(seconds_since_epoch), _parts(seconds_since_epoch)
    return (
        (prefix, whole),
        (f"{prefix}.RFC3339", whole),
        (f"{prefix}.s", str(int(seconds_since_epoch // 1))),
        *((f"{prefix}.{letter}", parts[letter]) for letter in STRFTIME_LETTERS),
    )


def _parts(seconds_since_epoch: float) -> dict[str, str]:
    when = moment(seconds_since_epoch)
    month, day = _MONTHS[when.month - 1], _DAYS[when.weekday()]
    return {
        "B": month,
        "b": month[:3],
        "m": f"{when.month:02d}",
        "A": day,
        "a": day[:3],
        "d": f"{when.day:02d}",
        "H": f"{when.hour:02d}",
        "I": f"{(when.hour + 11) % 12 + 1:02d}",
        "M": f"{when.minute:02d}",
        "S": f"{when.second:02d}",
        "Y": f"{when.year:04d}",
        "y": f"{when.year % 100:02d}",
        "p": "AM" if when.hour < 12 else "PM",
        "Z": "UTC",
        "z": "+0000",
        "L": f".{when.microsecond // 1000:03d}",
    }


def _wall(when: datetime) -> str:
    return f"{when.year:04d}-{when.month:02d}-{when.day:02d}T{when.hour:02d}:{when.minute:02d}:{when.second:02d}"
