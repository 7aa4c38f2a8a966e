"""A schedule names minutes on the clock of a time zone; it fires at every moment when that clock reads one of them.

So a minute that the clock skips in spring does not fire, and one that it shows twice in autumn fires twice. Five
fields or a descriptor (`@hourly`, `@every 90m`), read as upstream's cron library reads them: both days restricted means
either, `*/2` is a restriction, Sunday is 0 and never 7. (CRON-1, CRON-2.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from actors.language.faults import Fault
from actors.language.go_time import zone
from actors.names.durations import parse_duration

YEARS_MAX: Final = 5
"""A schedule without a moment in so many years (February 30) has none, as upstream sees it."""

DIGITS_MAX: Final = 18
"""Longer numbers do not fit upstream's integers either."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScheduleError(ValueError):
    """A schedule or time zone that cannot be read; the text says why, in upstream's words where it has some."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int
    names: tuple[str, ...] = ()  # of the values from `low` on


_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MINUTES, _HOURS, _DAYS = _Bounds(0, 59), _Bounds(0, 23), _Bounds(1, 31)
_MONTHS = _Bounds(1, 12, _MONTH_NAMES)
_WEEKDAYS = _Bounds(0, 6, _WEEKDAY_NAMES)

_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Minutes:
    """A schedule of five fields, on the clock of one zone."""

    clock: tuple[int, ...]  # minutes of the day, ascending
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # Sunday is 0
    either_day: bool  # day and weekday are both restricted: one of them is enough
    zone: tzinfo

    def next(self, after: float) -> float | None:
        """The first moment later than `after` (seconds since 1970); None when there is none within YEARS_MAX years."""
        start = (_EPOCH + timedelta(seconds=after)).astimezone(self.zone).date()
        return next((at for day in self._dates(start) for at in self._moments(day, after)), None)

    def _dates(self, start: date) -> Iterator[date]:
        """The days on which it fires, from `start` on."""
        day, last = start, min(start.year + YEARS_MAX, date.max.year - 1)
        while day.year <= last:
            if day.month not in self.months:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
                continue
            if self._is_day(day):
                yield day
            day += _DAY

    def _is_day(self, day: date) -> bool:
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday

    def _moments(self, day: date, after: float) -> Iterator[float]:
        """The moments of one day of the zone that are later than `after`, in order."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        shift = _shift(midnight)
        zero = _read(midnight) - shift
        if shift == _shift((midnight + _DAY).replace(fold=1)):
            at = bisect_left(self.clock, int((after - zero) // 60) + 1) if after >= zero else 0
            yield from (zero + minute * 60 for minute in self.clock[at:])
        else:
            yield from sorted(moment for moment in self._of_odd_day(midnight) if moment > after)

    def _of_odd_day(self, midnight: datetime) -> set[float]:
        """The moments of a day that the zone makes longer or shorter: each reading of the clock none, once or twice."""
        found: set[float] = set()
        for minute in self.clock:
            reading = midnight + timedelta(minutes=minute)  # of the wall clock: no offset is applied
            for fold in (0, 1):
                moment = _read(reading) - _shift(reading.replace(fold=fold))
                there = (_EPOCH + timedelta(seconds=moment)).astimezone(self.zone)
                if there.replace(tzinfo=None) == reading.replace(tzinfo=None):
                    found.add(moment)
        return found


@dataclass(frozen=True, slots=True)
class Every:
    """A schedule of one period, counted from `anchor`: no restart moves it."""

    period_s: int
    anchor: float

    def next(self, after: float) -> float | None:
        """The first moment later than `after`."""
        if after < self.anchor:
            return self.anchor + self.period_s
        return self.anchor + ((after - self.anchor) // self.period_s + 1) * self.period_s


Schedule: TypeAlias = Minutes | Every


def _read(reading: datetime) -> float:
    """What a clock shows, as if it stood in UTC."""
    return (reading.replace(tzinfo=UTC) - _EPOCH).total_seconds()


def _shift(reading: datetime) -> float:
    offset = reading.utcoffset()
    return offset.total_seconds() if offset else 0.0


# ------------------------------------------------------------------------------------------------ reading


def check_zone(name: str) -> tzinfo:
    """The time zone of an IANA name; empty is UTC. Raises ScheduleError."""
    try:
        return zone(name)
    except Fault as error:
        raise ScheduleError(str(error)) from None


@lru_cache(maxsize=4096)
def parse_schedule(text: str, zone_name: str = "UTC", anchor: float = 0.0) -> Schedule:
    """Read a schedule; `anchor` (seconds since 1970) is where `@every` counts from.

    A `TZ=` or `CRON_TZ=` in front names another zone. Raises ScheduleError."""
    if not text:
        raise ScheduleError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        named, _, text = text.partition(" ")
        zone_name = named.partition("=")[2]
        try:
            where = check_zone(zone_name)
        except ScheduleError as error:
            raise ScheduleError(f"provided bad location {zone_name}: {error}") from None
        text = text.strip()
    else:
        where = check_zone(zone_name)
    if text.startswith("@every "):
        return Every(_period(text), float(int(anchor)))
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise ScheduleError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    return _minutes(text.split(), where)


def _period(text: str) -> int:
    try:
        seconds = parse_duration(text.removeprefix("@every "))
    except ValueError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from None
    return max(1, int(seconds))


def _minutes(fields: list[str], where: tzinfo) -> Minutes:
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minutes, _ = _field(fields[0], _MINUTES)
    hours, _ = _field(fields[1], _HOURS)
    days, any_day = _field(fields[2], _DAYS)
    months, _ = _field(fields[3], _MONTHS)
    weekdays, any_weekday = _field(fields[4], _WEEKDAYS)
    clock = tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes))
    return Minutes(clock, days, months, weekdays, not (any_day or any_weekday), where)


def _field(text: str, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    """The values of a field, and whether a star leaves it open."""
    values: set[int] = set()
    is_open = False
    for part in filter(None, text.split(",")):
        more, star = _range(part, bounds)
        values.update(more)
        is_open = is_open or star
    if not values:
        raise ScheduleError(f"no value in the field {text!r}")
    return frozenset(values), is_open


def _range(text: str, bounds: _Bounds) -> tuple[range, bool]:
    span, *steps = text.split("/")
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    low, *rest = span.split("-")
    star = low in {"*", "?"}
    if star:
        first, last = bounds.low, bounds.high
    elif len(rest) > 1:
        raise ScheduleError(f"too many hyphens: {text}")
    else:
        first = _value(low, bounds)
        last = _value(rest[0], bounds) if rest else bounds.high if steps else first
    step = _number(steps[0]) if steps else 1
    if first < bounds.low:
        raise ScheduleError(f"beginning of range ({first}) below minimum ({bounds.low}): {text}")
    if last > bounds.high:
        raise ScheduleError(f"end of range ({last}) above maximum ({bounds.high}): {text}")
    if first > last:
        raise ScheduleError(f"beginning of range ({first}) beyond end of range ({last}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(first, last + 1, step), star and step == 1


def _value(text: str, bounds: _Bounds) -> int:
    name = text.lower()
    return bounds.low + bounds.names.index(name) if name in bounds.names else _number(text)


def _number(text: str) -> int:
    digits = text[1:] if text[:1] == "+" else text
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= DIGITS_MAX):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(digits)


def parse_catch_up(text: str) -> int | None:
    """How many missed runs are wanted after a time without a controller: `latest` is one, `all` has no number (None).

    Raises ScheduleError."""
    if text == "all":
        return None
    if text == "latest":
        return 1
    if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX:
        return int(text)
    raise ScheduleError(f"'{text}' says how many missed runs are caught up: latest, all, or a number")
