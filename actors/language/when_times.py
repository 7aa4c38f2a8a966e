"""A quoted date in a `when` is compared as a moment, whichever of fourteen spellings it has."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = "mon|tue|wed|thu|fri|sat|sun"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,]\d+)?"
_DAY = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_NAMED = rf"(?:{_DAYS}) (?P<name>[a-z]{{3}})"
_FORMS = [
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_NAMED} (?P<day>[ ]?\d|\d\d) {_CLOCK} (?P<year>\d{{4}})",
        rf"{_NAMED} (?P<day>[ ]?\d|\d\d) {_CLOCK} (?P<zone>[A-Z]{{3,4}}|[+-]\d\d) (?P<year>\d{{4}})",
        rf"{_NAMED} (?P<day>\d\d) {_CLOCK} (?P<offset>[+-]\d{{4}}) (?P<year>\d{{4}})",
        r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?P<half>[AP]M)",
        rf"{_DAY}T{_CLOCK}(?P<offset>Z|[+-]\d\d:\d\d)",
        _DAY,
        rf"{_DAY} (?P<hour>\d{{1,2}}):(?P<minute>\d\d)",
        rf"{_DAY} {_CLOCK}",
        rf"{_DAY} {_CLOCK}(?P<offset>[+-]\d\d:\d\d)",
        rf"{_DAY}T(?P<hour>\d{{1,2}})(?P<offset>Z|[+-]\d{{4}})",
        rf"{_DAY}T(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?P<offset>Z|[+-]\d{{4}})",
        rf"{_DAY}T{_CLOCK}(?P<offset>Z|[+-]\d{{4}})",
    )
]
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  both sides of the subtraction are UTC without saying so
_SECONDS_BEFORE_YEAR_ONE = -62167219200  # 0000-01-01, where a clock without a date stands


def unix_time(text: str) -> int | None:
    """Give the whole seconds since 1970 of a date in any known spelling, read as UTC; None for other text."""
    if not any(character.isdigit() for character in text[:20]):
        return None
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            seconds = _seconds(found.groupdict())
            if seconds is not None:
                return seconds
    return None


def _seconds(parts: dict[str, str | None]) -> int | None:
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = parts.get("half")
    if half is not None:
        if not 1 <= hour <= 12 or minute > 59 or not half.isupper():
            return None
        return _SECONDS_BEFORE_YEAR_ONE + ((hour % 12) + 12 * (half == "PM")) * 3600 + minute * 60
    name = parts.get("name")
    if name is not None and name.lower() not in _MONTHS:
        return None
    month = _MONTHS.index(name.lower()) + 1 if name else int(parts.get("month") or 1)
    try:
        when = datetime(int(parts["year"] or 0), month, int(parts["day"] or 0), hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    return int((when - _EPOCH) // timedelta(seconds=1)) - _offset(parts.get("offset"))


def _offset(text: str | None) -> int:
    if not text or text in "Zz":
        return 0
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if text.startswith("-") else seconds
