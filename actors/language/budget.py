"""No expression may hang or swell the controller: each evaluation has a number of steps and an amount it may make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from actors.language.faults import Fault
from actors.language.functions import NOTHING, Functions


class OverBudget(Fault):
    """The evaluation has used up what it was given."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one evaluation may use: steps (about a third of a microsecond each), and elements or characters made."""

    steps: int = 500_000
    amount: int = 10_000_000


class Meter:
    """Counts one evaluation against its budget, and hands out the time and the chance it was given."""

    __slots__ = ("_functions", "amount", "steps")

    def __init__(self, budget: Budget, functions: Functions | None = None) -> None:
        self.steps = budget.steps
        self.amount = budget.amount
        self._functions = functions or NOTHING

    def now(self, asked_by: str) -> datetime:
        """Give the time of this evaluation; raise Fault where there is no clock."""
        if self._functions.now is None:
            raise Fault(f"{asked_by} is not available here: this place has no clock")
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self._functions.now)

    def chance(self, asked_by: str) -> Random:
        """Give the dice of this evaluation; raise Fault where there are none."""
        dice = self._functions.chance
        if dice is None:
            raise Fault(f"{asked_by} is not available here: this place has no dice")
        return dice

    def step(self, count: int = 1) -> None:
        """Take steps; raise OverBudget when there are none left."""
        self.steps -= count
        if self.steps < 0:
            raise OverBudget("the expression takes too many steps")

    def make(self, amount: int) -> None:
        """Announce elements or characters about to be made; raise OverBudget when that is too much in all."""
        self.amount -= amount
        if self.amount < 0:
            raise OverBudget("memory budget exceeded")

    def made(self, value: Any) -> Any:
        """Count a value that was just made, and give it back."""
        if isinstance(value, (str, bytes, list, dict)):
            self.make(len(value))
        return value

    def weigh(self, value: Any) -> None:
        """Count a value with all that is in it, before something walks it: a small one can unfold to millions."""
        stack = [value]
        while stack:
            top = stack.pop()
            self.step()
            if isinstance(top, (str, bytes)):
                self.make(len(top))
            elif isinstance(top, Mapping):
                self.make(sum(len(key) for key in top if isinstance(key, str)))
                stack.extend(top.values())
            elif isinstance(top, (list, tuple)):
                self.make(len(top))
                stack.extend(top)
