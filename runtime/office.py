"""An office: rooms that work only while one lease is held. A process may hold one office and stand by for another.

Each has its own reigns and its own fence, so that the loss of a lease ends the actors of its rooms and of no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runtime.election import Election


class Office(NamedTuple):
    """Rooms, and the election for them; None: nobody else is there, and they always work."""

    rooms: frozenset[str]
    election: Election | None = None

    @property
    def lease(self) -> str:
        """The name of its lease; empty without one."""
        return self.election.name if self.election is not None else ""

    def leads(self) -> bool:
        """Whether its rooms may write at this moment."""
        return self.election is None or self.election.held


def offices_of(rooms: Iterable[str], named: Sequence[Office], election: Election | None) -> tuple[Office, ...]:
    """The offices that were named, and one for all other rooms, which `election` is for.

    Raises ValueError when a room is in two of them or is not there."""
    all_rooms = set(rooms)
    found = [office for office in named if office.rooms]
    taken: set[str] = set()
    for office in found:
        twice, absent = office.rooms & taken, office.rooms - all_rooms
        if twice or absent:
            why = f"in two offices: {', '.join(sorted(twice))}" if twice else f"not there: {', '.join(sorted(absent))}"
            raise ValueError(f"rooms of an office are {why}")
        taken |= office.rooms
    rest = frozenset(all_rooms - taken)
    return (*found, *([Office(rest, election)] if rest or not found else []))
