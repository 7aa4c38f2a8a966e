"""Names that nobody gave end in five letters, of an alphabet that makes no words."""

from __future__ import annotations

from random import Random
from typing import Final

ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
LENGTH: Final = 5


def suffix(dice: Random) -> str:
    """Five letters."""
    return "".join(dice.choice(ALPHABET) for _ in range(LENGTH))
