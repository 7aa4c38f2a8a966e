"""Time and chance come into an expression from outside, so that the same inputs give the same result again."""

from __future__ import annotations

from random import Random


class Functions:
    """What `now()`, `sprig.uuidv4()` and `sprig.randAlphaNum()` may use; without it they are errors that say so.

    `now` are UTC seconds since 1970. Chance is dice, or a `seed` of which dice are made when they are first asked for:
    few expressions throw any, and seeding costs more than most expressions."""

    __slots__ = ("_chance", "_seed", "now")

    def __init__(self, now: float | None = None, chance: Random | None = None, *, seed: str | None = None) -> None:
        self.now = now
        self._chance = chance
        self._seed = seed

    @property
    def chance(self) -> Random | None:
        """The dice: the same ones each time."""
        if self._chance is None and self._seed is not None:
            self._chance = Random(self._seed)  # noqa: S311  # no secret is made of it
        return self._chance


NOTHING = Functions()
