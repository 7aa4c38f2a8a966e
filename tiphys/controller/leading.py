"""Which lease a controller stands for, and under which name: upstream's, so that the two never work side by side.

The candidate is the pod's uid where the pod tells it: a container that was restarted in its pod is the same candidate
and takes its lease back at once. Anything else is new with each process.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from runtime.api import Api
from runtime.clock import Clock
from runtime.election import Election
from runtime.objects import LEASES, Reference

WORKFLOWS_LEASE = "workflow-controller"
ROLLOUTS_LEASE = "argo-rollouts-controller-lock"
LEASE_OF_ROOM: Mapping[str, str] = {"workflow": WORKFLOWS_LEASE, "rollout": ROLLOUTS_LEASE}
"""A lease is stood for only where the room is: who only runs workflows leaves the rollouts to their controller."""


@dataclass(frozen=True, slots=True)
class Candidacy:
    """What was said about elections."""

    elect: bool = True
    namespace: str = ""  # of the lease; empty: the one that the credentials name
    instance_id: str = ""  # several installations in one namespace each have a lease of their own
    identity: str = ""  # empty: the pod's uid, else new


def lease_name(room: str, instance_id: str) -> str:
    """The lease of a room; upstream appends the instance to that of workflows only."""
    name = LEASE_OF_ROOM[room]
    return f"{name}-{instance_id}" if instance_id and room == "workflow" else name


def identity(environment: Mapping[str, str] = os.environ) -> str:
    """The name to stand under: $LEADER_ELECTION_IDENTITY, the pod's uid ($POD_UID), or host, process and chance."""
    told = environment.get("LEADER_ELECTION_IDENTITY") or environment.get("POD_UID")
    return told or f"{socket.gethostname()}_{os.getpid()}_{uuid4().hex[:8]}"


def wanted(elect: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether to stand at all: not with $LEADER_ELECTION_DISABLE=true, as upstream reads it."""
    return elect and environment.get("LEADER_ELECTION_DISABLE", "").lower() not in {"true", "1"}


def candidate(api: Api, candidacy: Candidacy, namespace: str, clock: Clock, room: str = "workflow") -> Election | None:
    """The election to stand for, or None when there is none to be: then we lead."""
    if not wanted(candidacy.elect):
        return None
    where = candidacy.namespace or namespace
    name = lease_name(room, candidacy.instance_id)
    return Election(api, Reference(LEASES, where, name), candidacy.identity or identity(), clock)
