"""What `kubectl get` shows of built-in kinds is computed by the server, as kubectl only prints rows.

Columns of priority 1 are those of `-o wide`. Types are a real server's, also where a text says it is a number.
"""

from __future__ import annotations

import calendar
import time
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.kinds import Column

NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)


def seconds_of(text: Any) -> float | None:
    """A Kubernetes time in seconds since the epoch."""
    try:
        return float(calendar.timegm(time.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def duration(seconds: float) -> str:
    """An age as kubectl writes it: at most two units, coarser as it grows."""
    s = int(seconds)
    if s < 0:
        return "0s" if s >= -2 else "<invalid>"
    if s < 120:
        return f"{s}s"
    minutes = s // 60
    if minutes < 10:
        return f"{minutes}m{s % 60}s" if s % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{hours // 24}d{hours % 24}h" if hours % 24 else f"{hours // 24}d"
    return f"{hours // 24}d" if hours < 24 * 730 else f"{hours // 24 // 365}y"


def age_of(text: Any, now: float) -> str:
    """How long ago a time was."""
    since = seconds_of(text)
    return "<unknown>" if since is None else duration(now - since)


def age(thing: Object, now: float) -> str:
    """How long ago the object was created."""
    return age_of(thing["metadata"].get("creationTimestamp"), now)


AGE = Column("Age", cell=age)


def at(path: str, otherwise: str = "<none>") -> Any:
    """A cell: the value at a dotted path."""

    def cell(thing: Object, _now: float) -> str:
        value: Any = thing
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return otherwise if value in (None, "") else str(value)

    return cell


def count(field: str) -> Any:
    """A cell: a number of the status, zero when absent."""

    def cell(thing: Object, _now: float) -> int:
        return int((thing.get("status") or {}).get(field) or 0)

    return cell


def pairs(labels: Any) -> str:
    """Labels in one cell."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _keys(thing: Object, _now: float) -> int:
    return len(thing.get("data") or {}) + len(thing.get("binaryData") or {})


def _created(thing: Object, _now: float) -> Any:
    return thing["metadata"].get("creationTimestamp")


CONFIGMAP = (Column("Data", cell=_keys), AGE)
SECRET = (Column("Type", ".type"), Column("Data", cell=_keys), AGE)
SERVICE_ACCOUNT = (AGE,)
NAMESPACE = (Column("Status", ".status.phase"), AGE)
LEASE = (Column("Holder", cell=at("spec.holderIdentity", "")), AGE)
CREATED_AT = (Column("Created At", type="date", cell=_created),)
