"""One decision under way: what is known, what has been decided so far, and what that would make true.

A rule reads the scene, asks for changes and sees their effect at once, so the rules after it decide on what will be.
Nothing is done here: the changes are commands, to be performed when the decision is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.kube_events import Said
from actors.rollout import sets, wire
from actors.rollout.balancer_query import TAG
from actors.rollout.model import Ro
from actors.rollout.pauses import Pauses
from actors.rollout.plan import Call, Query, Refusal, Reply
from actors.rollout.traffic.protocol import Router
from runtime.messages import Command, Create, Patch
from runtime.objects import SERVICES, Object, Reference, Resource, reference


class Stalled(Exception):
    """The decision cannot be completed: what was changed so far stands, the status is left as it is."""

    def __init__(self, message: str, *, again_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.again_s = again_s


class Waits(Exception):
    """The decision needs something that is not known yet: it is asked for, and decided anew.

    Without a query it is the pods that are needed."""

    def __init__(self, query: Query | None = None) -> None:
        super().__init__("pods" if query is None else query.call)
        self.query = query


@dataclass(frozen=True, slots=True)
class World:
    """All that a decision is made from. Times are seconds since the epoch."""

    rollout: Object
    sets: tuple[Object, ...] = ()
    runs: tuple[Object, ...] = ()
    experiments: tuple[Object, ...] = ()
    known: Mapping[Reference, Object | None] = field(default_factory=dict)
    pods: tuple[Object, ...] | None = None  # of all its ReplicaSets; None: not looked for
    spared: frozenset[str] = frozenset()  # uids of pods whose eviction was refused a moment ago
    unchecked: frozenset[str] = frozenset()  # uids of ReplicaSets whose pods may lack their ephemeral metadata
    taken: frozenset[tuple[Resource, str]] = frozenset()  # names that objects of others have
    refusal: Refusal | None = None  # why its ReplicaSet could not be created
    answers: Mapping[Call, Reply] = field(default_factory=dict)
    routers: Mapping[str, Router] = field(default_factory=dict)
    plugins: frozenset[str] | None = None  # step plugins there are; None: any
    disabled_plugins: frozenset[str] = frozenset()
    verify_s: float = 10.0  # until a router is asked again whether it has confirmed a weight
    verifies_weights: bool = False  # AWS is asked whether its load balancers have the weights
    balancer_tag: str = TAG  # by which their target groups are known


@dataclass(slots=True)
class Scene:
    """The decision."""

    ro: Ro
    world: World
    now: float
    every: list[Object]
    new: Object | None
    pause: Pauses
    status: Object  # what the new status begins with
    stable: Object | None = None
    changes: list[Command] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    runs: dict[str, Object] = field(default_factory=dict)  # the current ones, by kind
    other_runs: list[Object] = field(default_factory=list)
    experiment: Object | None = None
    other_experiments: list[Object] = field(default_factory=list)
    plugin_statuses: list[Object] | None = None
    plugin_failed: bool = False
    was_within_delay: bool = False  # the new version's deadline was still to come
    lets_go: bool = False  # a version that was held by a deadline is scaled to nothing: that is progress
    is_verified: bool = True  # load balancers know the pods
    stable_share: int | None = None  # of the traffic, as decided now, whether or not the routers can be told yet
    services: dict[str, Object] = field(default_factory=dict)  # as they will be, by name

    # ----------------------------------------------------------------------------------------- ReplicaSets

    @property
    def older(self) -> list[Object]:
        """All but the new one."""
        return [one for one in self.every if one is not self.new]

    @property
    def others(self) -> list[Object]:
        """Neither new nor stable."""
        return [one for one in self.every if one is not self.new and one is not self.stable]

    @property
    def new_hash(self) -> str:
        """The hash of the new version."""
        return sets.hash_of(self.new)

    @property
    def has_other_stable(self) -> bool:
        """Whether another version than the new one is stable."""
        return self.stable is not None and self.stable is not self.new

    @property
    def stays_after_abort(self) -> bool:
        """Whether the new version keeps its pods for some time after an abort."""
        if not self.pause.is_aborted or self.stable is None or not self.ro.abort_delay_s:
            return False
        return not self.ro.is_dynamic or self.ro.has_own_abort_delay

    def patch_set(self, one: Object, body: Object, tag: str = "set") -> None:
        """Change a ReplicaSet; its copy here says so at once."""
        self.changes.append(Patch(reference(wire.REPLICA_SETS, one), body, tag=tag))
        merge(one, body)

    def resize(self, one: Object, replicas: int) -> bool:
        """Give a ReplicaSet its size and tell it the Rollout's; whether its size changed."""
        ro, before = self.ro, sets.wished(one)
        if before == replicas and not sets.needs_annotation(ro, one):
            return False
        notes: Object = {wire.DESIRED_REPLICAS: str(ro.replicas)}
        if replicas == 0 and sets.deadline(one) and not self.stays_after_abort:
            self.lets_go = True
            notes[wire.SCALE_DOWN_DEADLINE] = None
        body: Object = {"metadata": {"annotations": notes}}
        if before != replicas:
            body["spec"] = {"replicas": replicas}
        self.patch_set(one, body)
        if before == replicas:
            return False
        direction = "up" if replicas > before else "down"
        name, revision = one["metadata"]["name"], sets.revision(one)
        message = f"Scaled {direction} ReplicaSet {name} (revision {revision}) from {before} to {replicas}"
        self.say("ScalingReplicaSet", message)
        return True

    def set_deadline(self, one: Object, delay_s: int) -> None:
        """Say when a ReplicaSet may go; without a delay no deadline is kept."""
        if delay_s == 0:
            self.drop_deadline(one)
            return
        text = sets.deadline_text(self.now, delay_s)
        self.patch_set(one, {"metadata": {"annotations": {wire.SCALE_DOWN_DEADLINE: text}}})
        self.wake_at(self.now + delay_s)

    def drop_deadline(self, one: Object) -> None:
        """A ReplicaSet that serves has no deadline."""
        if sets.deadline(one):
            self.patch_set(one, {"metadata": {"annotations": {wire.SCALE_DOWN_DEADLINE: None}}})

    # ------------------------------------------------------------------------------------------- the others

    def service(self, name: str) -> Object:
        """A Service as it will be. Raises Stalled when it is not there."""
        if name not in self.services:
            found = self.world.known.get(Reference(SERVICES, self.ro.namespace, name))
            if found is None:
                raise Stalled(f'service "{name}" not found', again_s=20)
            self.services[name] = {**found, "spec": dict(found.get("spec") or {})}
        return self.services[name]

    def say(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell an Event once the decision is done."""
        self.said.append(Said(reason, message, warning))

    def wake_at(self, at: float | None) -> None:
        """Look again then, at the latest."""
        if at is not None:
            self.wakes.append(at)

    def create(self, resource: Resource, thing: Object, tag: str) -> None:
        """Create an object that the Rollout owns."""
        self.changes.append(Create(resource, thing, tag))


def service_hash(service: Object) -> str:
    """The version that a Service selects; empty when it selects by the user's labels alone."""
    return str(((service.get("spec") or {}).get("selector") or {}).get(wire.HASH, ""))


def merge(thing: Object, body: Object) -> None:
    """Apply a merge patch to a copy that is ours."""
    for name, value in body.items():
        if value is None:
            thing.pop(name, None)
        elif isinstance(value, dict):
            known: Any = thing.get(name)
            part: Object = dict(known) if isinstance(known, dict) else {}
            merge(part, value)
            thing[name] = part
        else:
            thing[name] = value
