"""Sprig's functions on time; `Local` is UTC, as in the controller's container.

A date may also be the text of a workflow's timestamp: `sprig.date('2006', workflow.creationTimestamp)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.go_time import format_time, from_unix, parse_time, unix_seconds, zone
from actors.language.native import plain
from actors.names import timestamps
from actors.names.durations import format_nanoseconds, parse_nanoseconds

_SECOND = 1_000_000_000
_ROUNDED = ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def _moment(meter: Meter, value: Any, asked_by: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, Mapping):  # workflow.creationTimestamp is also what .RFC3339 and its other forms are found in
        value = value.get("RFC3339")
    if isinstance(value, int) and not isinstance(value, bool):
        return from_unix(value)
    if isinstance(value, str):
        try:
            return timestamps.parse(value)
        except ValueError:
            pass  # upstream takes the present for anything it does not know
    return meter.now(asked_by)


def _in_zone(meter: Meter, layout: str, value: Any, name: str) -> str:
    when = _moment(meter, value, "sprig.dateInZone")
    try:
        where = zone(name)
    except Fault:
        where = UTC
    return format_time(when.astimezone(where), layout)


def _nanoseconds(text: str) -> int | None:
    try:
        return parse_nanoseconds(text)
    except ValueError:
        return None


def _modify(text: str, when: datetime) -> datetime:
    shift = _nanoseconds(text)
    return when if shift is None else when + timedelta(microseconds=shift / 1000)


def _must_modify(text: str, when: datetime) -> datetime:
    return when + timedelta(microseconds=parse_nanoseconds(text) / 1000)


def _ago(meter: Meter, value: Any) -> str:
    seconds = (meter.now("sprig.ago") - _moment(meter, value, "sprig.ago")).total_seconds()
    return format_nanoseconds(int(seconds + (0.5 if seconds >= 0 else -0.5)) * _SECOND)


def _duration(value: Any) -> str:
    if isinstance(value, str):
        value = int(value) if value.lstrip("+-").isdecimal() else 0
    return format_nanoseconds(int(value) * _SECOND if isinstance(value, int) else 0)


def _duration_round(meter: Meter, value: Any) -> str:
    size = 0
    if isinstance(value, str):
        size = abs(_nanoseconds(value) or 0)
    elif isinstance(value, datetime):
        size = abs(meter.now("sprig.durationRound") - value) // timedelta(microseconds=1) * 1000
    elif isinstance(value, int):
        size = abs(value)
    for seconds, unit in _ROUNDED:
        if size > seconds * _SECOND:
            return f"{size // (seconds * _SECOND)}{unit}"
    return "0s"


def _to_date(layout: str, text: str) -> datetime:
    try:
        return parse_time(layout, text)
    except Fault:
        return datetime(1, 1, 1, tzinfo=UTC)


TIMES: dict[str, tuple[str, Callable[..., Any]]] = {
    "now": ("", lambda meter: meter.now("sprig.now")),
    "date": ("sa", lambda meter, layout, value: _in_zone(meter, layout, value, "Local")),
    **dict.fromkeys(["dateInZone", "date_in_zone"], ("sas", _in_zone)),
    "htmlDate": ("a", lambda meter, value: _in_zone(meter, "2006-01-02", value, "Local")),
    "htmlDateInZone": ("as", lambda meter, value, name: _in_zone(meter, "2006-01-02", value, name)),
    **dict.fromkeys(["dateModify", "date_modify"], ("st", plain(_modify))),
    **dict.fromkeys(["mustDateModify", "must_date_modify"], ("st", plain(_must_modify))),
    "ago": ("a", _ago),
    "duration": ("a", plain(_duration)),
    "durationRound": ("a", _duration_round),
    "toDate": ("ss", plain(_to_date)),
    "mustToDate": ("ss", plain(parse_time)),
    "unixEpoch": ("t", plain(lambda when: str(unix_seconds(when)))),
}
