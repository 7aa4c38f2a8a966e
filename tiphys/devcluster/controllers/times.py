"""Kubernetes' times as seconds since the epoch; the same few texts are read again and again, so they are remembered."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tiphys.devcluster.columns import seconds_of

REMEMBERED = 8192


@lru_cache(maxsize=REMEMBERED)
def _seconds(text: str) -> float:
    return seconds_of(text) or 0.0


def seconds(text: Any) -> float:
    """Seconds since the epoch; 0 for what is absent or no time."""
    return _seconds(text) if isinstance(text, str) else 0.0
