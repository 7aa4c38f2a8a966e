"""The state of a Rollout's actor: what it knows of its objects, and which answers it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from actors.rollout import wire
from actors.rollout.balancer_query import TAG
from actors.rollout.plan import Call, Plan, Refusal, Reply
from actors.rollout.restart import EVICTION
from actors.rollout.sets import count, hash_of
from actors.rollout.traffic.protocol import Router
from actors.rollout.traffic.routers import ROUTERS
from runtime.messages import Address, Command, Create, Patch
from runtime.objects import PODS, Object, Reference, Resource


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """What an installation decides for all Rollouts."""

    routers: Mapping[str, Router] = field(default_factory=lambda: ROUTERS)
    step_plugins: frozenset[str] = frozenset()
    disabled_plugins: frozenset[str] = frozenset()
    verify_s: float = 10.0  # until a router is asked again whether it has confirmed a weight
    verifies_weights: bool = False  # AWS is asked whether its load balancers have the weights
    balancer_tag: str = TAG  # by which their target groups are known
    whole_cluster: bool = True  # False: only a namespace may be looked at, so there are no ClusterAnalysisTemplates
    instance_id: str = ""  # only Rollouts with this label are worked on; empty: only those without one


@dataclass(slots=True)
class Underway:
    """A plan that is being carried out."""

    plan: Plan
    generation: Any  # of the Rollout that it was decided for
    status: Object  # on record when it was decided
    failed: bool = False
    writes: bool = False  # its status is being written
    had_pods: bool = False
    done: int = 0  # of its changes: begun

    def next(self) -> tuple[Command, ...]:
        """The changes that come now: one after the other, as a Service goes before its weight; pods all at once."""
        left = self.plan.changes[self.done :] if not self.failed else ()
        pods = list(takewhile(_is_pods, left))
        found = left[: len(pods) or 1]
        self.done += len(found)
        return found


def _is_pods(change: Command) -> bool:
    if isinstance(change, Patch):
        return change.ref.resource == PODS
    return isinstance(change, Create) and change.tag == EVICTION


@dataclass(slots=True)
class RolloutState:
    """One Rollout."""

    address: Address
    object: Object | None = None
    sets: dict[str, Object] = field(default_factory=dict)  # by uid, as are the next two
    runs: dict[str, Object] = field(default_factory=dict)
    experiments: dict[str, Object] = field(default_factory=dict)
    orphans: dict[str, Object] = field(default_factory=dict)  # ReplicaSets of nobody that may be ours
    known: dict[Reference, Object | None] = field(default_factory=dict)
    sought: frozenset[Reference] | None = None  # what it has asked to be told of; None: it has not asked yet
    taken: set[tuple[Resource, str]] = field(default_factory=set)  # names that objects of others have
    pods: tuple[Object, ...] | None = None
    spared: dict[str, float] = field(default_factory=dict)  # pods whose eviction was refused: until when
    unchecked: set[str] | None = None  # uids of ReplicaSets whose pods may lack metadata; None: of all
    answers: dict[Call, Reply] = field(default_factory=dict)
    unseen: dict[str, tuple[Reference, float]] = field(default_factory=dict)  # created, not yet seen: since when
    doubtful: set[Reference] = field(default_factory=set)  # written to, and nobody knows whether that was done
    refusal: Refusal | None = None
    is_listed: bool = False  # what it owns, or may adopt, has been looked for
    outstanding: int = 0  # commands without an answer: nothing new is decided meanwhile
    is_asked: bool = False  # to decide, after all that waits in the mailbox
    underway: Underway | None = None
    failures: int = 0
    not_before: float = 0.0
    rounds: int = 0  # decisions in a row that followed from nothing but the ones before them
    stalled: str = ""
    warned: dict[tuple[str, str], float] = field(default_factory=dict)
    waiting: str = "for its object"
    gone: bool = False

    @property
    def ref(self) -> Reference:
        """That very Rollout."""
        return Reference(wire.ROLLOUTS, self.address.namespace, self.address.name, self.address.uid)

    def of(self, resource: Resource) -> dict[str, Object] | None:
        """Where its objects of a kind are kept; None for a kind that it does not own."""
        return {
            wire.REPLICA_SETS: self.sets,
            wire.ANALYSIS_RUNS: self.runs,
            wire.EXPERIMENTS: self.experiments,
        }.get(resource)

    def keep(self, ref: Reference, thing: Object) -> bool:
        """Take in a state of an object; whether it is news."""
        if ref.resource == wire.ROLLOUTS:
            if ref.uid == self.address.uid and is_newer(thing, self.object):
                self._meet(self.object, thing)
                self.object = thing
                return True
            return False
        kept = self.of(ref.resource)
        uid = thing["metadata"].get("uid", "")
        if kept is None:
            key = ref._replace(uid="")
            if key in self.known and is_newer(thing, self.known[key]):
                self.known[key] = thing
                return True
            return False
        if is_newer(thing, kept.get(uid)):
            kept[uid] = thing
            return True
        return False

    def learn(self, ref: Reference, thing: Object | None) -> None:
        """Take in what it refers to; None: it is not there. A ReplicaSet that lends its template is none of its own."""
        if thing is None or is_newer(thing, self.known.get(ref)):
            self.known[ref] = thing

    def _meet(self, before: Object | None, thing: Object) -> None:
        """What failed with one spec need not fail with another, so that one is tried at once."""
        if before is not None and before["metadata"].get("generation") != thing["metadata"].get("generation"):
            self.not_before, self.failures = 0.0, 0

    def lose(self, ref: Reference) -> None:
        """An object is gone."""
        self.doubtful.discard(ref)
        kept = self.of(ref.resource)
        if kept is not None:
            kept.pop(ref.uid, None)
            self.unseen.pop(ref.uid, None)
            self.taken.discard((ref.resource, ref.name))
        elif ref._replace(uid="") in self.known:
            self.known[ref._replace(uid="")] = None

    def mark_deleted(self, ref: Reference) -> None:
        """An object was asked to go; it may still be there."""
        kept, key = self.of(ref.resource), ref._replace(uid="")
        if kept is not None and ref.uid in kept:
            kept[ref.uid] = _ending(kept[ref.uid])
        known = self.known.get(key)
        if known is not None and known["metadata"].get("uid") == ref.uid:
            self.known[key] = _ending(known)

    def pods_to_check(self) -> frozenset[str]:
        """The ReplicaSets whose pods have to be looked at: their controller has seen the newest template."""
        uids = self.sets.keys() if self.unchecked is None else self.unchecked & self.sets.keys()
        return frozenset(
            uid
            for uid in uids
            if count(self.sets[uid], "observedGeneration") >= int(self.sets[uid]["metadata"].get("generation", 1))
        )

    def hashes(self) -> list[str]:
        """The hashes of its ReplicaSets."""
        return sorted({hash_of(one) for one in self.sets.values()} - {""})


def _ending(thing: Object) -> Object:
    return {**thing, "metadata": {**thing["metadata"], "deletionTimestamp": "now"}}


def is_newer(thing: Object, known: Object | None) -> bool:
    """Whether `thing` is a later state than the known one."""
    if known is None:
        return True
    mine, theirs = (each["metadata"].get("resourceVersion", "0") for each in (thing, known))
    if mine.isdigit() and theirs.isdigit():
        return int(mine) > int(theirs)
    return bool(mine != theirs)
