"""Who holds the lease? A rule over what its record says and when, by our own clock, we saw it change.

The times in the record are for people: clocks of two machines differ. Somebody else's lease is over when its record
has not changed for as long as it promises; ours counts from the moment before our last acknowledged write, and we stop
writing (the fence) well before anybody may think it over. So two fences are never open together, however wrong the
wall clocks are and however late answers come.

    ours:   write begun ---- renewed every 2 s ---- fence closes at 5 s
    theirs:      change seen ------------------------------------- over at 8 s
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from runtime.objects import Object, Reference


@dataclass(frozen=True, slots=True)
class Terms:
    """The times of an election, in seconds."""

    lease_s: float = 8.0  # a record unchanged for so long is nobody's
    renew_s: float = 2.0  # between two writes of the holder; also how long one request may take
    fence_s: float = 5.0  # without an acknowledged write for so long, the holder writes nothing else
    look_s: float = 0.5  # between two reads of whoever waits


TERMS = Terms()


class Record(NamedTuple):
    """What the Lease object says."""

    holder: str
    lease_s: float
    stamp: str  # all that a holder writes: a change means that it lives
    version: str  # resourceVersion
    transitions: int
    acquired: str


@dataclass(frozen=True, slots=True)
class View:
    """What one candidate knows. Times are its own monotonic ones."""

    record: Record | None = None  # as last read or written; None: there is none, or nothing was read yet
    changed_at: float = 0.0  # when the record was first seen as it is
    renewed_at: float | None = None  # the moment before our last acknowledged write
    reign: int = 0  # counted up each time we take the lease from nobody or somebody else
    known: bool = False  # the server has told us once who leads


class Look(NamedTuple):
    """Read the record, `after_s` from now."""

    after_s: float


class Write(NamedTuple):
    """Write ourselves into the record, `after_s` from now: to take it, or to renew it."""

    after_s: float = 0.0


Next: TypeAlias = Look | Write


class Seen(NamedTuple):
    """The record was read; None: there is none."""

    record: Record | None


class Written(NamedTuple):
    """Our write, begun at `begun_at`, was acknowledged."""

    record: Record
    begun_at: float


class Unwritten(NamedTuple):
    """A request failed; `contested`: because somebody else was faster."""

    contested: bool = False


Happened: TypeAlias = Seen | Written | Unwritten


def step(view: View, happened: Happened, now: float, me: str, terms: Terms) -> tuple[View, Next]:
    """What we know after `happened`, and what to do next. `now` is monotonic."""
    match happened:
        case Seen(record):
            changed = not view.known or record is None or view.record is None or record.stamp != view.record.stamp
            since = now if changed else view.changed_at
            ours = record is not None and record.holder == me
            seen = View(record, since, view.renewed_at if ours else None, view.reign, known=True)
            return seen, _after_reading(seen, now, me, terms)
        case Written(record, begun_at):
            ours = view.record is not None and view.record.holder == me and view.renewed_at is not None
            reign = view.reign if ours else view.reign + 1
            after = View(record, now, begun_at, reign, known=True)
            return after, Write(max(0.0, begun_at + terms.renew_s - now))
        case Unwritten(contested):
            return view, Look(0.0 if contested else terms.look_s)


def _after_reading(view: View, now: float, me: str, terms: Terms) -> Next:
    record = view.record
    if record is None or record.holder in ("", me):
        return Write()
    left = view.changed_at + record.lease_s - now
    return Look(min(terms.look_s, left)) if left > 0 else Write()


def holds(view: View, now: float, me: str, terms: Terms) -> bool:
    """Whether we may write: the record names us, and our last acknowledged write is young enough."""
    if view.renewed_at is None or view.record is None or view.record.holder != me:
        return False
    return now - view.renewed_at < terms.fence_s


def deposed(view: View, me: str) -> bool:
    """Whether the record names somebody else, or nobody: then what we were doing is another's by now."""
    return view.known and (view.record is None or view.record.holder != me)


# ---------------------------------------------------------------------------------------------- the object


def parse(lease: Object, terms: Terms) -> Record:
    """The record of a Lease object; one that promises no duration is taken to promise ours."""
    spec: dict[str, Any] = lease.get("spec") or {}
    stamp = "|".join(str(spec.get(name)) for name in ("holderIdentity", "renewTime", "acquireTime", "leaseTransitions"))
    return Record(
        str(spec.get("holderIdentity") or ""),
        float(spec.get("leaseDurationSeconds") or terms.lease_s),
        stamp,
        str(lease["metadata"].get("resourceVersion") or ""),
        int(spec.get("leaseTransitions") or 0),
        str(spec.get("acquireTime") or ""),
    )


def claim(ref: Reference, record: Record | None, me: str, wall: float, terms: Terms) -> Object:
    """The Lease object that says it is ours from `wall` (UTC seconds) on; conditional on the record it replaces."""
    at = micro_time(wall)
    mine = record is not None and record.holder == me
    spec = {
        "holderIdentity": me,
        "leaseDurationSeconds": int(terms.lease_s),
        "acquireTime": record.acquired if mine and record is not None and record.acquired else at,
        "renewTime": at,
        "leaseTransitions": 0 if record is None else record.transitions + (0 if mine else 1),
    }
    return _lease(ref, record, spec)


def release(ref: Reference, record: Record, wall: float) -> Object:
    """The Lease object that says it is nobody's: whoever waits takes it at the next look."""
    at = micro_time(wall)
    spec = {
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "acquireTime": at,
        "renewTime": at,
        "leaseTransitions": record.transitions,
    }
    return _lease(ref, record, spec)


def _lease(ref: Reference, record: Record | None, spec: Object) -> Object:
    meta: Object = {"name": ref.name, "namespace": ref.namespace}
    if record is not None:
        meta["resourceVersion"] = record.version
    return {"metadata": meta, "spec": spec}


def micro_time(wall: float) -> str:
    """A time as Lease objects write it: "2026-01-01T00:00:00.000000Z"."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
