"""Which leases a controller stands for, and as whom: upstream's, so that ours and theirs never work side by side.

Workflows have one, Rollouts another, as upstream has two controllers. A process stands for that of what it runs.

The candidate is the pod's uid where the pod tells it: a container that was restarted in its pod is the same candidate
and takes its leases back at once. Anything else is new with each process.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import uuid4

from runtime.actor import Room
from runtime.api import Api
from runtime.clock import Clock
from runtime.election import Election
from runtime.objects import LEASES, Reference
from runtime.office import Office

WORKFLOWS_LEASE = "workflow-controller"
ROLLOUTS_LEASE = "argo-rollouts-controller-lock"

Part: TypeAlias = Literal["workflows", "rollouts"]
PARTS: tuple[Part, ...] = ("workflows", "rollouts")
LEASE_OF: Mapping[Part, str] = {"workflows": WORKFLOWS_LEASE, "rollouts": ROLLOUTS_LEASE}
"""Who leads the one may stand by for the other: each has the lease of upstream's controller of the same objects."""

ROOMS_OF_ROLLOUTS = frozenset({"rollout", "rollout-references", "analysis", "experiment"})
"""What upstream's other controller looks after; all other rooms are about workflows."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """What was said about elections."""

    elect: bool = True
    namespace: str = ""  # of the leases; empty: the one that the credentials name
    instance_id: str = ""  # several installations in one namespace each have a lease of their own
    identity: str = ""  # empty: the pod's uid, else new


def part_of(room: str) -> Part:
    """Which of the two a room belongs to."""
    return "rollouts" if room in ROOMS_OF_ROLLOUTS else "workflows"


def rooms_of(parts: Collection[Part], rooms: Sequence[Room]) -> list[Room]:
    """The rooms of these parts."""
    return [room for room in rooms if part_of(room.name) in parts]


def lease_name(part: Part, instance_id: str) -> str:
    """The lease of a part; upstream appends the instance to that of workflows only."""
    name = LEASE_OF[part]
    return f"{name}-{instance_id}" if instance_id and part == "workflows" else name


def identity(environment: Mapping[str, str] = os.environ) -> str:
    """The name to stand under: $LEADER_ELECTION_IDENTITY, the pod's uid ($POD_UID), or host, process and chance."""
    told = environment.get("LEADER_ELECTION_IDENTITY") or environment.get("POD_UID")
    return told or f"{socket.gethostname()}_{os.getpid()}_{uuid4().hex[:8]}"


def wanted(elect: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether to stand at all: not with $LEADER_ELECTION_DISABLE=true, as upstream reads it."""
    return elect and environment.get("LEADER_ELECTION_DISABLE", "").lower() not in {"true", "1"}


def offices(api: Api, candidacy: Candidacy, namespace: str, clock: Clock, rooms: Sequence[Room]) -> tuple[Office, ...]:
    """What is stood for, each part with its own lease; nothing when there is no election to be: then we lead."""
    if not wanted(candidacy.elect):
        return ()
    where, who = candidacy.namespace or namespace, candidacy.identity or identity()
    found = []
    for part in PARTS:
        names = frozenset(room.name for room in rooms_of((part,), rooms))
        if names:
            lease = Reference(LEASES, where, lease_name(part, candidacy.instance_id))
            found.append(Office(names, Election(api, lease, who, clock)))
    return tuple(found)
