"""The time zone of this machine, by its IANA name: schedules that name none are read on its clock. (CRON-2.)"""

from __future__ import annotations

import os
from pathlib import Path

from actors.language.schedule import ScheduleError, check_zone

LOCALTIME = Path("/etc/localtime")


def local_zone(localtime: Path = LOCALTIME) -> str:
    """What TZ says, else what /etc/localtime links to; UTC when neither names a zone that is known."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _linked(localtime)):
        if name:
            try:
                check_zone(name)
            except ScheduleError:
                continue
            return name
    return "UTC"


def _linked(path: Path) -> str:
    try:
        target = str(path.readlink())
    except OSError:
        return ""
    return target.partition("zoneinfo/")[2]
