"""Conditions of a status: one per type, whose transition time is that of its last change of status."""

from __future__ import annotations

from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.metadata import stamp


class Condition(NamedTuple):
    """What is to be said of one type."""

    type: str
    status: str  # "True", "False", "Unknown"
    reason: str
    message: str


def condition(status: Object, kind: str) -> Object | None:
    """The condition of that type, if it is there."""
    for entry in status.get("conditions") or ():
        if entry["type"] == kind:
            found: Object = entry
            return found
    return None


def holds(status: Object, kind: str) -> bool:
    """Whether the condition of that type is there and true."""
    found = condition(status, kind)
    return found is not None and found["status"] == "True"


def with_condition(status: Object, new: Condition, now: float, *clocks: str) -> list[Object]:
    """The conditions with this one said; the old entry stays when it says the same.

    `clocks` are further times the kind keeps ("lastUpdateTime", "lastProbeTime"): set whenever the entry changes."""
    entries: list[Object] = list(status.get("conditions") or ())
    old = condition(status, new.type)
    if old is not None and (old["status"], old.get("reason"), old.get("message")) == new[1:]:
        return entries
    at = stamp(now)
    transition = old["lastTransitionTime"] if old is not None and old["status"] == new.status else at
    entry = {**new._asdict(), "lastTransitionTime": transition, **dict.fromkeys(clocks, at)}
    if old is None:
        return [*entries, entry]
    return [entry if given is old else given for given in entries]


def without_condition(status: Object, kind: str) -> list[Object]:
    """The conditions but that type."""
    return [entry for entry in status.get("conditions") or () if entry["type"] != kind]
