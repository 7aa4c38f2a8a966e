"""How many pods should the new and the stable version have? Plain arithmetic on numbers.

`surge` is how many pods there may be beyond the wished number, `unavailable` how many may be missing. A basic canary
realises its weight by pods alone; a routed one has pods for the traffic that it gets.
"""

from __future__ import annotations

from math import ceil, modf
from typing import Final, NamedTuple

DEFAULT_FENCE: Final = "25"
"""What maxSurge and maxUnavailable are when nothing is said: any text counts as a percentage."""


class Fence(NamedTuple):
    """Between which numbers of pods an update stays."""

    surge: int
    unavailable: int


class Size(NamedTuple):
    """What a ReplicaSet is told to have, and how many of its pods are available."""

    wished: int = 0
    available: int = 0


class Counts(NamedTuple):
    """Pods of the new (canary) and of the stable version."""

    canary: int
    stable: int


def amount(value: int | str, wished: int, *, round_up: bool) -> int:
    """A number of pods, or a percentage of the wished number. Raises ValueError for text that is neither."""
    if not isinstance(value, str):
        return value
    percent = int(value.removesuffix("%"))
    return -(-percent * wished // 100) if round_up else percent * wished // 100


def fence(surge: int | str | None, unavailable: int | str | None, wished: int) -> Fence:
    """The fence of an update of `wished` pods: surge rounds up, unavailable down, and both are never 0."""
    above = amount(DEFAULT_FENCE if surge is None else surge, wished, round_up=True)
    below = amount(DEFAULT_FENCE if unavailable is None else unavailable, wished, round_up=False)
    if above == 0 and below == 0:
        below = 1
    return Fence(above, min(below, wished))


def for_weight(replicas: int, weight: int, most: int) -> int:
    """Pods for a share of the traffic, rounded up."""
    return ceil(weight * replicas / most)


def approximate(wished: int, weight: int, most: int, surge: int) -> Counts:
    """The numbers of pods that come nearest to a weight, without a router.

    With a weight between the extremes and more than one pod neither side is left without any."""
    if wished == 0:
        return Counts(0, 0)
    up, down = ceil(wished * weight / most), wished * weight // most
    may_be_none = weight in (0, most) or (wished == 1 and surge == 0)
    options = []
    if up < wished or may_be_none:
        options.append((up, wished))
    if (not _is_tie(weight, most, wished) or (surge == 0 and not options)) and (down or may_be_none):
        options.append((down, wished))
    if surge > 0:
        options.append((up, wished + 1))
        if not _is_tie(weight, most, wished + 1) and (down or may_be_none):
            options.append((down, wished + 1))
    if not options:
        return Counts(0, wished)
    canary, total = min(options, key=lambda option: abs(option[0] * most / option[1] - weight))
    return Counts(canary, total - canary)


def _is_tie(weight: int, most: int, total: int) -> bool:
    """Whether rounding up and down are equally far from the weight; then up wins."""
    return modf(total * (weight / most))[0] == 0.5


class Basic(NamedTuple):
    """What a basic canary is decided from. `stable` is None when there is no other version than the new one."""

    wished: int
    fence: Fence
    target: Counts
    canary: Size | None
    stable: Size | None
    older: int = 0  # pods that all other ReplicaSets are told to have


def basic(now: Basic) -> Counts:
    """What both sides should have next on the way to the target: one move that stays inside the fence.

    The older ReplicaSets go first; then room above is used, stable first; then the side that is to shrink gives what
    availability permits."""
    target = now.target if now.stable is not None else Counts(now.wished, 0)
    canary = now.canary.wished if now.canary is not None else 0
    stable = now.stable.wished if now.stable is not None else 0
    room = now.wished + now.fence.surge - canary - stable - now.older
    if now.stable is not None and stable < target.stable and room > 0:
        grown = min(stable + room, target.stable)
        room, stable = room - (grown - stable), grown
    if now.canary is not None and canary < target.canary and room > 0:
        canary = min(canary + room, target.canary)
    if now.older > 0:
        return Counts(canary, stable)
    return _shrink(now, target, Counts(canary, stable))


def _shrink(now: Basic, target: Counts, reached: Counts) -> Counts:
    least = now.wished - now.fence.unavailable
    grows = now.canary is None or target.canary >= now.canary.wished
    budget = _usable(now.canary, ignored=not grows) + _usable(now.stable, ignored=grows) - least
    if budget <= 0:
        return reached
    most = now.wished + now.fence.surge
    if not grows:
        drained = _drain(now.canary, target.canary, budget, reached.canary)
        canary, stable = _clamp(_Pair(now.canary, now.stable), Counts(drained, reached.stable), most, least)
        return Counts(canary, stable)
    if now.stable is None:
        return reached
    drained = _drain(now.stable, target.stable, budget, reached.stable)
    stable, canary = _clamp(_Pair(now.stable, now.canary), Counts(drained, reached.canary), most, least)
    return Counts(canary, stable)


def _usable(size: Size | None, *, ignored: bool) -> int:
    """Pods that count as serving. Those of the side that shrinks may be broken, and are then the first to go."""
    if size is None:
        return 0
    return size.wished if ignored or size.wished < size.available else size.available


def _drain(size: Size | None, target: int, budget: int, reached: int) -> int:
    if size is not None and size.wished > target:
        return max(target, size.wished - budget)
    return reached


class _Pair(NamedTuple):
    """The side that is drained, and the other."""

    drained: Size | None
    other: Size | None


def _clamp(sizes: _Pair, counts: Counts, most: int, least: int) -> tuple[int, int]:
    """Both numbers again, so that together they stay inside the fence: (drained, other)."""
    drained, other = counts
    if sizes.other is None:
        return drained, other
    serving = min(sizes.drained.available, drained) if sizes.drained is not None else 0
    other -= max(0, other + drained - most)
    serving += min(sizes.other.available, other)
    lost = max(0, sizes.other.available - other)
    other += min(lost, max(0, least - serving))
    return drained - max(0, other + drained - most), other


class Routed(NamedTuple):
    """What a routed canary is decided from. `scale`: pods that setCanaryScale asks for."""

    wished: int
    weight: int
    most: int = 100
    scale: int | None = None
    floor: int | None = None  # minPodsPerReplicaSet
    dynamic: bool = False  # stable shrinks as the canary grows
    aborted: bool = False
    actual: Counts | None = None  # the weights that the router has been told


def routed(now: Routed) -> Counts:
    """What both sides of a routed canary should have."""
    canary = now.scale
    if canary is None:
        canary = _floored(for_weight(now.wished, now.weight, now.most), now.floor, now.wished)
    if not now.dynamic:
        return Counts(canary, now.wished)
    stable = for_weight(now.wished, now.most - now.weight, now.most)
    if now.actual is not None:
        stable = max(stable, for_weight(now.wished, now.actual.stable, now.most))
        if now.aborted:
            canary = max(canary, for_weight(now.wished, now.actual.canary, now.most))
    return Counts(_floored(canary, now.floor, now.wished), _floored(stable, now.floor, now.wished))


def _floored(count: int, floor: int | None, wished: int) -> int:
    return count if count == 0 or floor is None else max(count, min(floor, wished))


def threshold_met(kind: str, value: int | None, size: Size | None, wished: int) -> bool:
    """Whether so many pods are available that the canary counts as scaled to `wished`."""
    if value is None or size is None or value < 0:
        return size is not None and size.wished == wished == size.available
    if kind in ("Percent", "Percentage"):
        return wished == 0 or size.available / wished * 100 >= value - 1e-10
    return size.available >= value


class Setback(NamedTuple):
    """What the weight of a dynamically scaled canary is decided from while it is aborted."""

    wished: int
    most: int
    step_weights: tuple[int, ...]  # of all setWeight steps, in order
    stable_available: int
    canary_available: int
    canary_stays: bool  # abortScaleDownDelaySeconds keeps it at its size
    floor: int | None = None  # minPodsPerReplicaSet: no smaller weight makes the canary smaller


def setback_weight(now: Setback) -> int:
    """The next lower setWeight that stable can take the rest of; 0 when there is none."""
    missing = now.wished - now.stable_available
    needed = missing if now.canary_stays else max(missing, now.canary_available)
    for weight in reversed(now.step_weights):
        if _floored(for_weight(now.wished, weight, now.most), now.floor, now.wished) < needed:
            return weight
    return 0
