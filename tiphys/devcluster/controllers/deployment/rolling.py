"""A rolling update, one step: up with the new set as far as surge allows, down with the old ones as availability does.

One rule is stricter than upstream's, in time and not in result: a set counts with the pods it still has when it was
told to have fewer, so that the surge holds for pods and not only for wishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.controllers.deployment.bounds import Bounds


class SetCounts(NamedTuple):
    """What matters of one replica set."""

    name: str
    wished: int  # spec.replicas
    existing: int  # status.replicas
    available: int  # status.availableReplicas

    @property
    def pods(self) -> int:
        """How many pods it has or will have, at most."""
        return max(self.wished, self.existing)


def counts_of(replica_set: Object) -> SetCounts:
    """The counts as a ReplicaSet has them."""
    status = replica_set.get("status") or {}
    existing, available = status.get("replicas") or 0, status.get("availableReplicas") or 0
    return SetCounts(replica_set["metadata"]["name"], int(replica_set["spec"]["replicas"]), existing, available)


def new_replicas(wished: int, limits: Bounds, new: int, pods: int) -> int:
    """How many pods the new set shall have, given the `pods` of all sets together (its own `new` among them)."""
    if new >= wished:
        return wished
    room = wished + limits.surge - pods
    return new + min(room, wished - new) if room > 0 else new


def old_replicas(wished: int, limits: Bounds, new: SetCounts | None, old: Sequence[SetCounts]) -> dict[str, int]:
    """The old sets (oldest first) that shall have fewer pods now, and how many.

    First those pods go that are not available anyway, then available ones, never below what must stay."""
    must_stay = wished - limits.unavailable
    new_wished, new_serving = (new.wished, new.available) if new is not None else (0, 0)
    spare = sum(each.wished for each in old) + new_wished - must_stay - (new_wished - new_serving)
    left = {each.name: each.wished for each in old}
    if spare <= 0:
        return {}
    for each in old:
        broken = min(spare, each.wished - each.available)
        left[each.name] -= broken
        spare -= broken
    serving = sum(each.available for each in old) + new_serving
    surplus = max(serving - must_stay, 0)
    for each in old:
        fewer = min(left[each.name], surplus)
        left[each.name] -= fewer
        surplus -= fewer
    return {each.name: left[each.name] for each in old if left[each.name] != each.wished}
