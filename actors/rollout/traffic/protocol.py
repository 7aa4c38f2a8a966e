"""One protocol for all routers: what a router is told, and what it answers with. Plain values; nothing here waits.

A router reads the objects that it needs from `Objects` (newest known states; None: looked for and not there) and
answers with the changes that make them say what the `Shift` says. Said twice, there is nothing to change. It never
reads a clock (the `Shift` says when it is) and never calls anybody, so a test of a router is a table of objects.

Order of a Rollout: the canary's Service first, then the router, then pods of the stable version go. `plan` is asked
at every decision, also when nothing moved: whoever edits a router's object by hand is corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from actors.kube_events import Said
from actors.rollout.model import Ro
from runtime.messages import Create, Delete, Patch
from runtime.objects import Object, Reference, Resource

Objects: TypeAlias = Mapping[Reference, Object | None]
"""The newest known state of each object that was asked for (references without uid); None when it is not there."""

Change: TypeAlias = Create | Patch | Delete

WEIGHT, HEADER, MIRROR, EXPERIMENT, MAX_WEIGHT, PING_PONG = (
    "weights", "header routes", "mirror routes", "weighted experiments", "maxTrafficWeight", "ping-pong"
)  # fmt: skip
"""What a router may be able to do: the columns of the table that a refusal shows."""


class Destination(NamedTuple):
    """A version that gets traffic besides canary and stable: one of an experiment."""

    weight: int
    service: str
    hash: str


@dataclass(frozen=True, slots=True)
class Shift:
    """How the traffic is to be shared out. Weights add up to `most`.

    `header_route` and `mirror_route` are a step of the Rollout as written (`setHeaderRoute`, `setMirrorRoute`), to be
    made true now; None leaves such routes as they are. `removes_managed` takes all routes of managedRoutes away."""

    canary: int
    canary_hash: str = ""
    stable_hash: str = ""
    most: int = 100
    additional: tuple[Destination, ...] = ()
    header_route: Object | None = None
    mirror_route: Object | None = None
    removes_managed: bool = False
    is_retreat: bool = False  # aborted, or going back to stable: only stable has to be available
    weight_first: bool = False  # the canary has no pods: take its weight away before its hash changes
    unready: frozenset[str] = frozenset()  # hashes of versions that want pods and have not all of them available
    canary_service: str = ""  # the Service of the side that is new (with ping-pong: its present role)
    stable_service: str = ""
    now: float = field(default=0.0, compare=False)  # seconds since the epoch

    @property
    def stable(self) -> int:
        """What is left for the stable version."""
        return self.most - self.canary - sum(each.weight for each in self.additional)


class Moves(NamedTuple):
    """What a router answers: changes, in order, and the Events to tell when they are done.

    `settles_s`: so long whoever carries the traffic needs to take them over; nothing else is decided before that."""

    changes: tuple[Change, ...] = ()
    said: tuple[Said, ...] = ()
    settles_s: float = 0.0


class Refusal(NamedTuple):
    """It cannot be done now; the message says why, and what would help. It is tried again when something changes.

    `warnings` are Events of the router's own, told before that of the refusal."""

    message: str
    warnings: tuple[Said, ...] = ()


class Fault(NamedTuple):
    """Something in the Rollout, or in an object that it refers to, that makes it unfit: upstream's field errors.

    One without a value is an internal error for upstream, or (`is_internal=False`) an invalid value that is null."""

    path: str  # spec.strategy.canary.trafficRouting.nginx.stableIngress
    value: object
    message: str
    is_internal: bool = True


class Router(Protocol):
    """One way to move traffic. Stateless. What most routers answer to the last three questions is inherited."""

    key: str
    """Its field of `trafficRouting`."""
    title: str
    """Its name in messages: "Istio"."""
    abilities: frozenset[str]
    """Of WEIGHT, HEADER, MIRROR, EXPERIMENT, MAX_WEIGHT, PING_PONG."""
    resources: tuple[Resource, ...]
    """The kinds of its objects, its own and those it only reads: they are watched."""
    abroad: tuple[Resource, ...] = ()
    """Those of its kinds whose objects may be in another namespace than the Rollout's."""
    prefers_ping_pong: bool = False
    """Where a Rollout names both pairs of Services: whether this router is told of those that change their roles."""

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The objects to be known before `check` or `plan` is asked; references without uid."""
        ...

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """What makes the Rollout unfit: asked at every decision, before anything is done."""
        ...

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """What makes the objects say what the shift says; no changes when they do already."""
        ...

    def follows(self, ro: Ro, objects: Objects) -> tuple[Reference, ...]:
        """Further objects to be known, which those that are known already name."""
        del ro, objects
        return ()

    def verify(self, ro: Ro, objects: Objects, shift: Shift) -> bool | None:
        """Whether the router has confirmed the weights; None when it never says. False is asked again in 10 s."""
        del ro, objects, shift
        return None

    def references_hash(self, ro: Ro, objects: Objects, value: str) -> bool:
        """Whether any of its objects still sends traffic to that version by its hash: not where they name Services."""
        del ro, objects, value
        return False
