"""What the leases of shards are called, and under which name their members hold upstream's lease together.

workflow-controller                    held by "tiphys-4-shards": all members renew it
workflow-controller-member-0f46f5ec    one for each member: it says that it lives
workflow-controller-shard-2-of-4       one for each shard: held by the member that works there
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_SHARD = re.compile(r"(?P<base>.+)-shard-(?P<number>\d+)-of-(?P<groups>\d+)")
_TOGETHER = re.compile(r"tiphys-\d+-shards")
_MEMBER = "-member-"


class ShardLease(NamedTuple):
    """Which shard a lease is for."""

    base: str  # the lease that all members hold together
    number: int
    groups: int


def of_shard(base: str, number: int, groups: int) -> str:
    """The lease of a shard."""
    return f"{base}-shard-{number}-of-{groups}"


def shard_of(name: str) -> ShardLease | None:
    """The shard of a lease of that name; None for any other lease."""
    found = _SHARD.fullmatch(name)
    return None if found is None else ShardLease(found["base"], int(found["number"]), int(found["groups"]))


def members(base: str) -> str:
    """What the names of all members' leases begin with."""
    return base + _MEMBER


def of_member(base: str, identity: str) -> str:
    """The lease of a member."""
    return members(base) + hashlib.sha256(identity.encode()).hexdigest()[:12]


def is_of_member(name: str) -> bool:
    """Whether it is some member's lease."""
    return _MEMBER in name


def together(groups: int) -> str:
    """As whom members hold a lease together: other members with another number of shards are somebody else."""
    return f"tiphys-{groups}-shards"


def is_together(holder: str) -> bool:
    """Whether that is what members call themselves together."""
    return _TOGETHER.fullmatch(holder) is not None
