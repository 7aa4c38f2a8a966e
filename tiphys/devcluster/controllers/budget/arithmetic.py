"""What a PodDisruptionBudget allows: pods that are healthy, pods that have to be. Pure.

What `minAvailable` and `maxUnavailable` are a part of is what the pods' controllers want, not the pods there are: a
controller that is behind does not make the budget smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.controllers.conditions import Condition, with_condition
from tiphys.devcluster.controllers.deployment.bounds import resolved
from tiphys.devcluster.controllers.podstate import is_ready
from tiphys.devcluster.controllers.times import seconds
from tiphys.devcluster.selectors import selector_matches

DELETION_TIMEOUT_S = 120.0
"""A pod whose eviction was granted counts as gone for so long; then it is believed to stay."""

ALLOWED = "DisruptionAllowed"


class Count(NamedTuple):
    """The pods that are to be there, and how many of them have to be healthy."""

    expected: int
    desired: int


def selects(budget: Object, pod: Object) -> bool:
    """Whether the budget is about the pod; one without a selector is about none."""
    selector = (budget.get("spec") or {}).get("selector")
    return selector is not None and selector_matches(selector, pod["metadata"].get("labels") or {})


def needs_scale(budget: Object) -> bool:
    """Whether what is wished depends on the pods' controllers."""
    spec = budget.get("spec") or {}
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def count(budget: Object, pods: int, scale: int) -> Count:
    """What the budget asks for. Raises ValueError for what is neither a number nor a percentage."""
    spec = budget.get("spec") or {}
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        return Count(scale, max(0, scale - resolved(most, scale, round_up=True)))
    if isinstance(least, str):
        return Count(scale, resolved(least, scale, round_up=True))
    return Count(pods, 0 if least is None else int(least))


def still_disrupted(budget: Object, pods: Mapping[str, Object], now: float) -> dict[str, str]:
    """Pods by name whose eviction was granted and that are about to go: neither marked yet nor waited for too long."""
    granted: dict[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    return {
        name: at
        for name, at in granted.items()
        if name in pods and "deletionTimestamp" not in pods[name]["metadata"] and seconds(at) + DELETION_TIMEOUT_S > now
    }


def healthy(pods: Iterable[Object], disrupted: Mapping[str, str]) -> int:
    """Pods that are ready and stay."""
    return sum(
        1
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and pod["metadata"]["name"] not in disrupted and is_ready(pod)
    )


def status(budget: Object, pods: Iterable[Object], scale: int, now: float) -> Object:
    """The whole status. Raises ValueError as `count` does."""
    named = {pod["metadata"]["name"]: pod for pod in pods}
    disrupted = still_disrupted(budget, named, now)
    wished, have = count(budget, len(named), scale), healthy(named.values(), disrupted)
    allowed = max(0, have - wished.desired) if wished.expected > 0 else 0
    said = Condition(ALLOWED, *(("True", "SufficientPods", "") if allowed else ("False", "InsufficientPods", "")))
    result: Object = {
        "currentHealthy": have,
        "desiredHealthy": wished.desired,
        "expectedPods": wished.expected,
        "disruptionsAllowed": allowed,
        "conditions": _conditions(budget, said, now),
        "observedGeneration": budget["metadata"].get("generation", 1),
    }
    return {**result, "disruptedPods": disrupted} if disrupted else result


def failed(budget: Object, why: str, now: float) -> Object:
    """The status of a budget that cannot be computed: it allows nothing, and says why."""
    zero = dict.fromkeys(("currentHealthy", "desiredHealthy", "expectedPods"), 0)
    said = Condition(ALLOWED, "False", "SyncFailed", why)
    known = budget.get("status") or {}
    return {**zero, **known, "disruptionsAllowed": 0, "conditions": _conditions(budget, said, now)}


def recheck_at(disrupted: Mapping[str, str]) -> float | None:
    """When the first granted eviction is not believed in any more."""
    return min((seconds(at) + DELETION_TIMEOUT_S for at in disrupted.values()), default=None)


def _conditions(budget: Object, said: Condition, now: float) -> list[Object]:
    entries = with_condition(budget.get("status") or {}, said, now)
    generation = budget["metadata"].get("generation", 1)
    return [{**entry, "observedGeneration": generation} if entry["type"] == ALLOWED else entry for entry in entries]
