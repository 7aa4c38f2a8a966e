"""What the lock room says to the database that keeps locks, and hears: one question, the round. (SYNC-4, SYNC-11)

A round is everything that one controller holds and wants, told as a whole: the database's rows of that controller are
made to say just that, so a round may be lost, repeated, or carried out without anybody hearing of it. What it grants
it has written down before it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody of mine who waits for all of these together. `holder` is its key as a status has it."""

    holder: str
    names: tuple[str, ...]  # of the database's locks: sem/<namespace>/<key>, mtx/<namespace>/<name>
    others: tuple[str, ...] = ()  # keys of locks that are wanted too and are not the database's
    ready: bool = True  # the others are no obstacle; who is not ready stands in the queue, and is given nothing
    priority: int = 0
    created: float = 0.0  # when its workflow was created: seconds since the epoch


@dataclass(frozen=True, slots=True)
class LockRound:
    """The question. The answer is a LockAnswer.

    Raises Refused when this life is over: another process has begun one in the name of the same controller."""

    now: float  # seconds since the epoch: the heartbeat
    life: int = 0  # which life of the lock room asks; 0 begins one
    held: tuple[tuple[str, tuple[str, ...]], ...] = ()  # holder's key -> names
    wanted: tuple[Wanted, ...] = ()  # in order
    room: Mapping[str, int] = field(default_factory=dict)  # how many more each of the `others` lets in
    known: Mapping[str, int] = field(default_factory=dict)  # limits heard of before, for those that have none now
    part: str = ""  # of an installation whose parts ask apart: each is a controller of its own


@dataclass(frozen=True, slots=True)
class Standing:
    """One lock: its limit (None when it never had one) and the keys of all its holders, whoever's they are."""

    limit: int | None
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LockAnswer:
    """What is so now, written down."""

    life: int
    granted: tuple[str, ...] = ()  # holders' keys
    obstacles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # holder's key -> names in its way
    locks: Mapping[str, Standing] = field(default_factory=dict)  # by name, all that are wanted


def answer_of(result: Any) -> LockAnswer:
    """What was answered; a recording has it as a map."""
    return result if isinstance(result, LockAnswer) else msgspec.convert(result, LockAnswer)
