"""A CronWorkflow's status is computed from what was recorded, what has been decided since, and the runs that exist.

So a lost write is made again and a repeated one changes nothing. A run counts exactly once: in the same conditional
write that takes it out of `status.active`. One that was created but not yet recorded is known by its hour, which is
later than `lastScheduledTime`. (CRON-10.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.cron.child import Child
from actors.cron.decide import ACTIVE, SPEC_ERROR, STOPPED, SUBMISSION_ERROR, stops
from actors.names import labels
from actors.names.timestamps import rfc3339, seconds
from runtime.objects import Object


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that has been decided and is not on record yet."""

    wrong: str = ""  # a condition that holds, with `message`
    message: str = ""
    right: str = ""  # a condition that no longer holds
    stopped: bool = False
    used: str = ""  # the timetable that a run was decided by
    decided: float | None = None  # every moment until this one has been decided


@dataclass(frozen=True, slots=True)
class Record:
    """What the object is to say."""

    status: dict[str, Any]
    annotations: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def record(cron: Object, notes: Iterable[Note], children: Mapping[str, Child], now: float) -> Record:
    """The status as it is to be, with the labels and annotations that go with it."""
    found = Record(dict(cron.get("status") or {}))
    for note in notes:
        _enter(found, note)
    began = _take_in(found.status, children)
    counted = _count(found.status, children)
    if began:
        if found.status.get("phase") != STOPPED:
            found.status["phase"] = ACTIVE
        _clear(found.status, SUBMISSION_ERROR)
    if counted:
        try:
            if stops(cron, found.status, now):
                _enter(found, Note(stopped=True))
        except ValueError as error:
            _enter(found, Note(wrong=SPEC_ERROR, message=str(error)))
    if found.status:
        found.status.setdefault("succeeded", 0)
        found.status.setdefault("failed", 0)
    return found


def _enter(found: Record, note: Note) -> None:
    status = found.status
    if note.wrong:
        condition = {"type": note.wrong, "status": "True", "message": note.message}
        others = [entry for entry in status.get("conditions") or () if entry.get("type") != note.wrong]
        status["conditions"] = [*others, condition]
        if note.wrong == SUBMISSION_ERROR:
            status["failed"] = int(status.get("failed") or 0) + 1
    if note.right:
        _clear(status, note.right)
    if note.stopped:
        status["phase"] = STOPPED
        found.labels[labels.CRON_COMPLETED] = "true"
    if note.used:
        found.annotations[labels.CRON_LAST_USED_SCHEDULE] = note.used
    if note.decided is not None:
        found.annotations[labels.CRON_CAUGHT_UP_TO] = rfc3339(note.decided)


def _clear(status: dict[str, Any], condition: str) -> None:
    left = [entry for entry in status.get("conditions") or () if entry.get("type") != condition]
    if left:
        status["conditions"] = left
    else:
        status.pop("conditions", None)


def _take_in(status: dict[str, Any], children: Mapping[str, Child]) -> bool:
    """Runs that are not recorded become active; whether a scheduled one was among them."""
    active = list(status.get("active") or ())
    known = {entry.get("uid") for entry in active}
    last = seconds(status["lastScheduledTime"]) if status.get("lastScheduledTime") else None
    latest = last
    for child in sorted(children.values(), key=lambda child: (child.scheduled or 0.0, child.created, child.name)):
        is_new = child.scheduled is not None and (last is None or child.scheduled > last)
        if child.scheduled is not None and (latest is None or child.scheduled > latest):
            latest = child.scheduled
        if child.uid not in known and (is_new or not child.ended):
            active.append(child.reference)
    if active:
        status["active"] = active
    if latest is None or latest == last:
        return False
    status["lastScheduledTime"] = rfc3339(latest)
    return True


def _count(status: dict[str, Any], children: Mapping[str, Child]) -> bool:
    """Runs that have ended or are gone leave `active`; those that have ended count. Whether any did."""
    left, counted = [], False
    for entry in status.get("active") or ():
        child = children.get(entry.get("uid"))
        if child is not None and not child.ended:
            left.append(entry)
        elif child is not None:
            key = "succeeded" if child.phase == "Succeeded" else "failed"
            status[key] = int(status.get(key) or 0) + 1
            counted = True
    if left:
        status["active"] = left
    else:
        status.pop("active", None)
    return counted


def patch_to(cron: Object, wanted: Record) -> Object:
    """The merge patch that makes the object say so; empty when it does."""
    have = cron.get("status") or {}
    changed = {key: value for key, value in wanted.status.items() if have.get(key) != value}
    changed |= {key: None for key in have if key not in wanted.status}
    body: Object = {"status": changed} if changed else {}
    meta: Object = {}
    for kind, entries in (("labels", wanted.labels), ("annotations", wanted.annotations)):
        present = cron["metadata"].get(kind) or {}
        news = {key: value for key, value in entries.items() if present.get(key) != value}
        if news:
            meta[kind] = news
    if meta:
        body["metadata"] = meta
    return body


def says(cron: Object, wanted: Record) -> bool:
    """Whether the object says all that (then a write whose answer was lost has arrived)."""
    return not patch_to(cron, wanted)
