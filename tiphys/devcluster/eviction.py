"""`pods/eviction`: a delete that asks the disruption budget first, and takes from it what it allows.

Who computes a budget's status is a controller; without one nothing is known of the budget, and the answer is 429.
"""

from __future__ import annotations

import orjson

from runtime.api import ApiError
from runtime.objects import Object, Resource
from tiphys.devcluster import deletion, errors
from tiphys.devcluster.deletion import DeleteOptions
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.rest import Rest
from tiphys.devcluster.selectors import selector_matches
from tiphys.devcluster.storage import Key, Record

BUDGET = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudget")  # as messages name it
DISRUPTED_MAX = 2000  # evictions that the budget's controller has not seen yet
RETRY_S = 10
_VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(rest: Rest, key: Key, options: DeleteOptions, pods: Kind, budgets: Kind) -> Object:
    """Delete a pod unless its disruption budget says no. Raises Gone, Throttled (429), Conflict, Unavailable."""
    current = rest.read(pods, *key)
    budget = _budget(rest, current.object, budgets) if _counts(current.object) else None
    if budget is not None and not _is_spare(current.object, budget.object):
        _check(budget.object)
        if not options.dry_run:
            _take(rest, budgets, budget, key[1])
    deletion.check_preconditions(pods, current.object, options)
    if not options.dry_run:
        _mark(rest, pods, current)
        options = options._replace(resource_version="")  # it was right, and the mark has changed it
    rest.delete(pods, key, options)
    return errors.success({}, 201)


def _counts(pod: Object) -> bool:
    """True when the pod's end would be a disruption."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed", "Pending") and "deletionTimestamp" not in pod["metadata"]


def _budget(rest: Rest, pod: Object, budgets: Kind) -> Record | None:
    labels = pod["metadata"].get("labels") or {}
    found = [
        record
        for record in rest.bucket(budgets).in_order(pod["metadata"]["namespace"])
        if labels
        and (record.object.get("spec") or {}).get("selector") is not None
        and selector_matches(record.object["spec"]["selector"], labels)
    ]
    if len(found) > 1:
        why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise errors.failure(500, "", why)
    return found[0] if found else None


def _is_spare(pod: Object, budget: Object) -> bool:
    """True for a pod that is not ready and that the budget does not need."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    wanted = int(status.get("desiredHealthy") or 0)
    return 0 < wanted <= int(status.get("currentHealthy") or 0)


def _check(budget: Object) -> None:
    status, name = budget.get("status") or {}, budget["metadata"]["name"]
    if int(status.get("observedGeneration") or 0) < int(budget["metadata"].get("generation") or 0):
        raise _violated(f"The disruption budget {name} is still being processed by the server.", RETRY_S)
    allowed = int(status.get("disruptionsAllowed") or 0)
    if allowed < 0:
        raise errors.forbidden(BUDGET, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or {}) > DISRUPTED_MAX:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden(BUDGET, name, why)
    if allowed == 0:
        raise _violated(_why(name, status))


def _why(name: str, status: Object) -> str:
    """What the budget needs, in words."""
    conditions = status.get("conditions") or ()
    condition: Object = next((c for c in conditions if c.get("type") == "DisruptionAllowed"), {})
    refusal = condition if condition.get("status") == "False" and condition.get("message") else {}
    wanted, have = int(status.get("desiredHealthy") or 0), int(status.get("currentHealthy") or 0)
    if refusal.get("reason") == "SyncFailed":
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
            f"{refusal['message']}"
        )
    if have <= wanted:
        return f"The disruption budget {name} needs {wanted} healthy pods and has {have} currently"
    because = f" ({refusal.get('reason')}): {refusal['message']}" if refusal else ""
    return f"The disruption budget {name} does not allow evicting pods currently{because}"


def _violated(why: str, retry_s: int = 0) -> ApiError:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_s:
        details["retryAfterSeconds"] = retry_s
    return errors.failure(429, "TooManyRequests", _VIOLATED, details)


def _take(rest: Rest, budgets: Kind, budget: Record, pod: str) -> None:
    """One disruption fewer is allowed, and the controller hears of a pod that is about to go."""
    thing: Object = orjson.loads(budget.json)
    status, now = thing["status"], stamp(rest.source.now())
    status["disruptionsAllowed"] -= 1
    status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: now}
    if status["disruptionsAllowed"] == 0:
        for condition in status.get("conditions") or ():
            if condition["type"] == "DisruptionAllowed" and condition["status"] != "False":
                condition |= {"status": "False", "reason": "InsufficientPods", "lastTransitionTime": now}
    rest.store(budgets, budget, thing)


def _mark(rest: Rest, pods: Kind, current: Record) -> None:
    """The pod says why it goes."""
    thing: Object = orjson.loads(current.json)
    status = thing.setdefault("status", {})
    others = [c for c in status.get("conditions") or () if c.get("type") != "DisruptionTarget"]
    mark = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastProbeTime": None,
        "lastTransitionTime": stamp(rest.source.now()),
    }
    status["conditions"] = [*others, mark]
    rest.store(pods, current, thing)


def check_name(key: Key, eviction: Object) -> None:
    """Raise Refused (400) when the body is about another pod than the path."""
    if errors.part(eviction, "metadata").get("name") != key[1]:
        raise errors.bad_request("name in URL does not match name in Eviction object")
