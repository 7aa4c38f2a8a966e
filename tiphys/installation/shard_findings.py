"""Who shares the work, and whether every shard is held, as the leases say it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.objects import Object
from tiphys.controller import lease_names
from tiphys.controller.lease_names import ShardLease
from tiphys.installation.findings import Finding, leader


def is_of_shards(lease: Object) -> bool:
    """Whether it is one of the leases by which processes divide the work among them."""
    name, holder = lease["metadata"]["name"], str((lease.get("spec") or {}).get("holderIdentity") or "")
    return bool(lease_names.shard_of(name)) or lease_names.is_of_member(name) or lease_names.is_together(holder)


def of_shards(leases: Sequence[Object], ours: frozenset[str], now: float) -> list[Finding]:
    """One sentence for each division, for each of its members, and for each shard that nobody holds."""
    found: list[Finding] = []
    held: dict[tuple[str, str, int], dict[int, str]] = {}
    for lease in leases:
        meta = lease["metadata"]
        shard = lease_names.shard_of(meta["name"])
        if shard is not None:
            key = meta.get("namespace", ""), shard.base, shard.groups
            held.setdefault(key, {})[shard.number] = leader(lease, now)
    alone = _led_by_one(leases, now)
    for (namespace, base, groups), holders in sorted(held.items()):
        if any(holders.values()) or (len(held) == 1 and (namespace, base) not in alone):
            name = f"{namespace}/{base}"
            found += _of_division(name, groups, holders, lambda who: f"our pod {who}" if who in ours else who)
    return found


def _led_by_one(leases: Sequence[Object], now: float) -> set[tuple[str, str]]:
    """The leases that one process holds by itself: what is left of a division there means nothing any more."""
    found = [lease["metadata"] for lease in leases if leader(lease, now)]
    return {(meta.get("namespace", ""), meta["name"]) for meta in found}


def _of_division(name: str, groups: int, holders: dict[int, str], called: Callable[[str], str]) -> list[Finding]:
    by_member: dict[str, list[int]] = {}
    for number in range(groups):
        by_member.setdefault(holders.get(number, ""), []).append(number)
    nobodys = by_member.pop("", [])
    found = [
        Finding("ok", f"lease {name}: {called(who)} has {_listed(numbers)} of {groups} shards")
        for who, numbers in sorted(by_member.items())
    ]
    if nobodys:
        text = f"lease {name}: nobody holds {_listed(nobodys)} of {groups} shards: nothing happens in their namespaces"
        found.append(Finding("wrong", text, "somebody may just have left; else look whether the controllers run"))
    return found


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def unheld(leases: Sequence[Object], number_of: Callable[[int], int], now: float) -> list[tuple[ShardLease, Object]]:
    """The shards that are for an object and that nobody holds; `number_of` gives its shard of so many.

    Empty when somebody holds it in any division there is, or when nothing is divided."""
    found: list[tuple[ShardLease, Object]] = []
    alone = _led_by_one(leases, now)
    for lease in leases:
        shard = lease_names.shard_of(lease["metadata"]["name"])
        if shard is None or shard.number != number_of(shard.groups):
            continue
        if leader(lease, now) or (lease["metadata"].get("namespace", ""), shard.base) in alone:
            return []
        found.append((shard, lease))
    return found
