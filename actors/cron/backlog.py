"""Which runs were due while nobody looked, and which of them are still to be made up for.

Upstream's rule: one, the latest, when it is younger than `startingDeadlineSeconds`; none when the schedule has just
changed. The annotation `workflows.tiphys.dev/catch-up` (`latest`, `all` or a number) asks for more: then every moment
since the last one decided is due, oldest first, the newest CATCH_UP_MAX at most. Pure. (CRON-4.)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

from actors.cron.timetable import CATCH_UP_MAX, Timetable
from actors.language.schedule import ScheduleError, parse_catch_up
from actors.names import labels
from actors.names.timestamps import seconds
from runtime.objects import Object


def catch_up(cron: Object) -> int:
    """How many missed runs the annotation asks for; 0 is upstream's rule (also for what cannot be read)."""
    text = _annotation(cron, labels.CRON_CATCH_UP)
    if not text:
        return 0
    try:
        wanted = parse_catch_up(text)
    except ScheduleError:
        return 0
    return CATCH_UP_MAX if wanted is None else min(wanted, CATCH_UP_MAX)


def missed(cron: Object, status: Mapping[str, Any], table: Timetable, decided: float, now: float) -> list[float]:
    """The runs that are to be made up for, oldest first; `decided`: until when this life has decided."""
    if cron["spec"].get("suspend"):
        return []
    last = seconds(status["lastScheduledTime"]) if status.get("lastScheduledTime") else None
    used = _annotation(cron, labels.CRON_LAST_USED_SCHEDULE)
    deadline = cron["spec"].get("startingDeadlineSeconds") or 0
    most = catch_up(cron)
    if not most:
        if last is None or used != table.text or not deadline:
            return []
        return table.between(max(last, decided, now - deadline), now, 1)
    if used and used != table.text:
        return []
    known = [at for at in (last, decided, _time(_annotation(cron, labels.CRON_CAUGHT_UP_TO))) if at]
    after = max(known, default=_time(cron["metadata"].get("creationTimestamp") or "") or now)
    if deadline:
        after = max(after, now - deadline)
    return table.between(after, floor(now) + 1, most) if after < now else []


def _annotation(cron: Object, name: str) -> str:
    return str((cron["metadata"].get("annotations") or {}).get(name) or "")


def _time(text: str) -> float | None:
    try:
        return seconds(text)
    except ValueError:
        return None
