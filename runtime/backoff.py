"""How long to wait before trying again: doubling, bounded, and jittered so that a crowd does not come back as one."""

from __future__ import annotations

from random import Random


def delay_s(failures: int, dice: Random, *, first_s: float = 0.5, longest_s: float = 30.0) -> float:
    """The delay after the n-th failure in a row (n from 1): between half and all of min(longest, first * 2^(n-1))."""
    whole = min(longest_s, first_s * 2.0 ** min(max(failures, 1) - 1, 32))
    return whole * (0.5 + dice.random() / 2)
