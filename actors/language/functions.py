"""Time and chance come into an expression from outside, so that the same inputs give the same result again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Functions:
    """What `now()`, `sprig.uuidv4()` and `sprig.randAlphaNum()` may use; without it they are errors that say so."""

    now: float | None = None  # UTC seconds since 1970
    chance: Random | None = None


NOTHING = Functions()
