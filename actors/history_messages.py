"""What is said about runs of the past: how long the last one like this took. (EST-1.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.messages import Address

HISTORY = Address("history", "", "finished", "")
"""Where finished workflows are looked after: one actor for all."""


@dataclass(frozen=True, slots=True)
class AskBaseline:
    """How long did the newest successful workflow of this namespace with this label take?"""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """So many whole seconds; and each node, by what its name has after the workflow's (empty: the first one)."""

    duration_s: int
    nodes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetentionChanged:
    """The installation keeps another number of finished workflows."""
