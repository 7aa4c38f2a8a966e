"""An actor is a state and a mailbox; a mind is the plain function that reads one message and answers with commands.

A mind never waits, reads no clock, throws no dice and does no I/O: time comes in as `now`. It may change `state` in
place. An exception in `receive` ends that actor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from runtime.messages import Address, Command, Message
from runtime.objects import Object, Resource


class Mind(Protocol):
    """The behaviour of all actors of one room. States are the room's own business."""

    def birth(self, address: Address, argument: Any) -> Any:
        """The state of a new actor; `argument` is Spawn's, or None when an object's first event woke it."""
        ...

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        """Take in one message at `now` (seconds since the epoch, UTC) and answer with commands, in order."""
        ...

    def waiting(self, state: Any) -> str:
        """One sentence: what this actor waits for."""
        ...


Route: TypeAlias = Callable[[Object], Address | None]
"""Whose business an object is: pure and quick, it is asked once an event."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Objects of a resource, told to the actors of a room.

    `wakes`: an event whose address nobody answers to gives birth to an actor (its objects *are* the room's actors);
    otherwise it waits in the cache until somebody of that address is spawned.
    `optional`: where the server does not let us look at them, there are none, and all else goes on; a kind that is not
    served at all is always so."""

    resource: Resource
    route: Route
    labels: str = ""  # label selector of the watch
    wakes: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """A kind of actor: its name (the first field of their addresses), mind, and what of the cluster they are told."""

    name: str
    mind: Mind
    watches: tuple[Watch, ...] = ()
    services: Mapping[str, Any] = field(default_factory=dict)  # Ask: name -> async callable(query) -> answer
