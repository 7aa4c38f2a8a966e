"""The rollout room: see, decide once, have it all answered, write the status, decide again.

A plan's changes are performed in order; when every one of them was answered, the status is written (on the version it
was computed from) and the Events are told. If one failed, or somebody else has written meanwhile, the rest is
forgotten and everything is decided anew: the decision depends on nothing but what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from actors.kube_events import EVENT, Said, difference
from actors.rollout import claims, needs, wire
from actors.rollout.decide import decide
from actors.rollout.events import event
from actors.rollout.metrics import measures
from actors.rollout.plan import Plan, Refusal
from actors.rollout.references import Known, Seek, WhatDoYouSeek, shelves
from actors.rollout.restart import AGAIN_S, EVICTION
from actors.rollout.scene import World
from actors.rollout.state import RolloutSettings, RolloutState, Underway
from runtime import api
from runtime.api import Selection
from runtime.messages import (
    Address,
    Ask,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    List,
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
from runtime.objects import PODS, Object, Reference, owner_uid

Commands: TypeAlias = Iterator[Command]

DECIDE: Final = "decide"
AGAIN, OWNED, WHOSE, LOOK, STATUS, PODS_OF = "again", "owned", "whose", "look", "status", "pods"
RETRY_FIRST_S, RETRY_LONGEST_S = 0.05, 60.0
UNSEEN_S: Final = 30.0
"""What was created so long ago and never came through the watch is looked for."""

ROUNDS_MAX: Final = 200
"""Decisions in a row without any news from outside: a walk of many steps takes some, more would be a circle."""

ROUND_PAUSE_S: Final = 5.0
WARNED_S: Final = 600.0
"""How long the same warning is not repeated."""


class RolloutMind:
    """How a Rollout's actor behaves."""

    def __init__(self, settings: RolloutSettings | None = None) -> None:
        self.settings = settings or RolloutSettings()

    def birth(self, address: Address, argument: Any) -> RolloutState:
        """A Rollout of which nothing is known yet but its name."""
        del argument
        return RolloutState(address)

    def waiting(self, state: RolloutState) -> str:
        """What happens next."""
        if state.outstanding:
            return f"for the answer to {state.outstanding} of its commands"
        return state.waiting

    def receive(self, state: RolloutState, message: Message, now: float) -> Iterable[Command]:
        """Take in a message; what follows from it is decided after all others that wait."""
        match message:
            case Told(_, word) if word is DECIDE:
                state.is_asked = False
                return list(self._decide(state, now))
            case Gone(ref) if ref.resource == wire.ROLLOUTS:
                return self._end(state, ref, now)
            case _:
                commands = list(self._take_in(state, message, now))
        if not state.is_asked:
            state.is_asked = True
            commands.append(Tell(state.address, DECIDE))
        return commands

    def _take_in(self, state: RolloutState, message: Message, now: float) -> Commands:
        match message:
            case Observed(ref, thing):
                state.unseen.pop(ref.uid, None)
                if state.keep(ref, thing):
                    state.rounds = 0
            case Gone(ref):
                state.lose(ref)
                state.is_listed = state.is_listed and ref.resource != wire.REPLICA_SETS
                state.rounds = 0
            case Told(_, Known(ref, thing)):
                state.learn(ref, thing)
                state.rounds = 0
            case Told(sender, WhatDoYouSeek()):
                if state.sought is not None:  # else it is told with the first decision
                    yield Tell(sender, Seek(shelves(state.sought, state.address.namespace).get(sender, frozenset())))
            case Woke():
                state.rounds = 0
            case Done(command, result) if _counts(command):
                state.outstanding -= 1
                self._done(state, command, result, now)
            case Failed(command, error) if _counts(command):
                state.outstanding -= 1
                yield from self._failed(state, command, error, now)
            case Started() | _:
                pass

    def _end(self, state: RolloutState, ref: Reference, now: float) -> list[Command]:
        if ref.uid != state.address.uid:
            return []
        # The name comes first in upstream's sentence, too.
        said = Said("RolloutDeleted", f"Rollout {ref.name}/{ref.namespace} is deleted.")
        return [event(ref, said, now), Stop()]

    # ------------------------------------------------------------------------------------------------ answers

    def _done(self, state: RolloutState, command: Command, result: Any, now: float) -> None:
        match command:
            case List(tag="owned"):
                state.is_listed = True
                for thing in result:
                    if owner_uid(thing) == state.address.uid:
                        state.keep(_named(wire.REPLICA_SETS, thing), thing)
                    elif not owner_uid(thing):
                        state.orphans[thing["metadata"]["uid"]] = thing
            case List():
                mine = {one["metadata"]["uid"] for one in state.sets.values()}
                state.pods = tuple(pod for pod in result if owner_uid(pod) in mine)
            case Ask(_, query):
                state.answers[query.call] = result
            case Create(resource):
                self._created(state, resource, result, now)
            case Patch(ref) | WriteStatus(ref):
                state.orphans.pop(ref.uid, None)
                state.keep(ref, result)
            case Delete(ref):
                state.mark_deleted(ref)
            case Read(ref, tag="whose"):
                self._belongs(state, ref, result)
            case Read(ref):
                state.unseen.pop(ref.uid, None)
                state.doubtful.discard(ref)
                state.keep(ref._replace(uid=result["metadata"]["uid"]), result)

    def _created(self, state: RolloutState, resource: Any, result: Any, now: float) -> None:
        if resource.plural.endswith("/eviction"):
            return
        ref = _named(resource, result)
        kept = state.of(resource)
        if kept is not None:
            state.unseen[ref.uid] = ref, now
            kept.setdefault(ref.uid, result)
        else:
            state.known[ref._replace(uid="")] = result
        if resource == wire.REPLICA_SETS:
            state.refusal = None

    def _belongs(self, state: RolloutState, ref: Reference, found: Object) -> None:
        """An object of the wanted name is there: ours, or one more name that is taken."""
        kept = state.of(ref.resource)
        if kept is None:
            state.known[ref] = found
        elif owner_uid(found) == state.address.uid:
            kept[found["metadata"]["uid"]] = found
        else:
            state.taken.add((ref.resource, ref.name))

    def _failed(self, state: RolloutState, command: Command, error: api.ApiError, now: float) -> Commands:
        if getattr(command, "tag", "") in (EVICTION, "pod") and not isinstance(error, api.Unavailable):
            if isinstance(command, Create):
                state.spared[command.object["deleteOptions"]["preconditions"]["uid"]] = now + AGAIN_S
            return  # a budget forbids it, or the pod is gone: looked at again later
        match command, error:
            case Ask(_, query), _:
                state.answers[query.call] = query.failed(error.message)
                return
            case Create(resource, thing), api.AlreadyExists():
                yield from self._ask(state, [Read(_named(resource, thing)._replace(uid=""), WHOSE)])
            case ((Read(ref) | Patch(ref) | WriteStatus(ref)), api.Gone()):
                state.lose(ref)
                state.unseen.pop(ref.uid, None)
                state.orphans.pop(ref.uid, None)
            case ((Patch(ref) | WriteStatus(ref)), api.Conflict()):
                state.doubtful.add(ref)
                yield from self._ask(state, [Read(ref, LOOK)])
            case ((Patch(ref) | WriteStatus(ref)), api.Unavailable()):
                state.doubtful.add(ref)
            case Create(resource, thing), api.Refused() if resource == wire.REPLICA_SETS:
                state.refusal = Refusal(thing["metadata"]["name"], error.message)
            case _:
                pass
        if state.underway is not None:
            state.underway.failed = True
        self._back_off(state, now)

    def _back_off(self, state: RolloutState, now: float) -> None:
        state.not_before = now + min(RETRY_LONGEST_S, RETRY_FIRST_S * 2.0 ** min(state.failures, 16))
        state.failures += 1

    # ----------------------------------------------------------------------------------------------- decision

    def _decide(self, state: RolloutState, now: float) -> Commands:
        if state.outstanding or state.object is None or not self._is_mine(state.object):
            return
        if state.underway is not None:
            yield from self._ask(state, state.underway.next())
            if not state.outstanding:
                yield from self._conclude(state, state.underway, now)
            if state.outstanding or state.underway is not None:
                return
        if now < state.not_before:
            yield WakeAt(state.not_before, AGAIN)
            return
        lost = [ref for ref, since in state.unseen.values() if now - since >= UNSEEN_S]
        if lost or state.doubtful:  # what is decided on a state from before one's own write goes beyond its limits
            yield from self._ask(state, [Read(ref, LOOK) for ref in (*lost, *sorted(state.doubtful))])
            return
        if not state.is_listed:
            selection = Selection(state.address.namespace, claims.selection(state.object))
            yield from self._ask(state, [List(wire.REPLICA_SETS, selection, OWNED)])
            return
        claimed = claims.claims(state)
        if claimed:
            yield from self._ask(state, claimed)
            return
        state.rounds += 1
        if state.rounds > ROUNDS_MAX:
            state.rounds = 0
            state.not_before = now + ROUND_PAUSE_S
            state.waiting = "for a moment: its decisions follow each other without end"
            yield WakeAt(state.not_before, AGAIN)
            return
        yield from self._follow(state, decide(self._world(state, now), now), now)

    def _is_mine(self, rollout: Object) -> bool:
        label = (rollout["metadata"].get("labels") or {}).get(wire.INSTANCE_ID, "")
        return bool(label == self.settings.instance_id)

    def _world(self, state: RolloutState, now: float) -> World:
        assert state.object is not None
        settings = self.settings
        state.spared = {uid: until for uid, until in state.spared.items() if until > now}
        return World(
            state.object,
            tuple(state.sets.values()),
            tuple(state.runs.values()),
            tuple(state.experiments.values()),
            state.known,
            state.pods,
            frozenset(state.spared),
            state.pods_to_check(),
            frozenset(state.taken),
            state.refusal,
            state.answers,
            settings.routers,
            settings.step_plugins,
            settings.disabled_plugins,
            settings.verify_s,
            settings.verifies_weights,
            settings.balancer_tag,
        )

    def _follow(self, state: RolloutState, plan: Plan, now: float) -> Commands:
        """Do what the plan says, or find out what it needs."""
        assert state.object is not None
        state.waiting = plan.waiting or state.waiting
        wanted = frozenset(needs.of(state.object, state.known, self.settings.routers))
        if wanted != state.sought:
            yield from self._seek(state, wanted)
        if plan.needs:
            return
        if plan.needs_pods:
            selector = f"{wire.HASH} in ({','.join(state.hashes())})"
            yield from self._ask(state, [List(PODS, Selection(state.address.namespace, selector), PODS_OF)])
            return
        if plan.query is not None:
            yield from self._ask(state, [Ask(plan.query.service, plan.query)])
            return
        had_pods = state.pods is not None
        state.pods = None
        state.answers.clear()
        status = state.object.get("status") or {}
        generation = state.object["metadata"].get("generation")
        state.underway = Underway(plan, generation, status, had_pods=had_pods)
        yield from self._ask(state, state.underway.next())
        if not state.outstanding:
            yield from self._conclude(state, state.underway, now)

    def _seek(self, state: RolloutState, wanted: frozenset[Reference]) -> Commands:
        """Say which objects are to be told; those that are wanted no more are forgotten."""
        before, state.sought = state.sought or frozenset(), wanted
        for ref in before - wanted:
            state.known.pop(ref, None)
        own = state.address.namespace
        had = shelves(before, own)
        for shelf, refs in shelves(wanted, own).items():
            if refs or had[shelf] or shelf.namespace == own:
                yield Tell(shelf, Seek(refs))

    def _conclude(self, state: RolloutState, underway: Underway, now: float) -> Commands:
        """All of a plan was answered: write its status, or be done with it."""
        plan, own = underway.plan, state.object
        assert own is not None
        if underway.failed:
            state.underway = None
            return
        status = own.get("status") or {}
        is_current = own["metadata"].get("generation") == underway.generation and status == underway.status
        if plan.status is not None and not underway.writes and is_current:
            body = difference(status, plan.status)
            if body:
                underway.writes = True
                version = own["metadata"]["resourceVersion"]
                yield from self._ask(state, [WriteStatus(state.ref, {"status": body}, version, "status", STATUS)])
                return
        state.underway = None
        is_dropped = underway.writes and is_current  # by a definition that lacks fields: no use in writing them again
        has_written = underway.writes and not is_dropped
        yield from self._rest(state, underway, now, moved=bool(plan.changes) or has_written or not is_current)
        if is_dropped:
            state.waiting = "for a change; this cluster's definition of Rollouts lacks fields of their status"

    def _rest(self, state: RolloutState, underway: Underway, now: float, *, moved: bool) -> Commands:
        """Tell what was done, and look again: at once when something has moved."""
        plan = underway.plan
        if underway.had_pods:
            state.unchecked = {
                each.ref.uid for each in plan.changes if isinstance(each, Patch) and each.tag == "set"
            }  # fmt: skip
        is_news = plan.stalled != state.stalled
        state.stalled = plan.stalled
        yield from self._tell(state, plan.said if moved or is_news else _warnings(plan), now)
        yield from measures(state.address, plan)
        again = plan.wake_at
        if plan.stalled:
            self._back_off(state, now)
            again = state.not_before if again is None else again
        else:
            state.failures = 0
        yield WakeAt(again, AGAIN)
        if moved and not state.is_asked:
            state.is_asked = True
            yield Tell(state.address, DECIDE)

    def _tell(self, state: RolloutState, told: Iterable[Said], now: float) -> Commands:
        for said in told:
            key = said.reason, said.message
            if said.warning and now - state.warned.get(key, 0.0) < WARNED_S:
                continue
            if said.warning:
                state.warned = {each: at for each, at in state.warned.items() if now - at < WARNED_S} | {key: now}
            yield event(state.ref, said, now)

    def _ask(self, state: RolloutState, commands: Iterable[Command]) -> Commands:
        """Hand on commands, and count those whose answers have to come before anything else is decided."""
        for command in commands:
            if _counts(command):
                state.outstanding += 1
            yield command


def _warnings(plan: Plan) -> list[Said]:
    """What is told even when nothing has moved: something is wrong, perhaps something else than before."""
    return [said for said in plan.said if said.warning]


def _counts(command: Command) -> bool:
    return not isinstance(command, Tell | WakeAt | Measure | Stop) and getattr(command, "tag", "") != EVENT


def _named(resource: Any, thing: Object) -> Reference:
    meta = thing["metadata"]
    return Reference(resource, meta.get("namespace", ""), meta["name"], meta.get("uid", ""))
