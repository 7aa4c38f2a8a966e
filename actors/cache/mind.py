"""The cache room: every so often, entries of memoization caches that were not hit lately are taken away. (MEMO-6.)

One actor for all caches, and only where the installation asks for it. A cache with nothing left is deleted; where that
is forbidden, it stays and is empty. One with an entry that cannot be read is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from actors.names.timestamps import seconds
from runtime.api import Refused
from runtime.messages import (
    Address,
    Command,
    Delete,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Started,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import Object, Reference

CACHES = Address("cache", "", "results", "")
COLLECT = "collect"


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How often caches are looked at (0: never), and how long an entry outlives its last hit."""

    period_s: float = 0.0
    not_hit_s: float = 30.0


@dataclass
class CacheState:
    """All caches, as last seen."""

    caches: dict[Reference, Object] = field(default_factory=dict)


class CacheMind:
    """How the actor that forgets behaves."""

    def __init__(self, settings: CacheSettings | None = None) -> None:
        self.settings = settings or CacheSettings()

    def birth(self, address: Address, argument: Any) -> CacheState:
        """No caches, as far as is known yet."""
        del address, argument
        return CacheState()

    def waiting(self, state: CacheState) -> str:
        """What happens next."""
        return f"to look at {len(state.caches)} caches again, every {self.settings.period_s:g} s"

    def receive(self, state: CacheState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Started():
                return [WakeAt(now + self.settings.period_s, COLLECT)]
            case Observed(ref, thing):
                state.caches[ref] = thing
                return []
            case Gone(ref, _):
                state.caches.pop(ref, None)
                return []
            case Woke():
                found = [command for ref, thing in state.caches.items() for command in self._collect(ref, thing, now)]
                return [*found, WakeAt(now + self.settings.period_s, COLLECT)]
            case Failed(Delete(ref), error) if isinstance(error, Refused) and ref in state.caches:
                thing = state.caches[ref]
                return [_without(ref, thing, list(thing.get("data") or {}))] if thing.get("data") else []
            case Done() | Failed() | Told() | Down():
                return []

    def _collect(self, ref: Reference, thing: Object, now: float) -> list[Command]:
        entries = thing.get("data") or {}
        old = unused(entries, now - self.settings.not_hit_s)
        if old is None:
            return []
        if len(old) == len(entries):
            return [Delete(ref, tag=COLLECT)]
        return [_without(ref, thing, old)] if old else []


def unused(entries: Mapping[str, str], since: float) -> list[str] | None:
    """The keys of entries whose last hit is older than `since`; None when one of them cannot be read."""
    try:
        read = {key: msgspec.json.decode(text, type=dict[str, Any]) for key, text in entries.items()}
        hits = {key: seconds(str(entry["lastHitTimestamp"])) for key, entry in read.items()}
    except (msgspec.DecodeError, KeyError, ValueError):
        return None
    return [key for key, at in hits.items() if at < since]


def _without(ref: Reference, thing: Object, keys: list[str]) -> Patch:
    """Only while nobody has written in between: an entry may have been hit."""
    version = {"resourceVersion": thing["metadata"].get("resourceVersion", "")}
    return Patch(ref, {"metadata": version, "data": dict.fromkeys(keys)}, tag=COLLECT)
