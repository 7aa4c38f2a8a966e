"""A CronWorkflow's schedules together are one timetable: when it is next due, and what it has missed.

Two schedules that name the same minute are due once. Looking back costs about as much as there is to find, however long
nobody looked. (CRON-1, CRON-2, CRON-4.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from actors.language.schedule import Schedule, ScheduleError, check_zone, parse_schedule

CATCH_UP_MAX: Final = 100
"""Missed runs that are caught up at once, the newest: a year away from a minutely schedule is no reason for 500,000."""

LOOK_BACK_FIRST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Timetable:
    """All schedules of a CronWorkflow. `text` is how upstream writes them into the annotation of the last used ones."""

    text: str
    schedules: tuple[Schedule, ...]

    def next(self, after: float) -> float | None:
        """When it is due first after a moment (seconds since 1970); None: never."""
        found = [at for schedule in self.schedules if (at := schedule.next(after)) is not None]
        return min(found, default=None)

    def between(self, after: float, before: float, most: int = CATCH_UP_MAX) -> list[float]:
        """The newest `most` moments later than one and earlier than the other, oldest first."""
        span = LOOK_BACK_FIRST_S
        while True:
            start = max(after, before - span)
            found = self._all(start, before)
            if len(found) >= most or start == after:
                return found[-most:] if most > 0 else []
            span *= 2

    def _all(self, after: float, before: float) -> list[float]:
        found: list[float] = []
        at = self.next(after)
        while at is not None and at < before:
            found.append(at)
            at = self.next(at)
        return found


def timetable(spec: Mapping[str, Any], zone: str, anchor: float) -> Timetable:
    """The timetable of a CronWorkflow's spec; `zone` is the one of schedules that name none.

    Raises ScheduleError with the sentence that the SpecError condition says."""
    texts = [str(text) for text in spec.get("schedules") or ()]
    if not texts:
        raise ScheduleError("cron workflow must have at least one schedule")
    own = spec.get("timezone") or ""
    try:
        check_zone(own or zone)
    except ScheduleError as error:
        raise ScheduleError(f'invalid timezone "{own or zone}": {error}') from None
    schedules = []
    for text in texts:
        try:
            schedules.append(parse_schedule(text, own or zone, anchor))
        except ScheduleError as error:
            raise ScheduleError(f"cron schedule {text} is malformed: {error}") from None
    prefix = f"CRON_TZ={own} " if own else ""
    return Timetable(",".join(prefix + text for text in texts), tuple(schedules))
