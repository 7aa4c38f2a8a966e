"""Objects of nobody meet those who select them: one matchmaker a namespace.

A route is a function of one object, so an orphan cannot find its owner by itself. The matchmaker is told of all that
select and of all that nobody controls, and tells each selector's actor what it may adopt. Whether it does is its own
decision, made with its own newest state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runtime.actor import Room, Watch
from runtime.messages import Address, Command, Gone, Message, Observed, Stop, Tell, Told
from runtime.objects import PODS, Object, Reference, Resource
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, JOBS, REPLICA_SETS, is_controlled
from tiphys.devcluster.controllers.podstate import is_active
from tiphys.devcluster.selectors import selector_matches

ROOM = "adoption"
SEEKERS = {  # who selects: its room and what it selects
    DEPLOYMENTS: ("deployment", REPLICA_SETS),
    REPLICA_SETS: ("replicaset", PODS),
    JOBS: ("job", PODS),
}


class Adoptable(NamedTuple):
    """Told to an owner: this object matches your selector, and nobody controls it."""

    object: Object


class Seeking(NamedTuple):
    """Told by an owner whose life begins: what is there for me?"""

    owner: Address


class Introduced(NamedTuple):
    """The answer to Seeking, after all that could be adopted at that moment."""


class _Seeker(NamedTuple):
    wants: Resource
    selector: Object


@dataclass(slots=True)
class Singles:
    """Who seeks, and who is alone, in one namespace."""

    seekers: dict[Address, _Seeker] = field(default_factory=dict)
    orphans: dict[Reference, Object] = field(default_factory=dict)


def matchmaker(namespace: str) -> Address:
    """The address of a namespace's matchmaker."""
    return Address(ROOM, namespace, namespace, "")


class Matchmaker:
    """The mind."""

    def birth(self, address: Address, argument: Any) -> Singles:
        """Nobody is known yet."""
        return Singles()

    def waiting(self, state: Singles) -> str:
        """How many are alone."""
        return f"for owners of {len(state.orphans)} objects that nobody controls"

    def receive(self, state: Singles, message: Message, now: float) -> Iterable[Command]:
        """Introduce who matches."""
        match message:
            case Observed(ref, thing):
                yield from _seek(state, ref, thing)
                yield from _offer(state, ref, thing)
            case Gone(ref):
                state.orphans.pop(ref, None)
                if ref.resource in SEEKERS:
                    state.seekers.pop(_address(ref), None)
                if not state.seekers and not state.orphans:
                    yield Stop()
            case Told(_, Seeking(owner)):
                if owner in state.seekers:
                    yield from _introduce(state, owner)
                yield Tell(owner, Introduced())


def _address(ref: Reference) -> Address:
    return Address(SEEKERS[ref.resource][0], ref.namespace, ref.name, ref.uid)


def _seek(state: Singles, ref: Reference, thing: Object) -> Iterable[Command]:
    if ref.resource not in SEEKERS:
        return
    seeker = _Seeker(SEEKERS[ref.resource][1], (thing.get("spec") or {}).get("selector") or {})
    address = _address(ref)
    if "deletionTimestamp" in thing["metadata"] or not seeker.selector:
        state.seekers.pop(address, None)
    elif state.seekers.get(address) != seeker:
        state.seekers[address] = seeker
        yield from _introduce(state, address)


def _introduce(state: Singles, owner: Address) -> Iterable[Command]:
    seeker = state.seekers[owner]
    for ref, thing in state.orphans.items():
        if _match(seeker, ref, thing):
            yield Tell(owner, Adoptable(thing))


def _offer(state: Singles, ref: Reference, thing: Object) -> Iterable[Command]:
    if not is_orphan(ref.resource, thing):
        state.orphans.pop(ref, None)
        return
    state.orphans[ref] = thing
    for address, seeker in state.seekers.items():
        if _match(seeker, ref, thing):
            yield Tell(address, Adoptable(thing))


def _match(seeker: _Seeker, ref: Reference, thing: Object) -> bool:
    return seeker.wants == ref.resource and selector_matches(seeker.selector, thing["metadata"].get("labels") or {})


def is_orphan(resource: Resource, thing: Object) -> bool:
    """Whether the object could be adopted by somebody."""
    meta = thing["metadata"]
    if is_controlled(thing) or "deletionTimestamp" in meta or not meta.get("labels"):
        return False
    return resource == REPLICA_SETS or (resource == PODS and is_active(thing))


def _route(thing: Object) -> Address:
    return matchmaker(thing["metadata"]["namespace"])


def _route_pod(thing: Object) -> Address | None:
    return matchmaker(thing["metadata"]["namespace"]) if is_orphan(PODS, thing) else None


def room(pods: str = "") -> Room:
    """The room of the matchmakers; `pods` is the label selector of the pods that controllers look at."""
    owners = tuple(Watch(resource, _route, wakes=True) for resource in SEEKERS)
    return Room(ROOM, Matchmaker(), (*owners, Watch(PODS, _route_pod, labels=pods)))
