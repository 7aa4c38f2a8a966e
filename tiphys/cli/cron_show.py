"""A CronWorkflow as text: the block of facts that `cron get` prints, the table of `cron list`. Pure. (CLI-16.)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from actors.cron.timetable import Timetable, timetable
from actors.language.go_time import format_time
from actors.language.schedule import ScheduleError
from actors.names import timestamps
from runtime.objects import Object
from tiphys.cli import table

LABEL_CELLS: Final = 30
TITLES: Final = ("NAME", "AGE", "LAST RUN", "NEXT RUN", "SCHEDULES", "TIMEZONE", "SUSPENDED")
STAMP: Final = "Mon Jan 02 15:04:05 -0700"
ASSUMPTION: Final = " (assumes workflow-controller is in UTC)"

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WEEK, _MONTH, _YEAR = 7 * _DAY, 30 * _DAY, 360 * _DAY
_UNITS = ((_MINUTE, 1, "second"), (_HOUR, _MINUTE, "minute"), (_DAY, _HOUR, "hour"), (_WEEK, _DAY, "day"))
_LONG_UNITS = ((_MONTH, _WEEK, "week"), (_YEAR, _MONTH, "month"), (37 * _YEAR, _YEAR, "year"))


def block(cron: Object, now: float, where: tzinfo = UTC) -> list[str]:
    """The facts, one a line; times on the clock of `where`."""
    meta, spec, status = cron["metadata"], cron["spec"], cron.get("status") or {}
    facts: list[tuple[str, Any]] = [
        ("Name", meta.get("name", "")),
        ("Namespace", meta.get("namespace", "")),
        ("Created", _stamped(_seconds(meta.get("creationTimestamp")), now, where)),
        ("Schedules", ",".join(map(str, spec.get("schedules") or ()))),
        ("Suspended", _truth(spec.get("suspend"))),
    ]
    optional = ("timezone", "startingDeadlineSeconds", "concurrencyPolicy")
    facts += [(field[0].upper() + field[1:], spec[field]) for field in optional if spec.get(field) not in (None, "")]
    if status.get("lastScheduledTime"):
        facts.append(("LastScheduledTime", _stamped(_seconds(status["lastScheduledTime"]), now, where)))
    following = next_run(cron, now)
    if following is not None:
        facts.append(("NextScheduledTime", _stamped(following, now, where) + ASSUMPTION))
    if status.get("active"):
        facts.append(("Active Workflows", ", ".join(entry.get("name", "") for entry in status["active"])))
    lines = [_line(f"{label}:", value) for label, value in facts]
    return lines + _conditions(status) + _parameters(spec)


def rows(crons: Sequence[Object], now: float, *, everywhere: bool) -> list[str]:
    """The table, one CronWorkflow a row."""
    titles = (["NAMESPACE"] if everywhere else []) + list(TITLES)
    return table.aligned([titles, *(_row(cron, now, everywhere=everywhere) for cron in crons)])


def _row(cron: Object, now: float, *, everywhere: bool) -> list[str]:
    meta, spec = cron["metadata"], cron["spec"]
    last = _seconds((cron.get("status") or {}).get("lastScheduledTime"))
    following = next_run(cron, now)
    cells = [
        str(meta.get("name", "")),
        short(_seconds(meta.get("creationTimestamp")), now),
        short(last, now),
        short(following, now),
        ",".join(map(str, spec.get("schedules") or ())),
        str(spec.get("timezone") or ""),
        _truth(spec.get("suspend")),
    ]
    return [str(meta.get("namespace", "")), *cells] if everywhere else cells


def table_of(cron: Object) -> Timetable:
    """When it runs; schedules without a zone are in UTC. Raises ScheduleError."""
    created = _seconds(cron["metadata"].get("creationTimestamp"))
    return timetable(cron["spec"], "UTC", created or 0.0)


def next_run(cron: Object, now: float) -> float | None:
    """When it runs next; None when its schedules cannot be read or never come."""
    try:
        return table_of(cron).next(now)
    except ScheduleError:
        return None


def short(at: float | None, now: float) -> str:
    """How far away a moment is, in one unit: 49s, 13m, 2h, 10d; N/A for none."""
    if at is None:
        return "N/A"
    away = abs(now - at)
    for below, unit, letter in ((_MINUTE, 1, "s"), (_HOUR, _MINUTE, "m"), (_DAY, _HOUR, "h")):
        if away < below:
            return f"{int(away // unit)}{letter}"
    return f"{int(away // _DAY)}d"


def relative(at: float, now: float) -> str:
    """How far away a moment is, in words: now, 32 seconds from now, 1 hour ago."""
    away = abs(now - at)
    if away < 1:
        return "now"
    suffix = "from now" if at > now else "ago"
    for below, unit, name in _UNITS + _LONG_UNITS:
        if away < below:
            count = int(away // unit)
            if name == "year" and count == 1 and away >= 18 * _MONTH:
                count = 2
            return f"{count} {name}{'' if count == 1 else 's'} {suffix}"
    return f"a long while {suffix}"


def _stamped(at: float | None, now: float, where: tzinfo) -> str:
    if at is None:
        return "N/A"
    moment = datetime.fromtimestamp(at, UTC).astimezone(where)
    return f"{format_time(moment, STAMP)} ({relative(at, now)})"


def _conditions(status: Object) -> list[str]:
    found = status.get("conditions") or []
    lines = [_line("Conditions:", "")] if found else []
    for entry in found:
        icon = "✖" if entry.get("type") == "SubmissionError" else ""
        lines.append(_line(f"{icon} {entry.get('type', '')}", entry.get("message") or entry.get("status", "")))
    return lines


def _parameters(spec: Object) -> list[str]:
    entries = ((spec.get("workflowSpec") or {}).get("arguments") or {}).get("parameters") or []
    lines = [_line("Workflow Parameters:", "")] if entries else []
    return lines + [_line(f"  {entry.get('name')}:", entry["value"]) for entry in entries if "value" in entry]


def _line(label: str, value: Any) -> str:
    return f"{label:<{LABEL_CELLS}} {value}".rstrip()


def _truth(value: Any) -> str:
    return "true" if value else "false"


def _seconds(stamp: Any) -> float | None:
    try:
        return timestamps.seconds(stamp) if isinstance(stamp, str) else None
    except ValueError:
        return None
