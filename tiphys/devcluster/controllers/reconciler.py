"""The mind that all owners share: see, decide once, have it all answered, decide again.

A decision is made when everything that waited in the mailbox has been read, and never while a command of the last one
is unanswered. So a plan is a plain function of what is known, as if its author did the calls one after the other. After
a failure the next plan waits, for longer each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from runtime.api import AlreadyExists, ApiError, Refused
from runtime.api import Gone as Absent
from runtime.messages import (
    Address,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Measure,
    Message,
    Observed,
    Patch,
    Read,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import Object, Reference, Resource, owner_uid
from tiphys.devcluster.controllers.adoption import Adoptable, Introduced, Seeking, matchmaker
from tiphys.devcluster.controllers.events import EVENT_TAG
from tiphys.devcluster.controllers.family import Family

RETRY_FIRST_S = 0.05
RETRY_LONGEST_S = 60.0

PACE_S = 0.0001
"""Between two plans, for each child: a plan looks at all of them, and thousands change one after the other."""

INTRODUCTION_S = 1.0
"""How long a new life waits to hear what it may adopt: else it would create what is there already."""

DECIDE = "decide"
"""What an actor tells itself: it comes after all that waits."""


class Plan(NamedTuple):
    """What to do now, when to look again if nothing happens (seconds since the epoch), and what is waited for."""

    commands: list[Command]
    wake_at: float | None = None
    waiting: str = ""


def _nothing(family: Family, now: float) -> list[Command]:
    return []


def _not_touched(last: Object) -> list[Command]:
    return []


@dataclass(frozen=True, slots=True)
class Trade:
    """What is particular to one kind of owner."""

    resource: Resource
    child_resource: Resource
    plan: Callable[[Family, float], Plan]
    farewell: Callable[[Family, float], list[Command]] = field(default=_nothing)
    """What is left to do when the owner is gone; the actor stops when it is nothing."""
    parted: Callable[[Object], list[Command]] = field(default=_not_touched)
    """What to do about a child that is there but no longer ours; its answers are not waited for."""


Commands: TypeAlias = Iterator[Command]


class Reconciler:
    """The mind of one kind of owner."""

    def __init__(self, trade: Trade) -> None:
        self._trade = trade

    def birth(self, address: Address, argument: Any) -> Family:
        """An owner of which nothing is known."""
        return Family(address, self._trade.resource, self._trade.child_resource)

    def waiting(self, state: Family) -> str:
        """What this owner waits for."""
        if state.outstanding:
            return f"for the answer to {state.outstanding} of its commands"
        return state.waiting

    def receive(self, state: Family, message: Message, now: float) -> Iterable[Command]:
        """Take in a message; what follows from it is decided after all others that wait."""
        match message:
            case Told(_, word) if word is DECIDE:
                state.is_asked = False
                yield from self._decide(state, now)
                return
            case Started():
                state.alone_until = now + INTRODUCTION_S
                yield Tell(matchmaker(state.address.namespace), Seeking(state.address))
            case Told(_, Introduced()):
                state.alone_until = now
            case Observed(ref, thing):
                state.see(ref, thing)
            case Gone(ref, last):
                yield from self._lose(state, ref, last)
            case Told(_, Adoptable(thing)):
                state.orphans[thing["metadata"]["uid"]] = thing
            case Done(command, result):
                if not _counts(command):
                    return
                state.outstanding -= 1
                yield from self._done(state, command, result, now)
            case Failed(command, error):
                if not _counts(command):
                    return
                state.outstanding -= 1
                yield from self._failed(state, command, error, now)
            case Woke() | _:
                pass
        if not state.is_asked:
            state.is_asked = True
            yield Tell(state.address, DECIDE)

    def _lose(self, state: Family, ref: Reference, last: Object | None) -> Commands:
        if ref.resource == self._trade.resource:
            if ref.uid == state.uid:
                state.own, state.gone = None, True
            return
        state.lose(ref.uid)
        if last is not None and owner_uid(last) != state.uid:
            yield from self._trade.parted(last)

    # ---------------------------------------------------------------------------------------------- answers

    def _done(self, state: Family, command: Command, result: Any, now: float) -> Commands:
        match command:
            case Create():
                state.refusal = ""
                state.made(result, now)
            case WriteStatus() | Patch():
                state.changed(result)
            case Read(ref):
                state.doubtful.discard(ref)
                if ref.uid == state.uid:
                    state.own = result
                    state.deleting.discard(ref.uid)
                elif owner_uid(result) == state.uid:
                    state.found(result)
                else:
                    state.taken.add(ref.name)
        yield from ()

    def _failed(self, state: Family, command: Command, error: ApiError, now: float) -> Commands:
        match command, error:
            case Create(resource, thing), AlreadyExists():
                yield from _asked(state, [Read(_named(resource, thing), "whose")])
                return
            case ((Read(ref) | Patch(ref) | Delete(ref)), Absent()):
                state.doubtful.discard(ref)
                if ref.uid == state.uid:
                    state.own, state.gone = None, True
                else:
                    state.lose(ref.uid)
                return
            case Create(), Refused():
                state.refusal = error.message
            case Create(resource, thing), _:
                state.doubtful.add(_named(resource, thing))
            case Delete(ref), Refused():
                state.deleting.discard(ref.uid)
            case Delete(ref), _:
                state.doubtful.add(ref)
            case Patch(ref, tag="adopt"), _:
                state.orphans.pop(ref.uid, None)  # it changed: the matchmaker tells of its newer state
        state.not_before = now + min(RETRY_LONGEST_S, RETRY_FIRST_S * 2.0 ** min(state.failures, 16))
        state.failures += 1

    # --------------------------------------------------------------------------------------------- decision

    def _decide(self, state: Family, now: float) -> Commands:
        if state.outstanding:
            return
        state.decided()
        if now < state.not_before:
            yield WakeAt(state.not_before, "again")
            return
        if state.gone:
            commands = self._trade.farewell(state, now)
            yield from _asked(state, commands)
            if not state.outstanding:
                yield Stop()
            return
        if state.own is None:
            yield from _asked(state, [Read(state.ref, "own")])
            return
        soonest = max(state.alone_until, state.decided_at + len(state.children) * PACE_S)
        if now < soonest:
            yield WakeAt(soonest, "again")
            return
        state.decided_at = now
        missing = state.missing(now)
        if missing:
            yield from _asked(state, [Read(ref, "missing") for ref in missing])
            return
        plan = self._trade.plan(state, now)
        state.waiting = plan.waiting or "for a change"
        if not plan.commands:
            state.failures = 0
        yield from _asked(state, plan.commands)
        times = [at for at in (plan.wake_at, state.next_look()) if at is not None]
        yield WakeAt(min(times) if times else None, "again")


def _asked(state: Family, commands: Iterable[Command]) -> Commands:
    """Hand on commands and count those whose answers have to come before anything else is decided."""
    for command in commands:
        if isinstance(command, Delete):
            state.deleting.add(command.ref.uid)
        if _counts(command):
            state.outstanding += 1
        yield command


def _named(resource: Resource, thing: Object) -> Reference:
    return Reference(resource, thing["metadata"]["namespace"], thing["metadata"]["name"])


def _counts(command: Command) -> bool:
    return not isinstance(command, Tell | WakeAt | Measure | Stop) and getattr(command, "tag", "") != EVENT_TAG
