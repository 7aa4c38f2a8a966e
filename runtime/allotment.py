"""Which member should have which group of work? One rule that every member computes alike, from what leases say.

Every member announces itself by a lease of its own, every group has one, and a member acts in a group only while it
holds the group's. So this rule is not what keeps two from acting together; it is what makes the groups even, has each
of them wanted by exactly one, and moves no more of them than it must:

- everybody keeps what it has up to its share; shares differ by one at most, and the larger ones go to who has most;
- what is left goes to those that have less than their share.

Whether a member lives is judged as a lease is: by our own clock since we saw its record change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from runtime.lease import Record


class Notice(NamedTuple):
    """What a lease said when we last looked, and since when (monotonic) it has said so."""

    record: Record
    since: float


def notice(known: Mapping[str, Notice], records: Mapping[str, Record], now: float) -> dict[str, Notice]:
    """What is known after a look at all leases by name; those that are gone are forgotten."""
    found = {}
    for name, record in records.items():
        before = known.get(name)
        unchanged = before is not None and before.record.stamp == record.stamp
        found[name] = Notice(record, before.since if unchanged and before is not None else now)
    return found


def holder(seen: Notice | None, now: float) -> str:
    """Who holds a lease as far as we know; empty: nobody, or somebody who has not renewed it in time."""
    if seen is None or now - seen.since >= seen.record.lease_s:
        return ""
    return seen.record.holder


def shares(members: Collection[str], held: Mapping[str, int], groups: int) -> dict[str, int]:
    """How many groups each member is to have."""
    least, larger = divmod(groups, len(members))
    by_most = sorted(members, key=lambda member: (-held.get(member, 0), member))
    return {member: least + (1 if at < larger else 0) for at, member in enumerate(by_most)}


def allot(members: Collection[str], holders: Sequence[str]) -> tuple[str, ...]:
    """Who is to have each group, given who holds it (empty, or somebody who is no member: nobody).

    All empty when there are no members."""
    if not members:
        return ("",) * len(holders)
    held: dict[str, list[int]] = {member: [] for member in members}
    for group, who in enumerate(holders):
        if who in held:
            held[who].append(group)
    share = shares(held, {member: len(groups) for member, groups in held.items()}, len(holders))
    wanted = [""] * len(holders)
    for member, groups in held.items():
        for group in groups[: share[member]]:
            wanted[group] = member
    rest = iter([group for group, who in enumerate(wanted) if not who])
    for member in sorted(held):
        for _ in range(share[member] - len(held[member])):
            wanted[next(rest)] = member
    return tuple(wanted)
