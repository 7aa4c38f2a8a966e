"""Objects that Rollouts refer to are watched once, and told to those who asked for them: one actor a namespace.

Which objects a Rollout refers to follows from its spec, so no route can know whose business a Service is. Here all of
a namespace's Services, templates, workloads and routers' objects are told; a Rollout says which ones it seeks and
hears of each at once, also that it is not there, and of every change. After a restart all Rollouts are asked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from actors.rollout import wire
from actors.rollout.release import release
from runtime.messages import Address, Command, Gone, Message, Observed, Stop, Tell, Told
from runtime.objects import Object, Reference

ROOM: Final = "rollout-references"


class Seek(NamedTuple):
    """Told by a Rollout: these are all that I want to hear of."""

    refs: frozenset[Reference]


class Known(NamedTuple):
    """Told to a Rollout: the newest state; None when it is not there."""

    ref: Reference
    object: Object | None


class WhatDoYouSeek(NamedTuple):
    """Told to a Rollout: nothing is known of it here."""


def address_of(namespace: str) -> Address:
    """Who knows the objects of a namespace; of the cluster, for the empty one."""
    return Address(ROOM, namespace, namespace, "")


def shelves(refs: Iterable[Reference], own: str) -> dict[Address, frozenset[Reference]]:
    """What a Rollout of a namespace seeks from whom: all that is elsewhere from the actor of the cluster."""
    found = frozenset(refs)
    here = frozenset(ref for ref in found if ref.namespace == own)
    return {address_of(own): here, address_of(""): found - here}


def rollout_address(thing: Object) -> Address:
    """A Rollout is the business of the actor of that very object."""
    meta = thing["metadata"]
    return Address(wire.ROOM, meta.get("namespace", ""), meta["name"], meta["uid"])


def by_namespace(thing: Object) -> Address:
    """The route of what may be referred to."""
    return address_of(thing["metadata"].get("namespace", ""))


def by_cluster(thing: Object) -> Address:
    """The route to the actor that knows objects without a namespace, and those that are referred to from another one:
    where no Rollout is, nobody is awake."""
    del thing
    return address_of("")


@dataclass(slots=True)
class Shelf:
    """The objects of a namespace, and who wants to hear of which."""

    objects: dict[Reference, Object] = field(default_factory=dict)
    seekers: dict[Address, frozenset[Reference]] = field(default_factory=dict)
    wanted: dict[Reference, set[Address]] = field(default_factory=dict)
    rollouts: set[Address] = field(default_factory=set)
    silent: set[Address] = field(default_factory=set)  # those that have not said yet what they seek
    let_go: set[str] = field(default_factory=set)  # versions (uid and resourceVersion) of what is being given back


class ReferencesMind:
    """The mind."""

    def birth(self, address: Address, argument: object) -> Shelf:
        """Nothing is known yet."""
        del address, argument
        return Shelf()

    def waiting(self, state: Shelf) -> str:
        """How much it keeps, and for whom."""
        return f"for changes of {len(state.objects)} objects that {len(state.seekers)} Rollouts may refer to"

    def receive(self, state: Shelf, message: Message, now: float) -> Iterable[Command]:
        """Keep what is seen, and tell it to those who want it."""
        del now
        match message:
            case Observed(ref, thing) if ref.resource == wire.ROLLOUTS:
                rollout = rollout_address(thing)
                if rollout not in state.rollouts:
                    state.rollouts.add(rollout)
                    if rollout not in state.seekers:
                        state.silent.add(rollout)
                    yield Tell(rollout, WhatDoYouSeek())
            case Gone(ref) if ref.resource == wire.ROLLOUTS:
                rollout = Address(wire.ROOM, ref.namespace, ref.name, ref.uid)
                state.rollouts.discard(rollout)
                yield from _let_go(state, _unseek(state, rollout))
                if not state.rollouts:
                    yield Stop()
            case Observed(ref, thing):
                yield from _changed(state, ref._replace(uid=""), thing)
                yield from _let_go(state, [ref._replace(uid="")])
            case Gone(ref):
                yield from _changed(state, ref._replace(uid=""), None)
            case Told(sender, Seek(refs)):
                before = _unseek(state, sender)
                state.seekers[sender] = refs
                for ref in refs:
                    state.wanted.setdefault(ref, set()).add(sender)
                    yield Tell(sender, Known(ref, state.objects.get(ref)))
                yield from _let_go(state, before)
            case _:
                pass


def _changed(state: Shelf, ref: Reference, thing: Object | None) -> Iterable[Command]:
    if thing is None:
        state.objects.pop(ref, None)
    else:
        state.objects[ref] = thing
    for address in sorted(state.wanted.get(ref, ())):
        yield Tell(address, Known(ref, thing))


def _let_go(state: Shelf, dropped: Iterable[Reference]) -> Iterable[Command]:
    """Give back what no Rollout refers to any more: it selects by its user's labels alone again.

    Only when all Rollouts have said what they seek: before that nobody knows."""
    if state.silent:
        return
    for ref in sorted(dropped):
        thing = state.objects.get(ref) if not state.wanted.get(ref) else None
        patch = release(ref, thing) if thing is not None else None
        if thing is None or patch is None:
            continue
        meta = thing["metadata"]
        version = f"{meta['uid']} {meta['resourceVersion']}"
        if version not in state.let_go:
            state.let_go.add(version)
            yield patch


def _unseek(state: Shelf, who: Address) -> Iterable[Reference]:
    """Forget what it seeks; what nobody seeks now, which is everything when it was the last that had not spoken."""
    was_last = state.silent == {who}
    state.silent.discard(who)
    sought = state.seekers.pop(who, frozenset())
    for ref in sought:
        others = state.wanted.get(ref, set())
        others.discard(who)
        if not others:
            state.wanted.pop(ref, None)
    return list(state.objects) if was_last else sought
