"""What is said about turns: how many workflows may run at once is decided in one place. (PAR-1, PAR-2, PRI-1.)

    workflow --AskTurn--> queue room --TurnAwaited--> workflow, which shows it ... --TurnGiven--> workflow, which begins

Nobody gives a turn back: the queue room sees which workflows there are and which of them have finished.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.messages import Address

QUEUE = Address("queue", "", "turns", "")
"""Where turns are given: one actor for all namespaces, since one limit holds for all of them together."""


@dataclass(frozen=True, slots=True)
class AskTurn:
    """A workflow wants to begin. Asked again, the new priority counts."""

    priority: int
    created: str  # the time of its creation, as text that sorts like time


@dataclass(frozen=True, slots=True)
class HasTurn:
    """A workflow has begun already, though its record may not say so yet."""


@dataclass(frozen=True, slots=True)
class TurnGiven:
    """Begin."""


@dataclass(frozen=True, slots=True)
class TurnAwaited:
    """Not yet: as many run as may."""


@dataclass(frozen=True, slots=True)
class SayTurn:
    """The queue room has forgotten who waits: ask again, or say that you have your turn."""


@dataclass(frozen=True, slots=True)
class LimitsChanged:
    """The installation allows another number of workflows at once."""
