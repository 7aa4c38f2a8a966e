"""How much of each resource an object takes: what quotas count and limit ranges bound."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeAlias

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, invalid_value, not_supported
from tiphys.devcluster.rules import shown

Amounts: TypeAlias = dict[str, Fraction]

_COUNTED = (  # kinds of the legacy group that quotas know by their bare name too
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
)
_ENDED = ("Succeeded", "Failed")
_BINARY = (("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10))


def number(quantity: object) -> Fraction:
    """What a quantity stands for. Raises ValueError naming it when it is none."""
    from tiphys.devcluster.node.quantity import parse_quantity  # noqa: PLC0415 - the node is much to load, for a number

    return parse_quantity(quantity if isinstance(quantity, str | int | float) else str(quantity))


def written(name: str, amount: Fraction) -> str:
    """An amount as a quantity: bytes by powers of two, parts of a CPU in thousandths."""
    if amount.denominator != 1:
        return f"{-(-amount.numerator * 1000 // amount.denominator)}m"
    if name.endswith(("memory", "storage")) and amount:
        for suffix, bits in _BINARY:
            if amount.numerator % (1 << bits) == 0:
                return f"{amount.numerator >> bits}{suffix}"
    return str(amount.numerator)


def taken(group: str, plural: str, thing: Object) -> Amounts:
    """What one object takes of everything that can be limited."""
    found: Amounts = {f"count/{plural}.{group}" if group else f"count/{plural}": Fraction(1)}
    if group:
        return found
    if plural in _COUNTED:
        found[plural] = Fraction(1)
    if plural == "pods" and (thing.get("status") or {}).get("phase") not in _ENDED:
        found["pods"] = Fraction(1)
        found |= _of_pod(thing.get("spec") or {})
    elif plural == "services":
        found |= _of_service(thing.get("spec") or {})
    elif plural == "persistentvolumeclaims":
        requests = ((thing.get("spec") or {}).get("resources") or {}).get("requests") or {}
        if requests.get("storage"):
            found["requests.storage"] = number(requests["storage"])
    return found


def _of_service(spec: Object) -> Amounts:
    kind, ports = spec.get("type"), Fraction(len(spec.get("ports") or ()))
    found: Amounts = {}
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = Fraction(1)
    if kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False):
        found["services.nodeports"] = ports
    return found


def _of_pod(spec: Object) -> Amounts:
    """Requests and limits: of all containers together, or of the largest init container."""
    found: Amounts = {}
    for prefix, field in (("requests", "requests"), ("limits", "limits")):
        running = _sum(container_amounts(c, field) for c in [*(spec.get("containers") or ()), *_sidecars(spec)])
        for init in spec.get("initContainers") or ():
            for name, amount in container_amounts(init, field).items():
                running[name] = max(running.get(name, Fraction(0)), amount)
        found |= {f"{prefix}.{name}": amount for name, amount in running.items()}
    for name in ("cpu", "memory", "ephemeral-storage"):
        if f"requests.{name}" in found:
            found[name] = found[f"requests.{name}"]
    return found


def _sidecars(spec: Object) -> list[Object]:
    return [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]


def container_amounts(container: Object, field: str) -> Amounts:
    """A container's requests or limits."""
    return {name: number(text) for name, text in ((container.get("resources") or {}).get(field) or {}).items()}


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, Fraction(0)) + amount
    return total


def in_scope(quota: Object, group: str, plural: str, thing: Object) -> bool:
    """True when a quota is about an object like this: those with scopes are about some pods only."""
    spec = quota.get("spec") or {}
    wanted = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    wanted += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not wanted:
        return True
    return (group, plural) == ("", "pods") and all(_in_scope(scope, thing) for scope in wanted)


def _in_scope(scope: Object, pod: Object) -> bool:
    spec, name = pod.get("spec") or {}, scope["scopeName"]
    ends, is_best_effort = spec.get("activeDeadlineSeconds") is not None, not _of_pod(spec)
    if name == "PriorityClass":
        have, values = spec.get("priorityClassName"), scope.get("values") or ()
        if scope.get("operator") in ("In", "NotIn"):
            return bool((have in values) == (scope["operator"] == "In"))
        return bool((have is not None) == (scope.get("operator") != "DoesNotExist"))
    is_so: dict[str, bool] = {
        "Terminating": ends,
        "NotTerminating": not ends,
        "BestEffort": is_best_effort,
        "NotBestEffort": not is_best_effort,
    }
    return is_so.get(name, False)


_SCOPES = ("BestEffort", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating")


def _scope_faults(spec: Object) -> list[Cause]:
    field = "spec.scopeSelector.matchExpressions"
    wanted = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    faults = [
        not_supported(f"{field}[{index}].scopeName", scope.get("scopeName"), _SCOPES)
        for index, scope in enumerate(wanted)
        if scope.get("scopeName") not in _SCOPES
    ]
    scopes = spec.get("scopes") or ()
    return faults + [not_supported("spec.scopes", name, _SCOPES) for name in scopes if name not in _SCOPES]


def quota(new: Object, old: Object | None) -> list[Cause]:
    """What is wrong with a ResourceQuota: amounts that are none."""
    del old
    faults = _scope_faults(new.get("spec") or {})
    for name, amount in ((new.get("spec") or {}).get("hard") or {}).items():
        field = f"spec.hard[{name}]"
        try:
            if number(amount) < 0:
                faults.append(invalid_value(field, shown(amount), "must be greater than or equal to 0"))
        except ValueError as e:
            faults.append(invalid_value(field, shown(amount), str(e)))
    return faults
