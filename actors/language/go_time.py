"""Times have Go's methods and Go's layouts (`2006-01-02 15:04:05`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from actors.language.faults import Fault
from actors.names.durations import format_nanoseconds

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Longest first: `January` before `Jan`, `02` before `2`.
_PARTS = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07"
    r"|002|__2|01|02|03|04|05|06|15|PM|pm|_2(?!006)|[.,]0+(?![0-9])|[.,]9+(?![0-9])|1|2|3|4|5"
)

ANSIC = "Mon Jan _2 15:04:05 2006"
RFC3339 = "2006-01-02T15:04:05Z07:00"
RFC822 = "02 Jan 06 15:04 MST"
RFC850 = "Monday, 02-Jan-06 15:04:05 MST"
RFC1123 = "Mon, 02 Jan 2006 15:04:05 MST"
_DATE_LAYOUTS = ("2006-01-02", "15:04:05", "2006-01-02 15:04:05", RFC3339, RFC822, RFC850, RFC1123)


def unix_seconds(when: datetime) -> int:
    """Give the whole seconds since 1970."""
    return (when - _EPOCH) // timedelta(seconds=1)


def from_unix(seconds: float) -> datetime:
    """Give the UTC time of seconds since 1970. Raises Fault outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise Fault("the time is out of range") from None


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Find a time zone by its IANA name. Raises Fault for an unknown one."""
    if name in {"", "UTC", "Local"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Fault(f"unknown time zone {name}") from None


def format_time(when: datetime, layout: str) -> str:
    """Write a time in a layout of Go's reference time."""
    return _PARTS.sub(lambda found: _written(when, found.group()), layout)


def _written(when: datetime, part: str) -> str:
    if part in _WRITERS:
        return _WRITERS[part](when)
    if part[0] in ".,":
        digits = f"{when.microsecond:06d}000"[: len(part) - 1]
        if part[1] == "9":
            digits = digits.rstrip("0")
        return f"{part[0]}{digits}" if digits else ""
    return _offset(when, part)


def _offset(when: datetime, part: str) -> str:
    offset = when.utcoffset() or timedelta()
    if part.startswith("Z") and not offset:
        return "Z"
    sign = "-" if offset < timedelta() else "+"
    seconds = abs(int(offset.total_seconds()))
    hours, minutes = f"{seconds // 3600:02d}", f"{seconds // 60 % 60:02d}"
    digits = part.lstrip("Z-")
    if digits == "07":
        return sign + hours
    separator = ":" if ":" in digits else ""
    tail = f"{separator}{seconds % 60:02d}" if len(digits.replace(":", "")) == 6 else ""
    return f"{sign}{hours}{separator}{minutes}{tail}"


_WRITERS: dict[str, Callable[[datetime], str]] = {
    "January": lambda w: _MONTHS[w.month - 1],
    "Jan": lambda w: _MONTHS[w.month - 1][:3],
    "Monday": lambda w: _DAYS[w.weekday()],
    "Mon": lambda w: _DAYS[w.weekday()][:3],
    "MST": lambda w: _zone_name(w),  # noqa: PLW0108  defined below
    "2006": lambda w: f"{w.year:04d}",
    "06": lambda w: f"{w.year % 100:02d}",
    "01": lambda w: f"{w.month:02d}",
    "1": lambda w: str(w.month),
    "02": lambda w: f"{w.day:02d}",
    "_2": lambda w: f"{w.day:2d}",
    "2": lambda w: str(w.day),
    "002": lambda w: f"{w.timetuple().tm_yday:03d}",
    "__2": lambda w: f"{w.timetuple().tm_yday:3d}",
    "15": lambda w: f"{w.hour:02d}",
    "03": lambda w: f"{_twelve(w):02d}",
    "3": lambda w: str(_twelve(w)),
    "04": lambda w: f"{w.minute:02d}",
    "4": lambda w: str(w.minute),
    "05": lambda w: f"{w.second:02d}",
    "5": lambda w: str(w.second),
    "PM": lambda w: "PM" if w.hour >= 12 else "AM",
    "pm": lambda w: "pm" if w.hour >= 12 else "am",
}


def _twelve(when: datetime) -> int:
    return (when.hour + 11) % 12 + 1


def _zone_name(when: datetime) -> str:
    name = when.tzname() or "UTC"
    return name if not name.startswith("UTC") or name == "UTC" else _offset(when, "-07")


_READERS = {
    "January": rf"(?P<month_name>(?i:{'|'.join(_MONTHS)}))",
    "Jan": rf"(?P<month_name>(?i:{'|'.join(month[:3] for month in _MONTHS)}))",
    "Monday": f"(?i:{'|'.join(_DAYS)})",
    "Mon": f"(?i:{'|'.join(day[:3] for day in _DAYS)})",
    "MST": r"(?P<zone>UTC|[A-Z]{3,5}|[+-]\d\d)",
    "2006": r"(?P<year>\d{4})",
    "06": r"(?P<short_year>\d\d)",
    "01": r"(?P<month>\d\d)",
    "1": r"(?P<month>\d\d?)",
    "02": r"(?P<day>\d\d)",
    "_2": r"[ ]?(?P<day>\d\d?)",
    "2": r"(?P<day>\d\d?)",
    "15": r"(?P<hour>\d\d)",
    "03": r"(?P<hour>\d\d)",
    "3": r"(?P<hour>\d\d?)",
    "04": r"(?P<minute>\d\d)",
    "4": r"(?P<minute>\d\d?)",
    "05": r"(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?",
    "5": r"(?P<second>\d\d?)(?:[.,](?P<fraction>\d+))?",
    "PM": r"(?P<half>AM|PM)",
    "pm": r"(?P<half>am|pm)",
    "-07:00": r"(?P<offset>[+-]\d\d:\d\d)",
    "-0700": r"(?P<offset>[+-]\d{4})",
    "-07": r"(?P<offset>[+-]\d\d)",
    "Z07:00": r"(?P<offset>Z|[+-]\d\d:\d\d)",
    "Z0700": r"(?P<offset>Z|[+-]\d{4})",
    "Z07": r"(?P<offset>Z|[+-]\d\d)",
}


@lru_cache(maxsize=256)
def _reader(layout: str) -> re.Pattern[str]:
    pieces: list[str] = []
    at = 0
    for found in _PARTS.finditer(layout):
        pieces.append(re.escape(layout[at : found.start()]))
        part = found.group()
        if part[0] not in ".,":  # a fraction is read behind the seconds, whether the layout has it or not
            pieces.append(_READERS.get(part) or re.escape(part))
        at = found.end()
    pieces.append(re.escape(layout[at:]))
    try:
        return re.compile("".join(pieces), re.ASCII)
    except re.error:
        raise Fault(f"the time layout {layout!r} names a part twice") from None


def parse_time(layout: str, text: str, where: tzinfo = UTC) -> datetime:
    """Read a time in a layout; without an offset of its own it is in the given zone. Raises Fault with Go's wording."""
    found = _reader(layout).fullmatch(text)
    failure = f'parsing time "{text}" as "{layout}"'
    if found is None:
        raise Fault(f'{failure}: cannot parse "{text}" as "{layout}"')
    parts = {name: value for name, value in found.groupdict().items() if value is not None}
    try:
        return _assembled(parts, where)
    except ValueError as error:
        raise Fault(f"{failure}: {error}") from None


def _assembled(parts: dict[str, str], where: tzinfo) -> datetime:
    month = int(parts.get("month", 1))
    if "month_name" in parts:
        month = next(i for i, name in enumerate(_MONTHS, 1) if name.lower().startswith(parts["month_name"].lower()[:3]))
    year = int(parts.get("year", 1))
    if "short_year" in parts:
        year = int(parts["short_year"])
        year += 1900 if year >= 69 else 2000
    hour = int(parts.get("hour", 0))
    if "half" in parts:
        hour = hour % 12 + (12 if parts["half"].upper() == "PM" else 0)
    offset = parts.get("offset")
    if offset is not None and offset != "Z":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        where = timezone(-span if offset[0] == "-" else span)
    elif offset == "Z" or parts.get("zone") == "UTC":
        where = UTC
    micros = int(parts.get("fraction", "0")[:6].ljust(6, "0"))
    clock = (hour, int(parts.get("minute", 0)), int(parts.get("second", 0)), micros)
    return datetime(year, month, int(parts.get("day", 1)), *clock, tzinfo=where)


def parse_date(text: str, where: tzinfo = UTC) -> datetime:
    """Read a date in one of the layouts that need no naming. Raises Fault."""
    for layout in _DATE_LAYOUTS:
        try:
            return parse_time(layout, text, where)
        except Fault:
            continue
    raise Fault(f"invalid date {text}")


_TIME_METHODS: dict[str, Callable[..., Any]] = {
    "Year": lambda w: w.year,
    "Month": lambda w: w.month,
    "Day": lambda w: w.day,
    "Hour": lambda w: w.hour,
    "Minute": lambda w: w.minute,
    "Second": lambda w: w.second,
    "Nanosecond": lambda w: w.microsecond * 1000,
    "YearDay": lambda w: w.timetuple().tm_yday,
    "Weekday": lambda w: _DAYS[w.weekday()],
    "Unix": unix_seconds,
    "UnixMilli": lambda w: (w - _EPOCH) // timedelta(milliseconds=1),
    "UnixMicro": lambda w: (w - _EPOCH) // timedelta(microseconds=1),
    "UnixNano": lambda w: (w - _EPOCH) // timedelta(microseconds=1) * 1000,
    "Format": format_time,
    "String": lambda w: format_time(w, "2006-01-02 15:04:05.999999999 -0700 MST"),
    "UTC": lambda w: w.astimezone(UTC),
    "In": lambda w, where: w.astimezone(where),
    "Add": lambda w, span: w + span,
    "Sub": lambda w, other: w - other,
    "Before": lambda w, other: w < other,
    "After": lambda w, other: w > other,
    "Equal": lambda w, other: w == other,
    "IsZero": lambda w: w.year == 1 and w == datetime(1, 1, 1, tzinfo=UTC),
    "Truncate": lambda w, span: w - (w - datetime(1, 1, 1, tzinfo=UTC)) % span,
    "AddDate": lambda w, *calendar: add_date(w, *calendar),  # noqa: PLW0108  defined below
}
_SPAN_METHODS: dict[str, Callable[..., Any]] = {
    "Hours": lambda d: d / timedelta(hours=1),
    "Minutes": lambda d: d / timedelta(minutes=1),
    "Seconds": lambda d: d.total_seconds(),
    "Milliseconds": lambda d: d // timedelta(milliseconds=1),
    "Microseconds": lambda d: d // timedelta(microseconds=1),
    "Nanoseconds": lambda d: d // timedelta(microseconds=1) * 1000,
    "String": lambda d: format_nanoseconds(d // timedelta(microseconds=1) * 1000),
}


def add_date(when: datetime, years: int, months: int, days: int) -> datetime:
    """Add calendar time; a day the month does not have runs over into the next, as in Go."""
    total = when.year * 12 + when.month - 1 + years * 12 + months
    first = when.replace(year=total // 12, month=total % 12 + 1, day=1)
    return first + timedelta(days=when.day - 1 + days)


def attribute(of: datetime | timedelta, name: str) -> Callable[..., Any] | None:
    """Give a method of a time or duration, bound to it; None when Go has no such method or this one is not known."""
    methods = _TIME_METHODS if isinstance(of, datetime) else _SPAN_METHODS
    method = methods.get(name)
    if method is None:
        return None

    def bound(*arguments: Any) -> Any:
        try:
            return method(of, *arguments)
        except (TypeError, ValueError, OverflowError, AttributeError, ZeroDivisionError) as error:
            raise Fault(f"cannot call {name}: {error}") from None

    return bound
