"""How many pods a rolling update may have too many, and how many too few: maxSurge and maxUnavailable in numbers."""

from __future__ import annotations

import re
from typing import NamedTuple

from runtime.objects import Object

_PERCENT = re.compile(r"(\d+)%")


class Bounds(NamedTuple):
    """Pods beyond the wished number that may exist, and pods of it that may be missing."""

    surge: int
    unavailable: int


def resolved(value: int | str, total: int, *, round_up: bool) -> int:
    """A number, or a percentage ("25%") of `total` rounded up or down. Raises ValueError for anything else."""
    if isinstance(value, int):
        return value
    found = _PERCENT.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is neither a number nor a percentage such as 25%")
    return (int(found[1]) * total + (99 if round_up else 0)) // 100


def bounds(surge: int | str, unavailable: int | str, wished: int) -> Bounds:
    """Surge is rounded up, unavailability down; if both come out as zero one pod may be missing, or it never moves."""
    more = resolved(surge, wished, round_up=True)
    fewer = resolved(unavailable, wished, round_up=False)
    return Bounds(more, 1 if more == 0 and fewer == 0 else fewer)


def deployment_bounds(deployment: Object) -> Bounds:
    """The bounds of a Deployment: none when it is not updated by rolling, and never more missing than are wished."""
    spec = deployment["spec"]
    wished = int(spec["replicas"])
    strategy = spec.get("strategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return Bounds(0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    found = bounds(rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), wished)
    return Bounds(found.surge, min(found.unavailable, wished))
