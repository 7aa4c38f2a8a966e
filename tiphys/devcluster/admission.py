"""What others have to say about a new object: priority classes and limit ranges complete it, quotas may refuse it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from runtime.objects import Object
from tiphys.devcluster import errors
from tiphys.devcluster.amounts import container_amounts, number
from tiphys.devcluster.defaults import requests_like_limits
from tiphys.devcluster.further import LIMIT_RANGES, PRIORITY_CLASSES
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.quotas import Quotas
from tiphys.devcluster.storage import Storage

_LOWER = "PreemptLowerPriority"


class Admission:
    """Asked by every create, before and after an object is defaulted and validated."""

    def __init__(self, storage: Storage, quotas: Quotas) -> None:
        self._classes = storage.bucket(PRIORITY_CLASSES.group, PRIORITY_CLASSES.plural)
        self._ranges = storage.bucket(LIMIT_RANGES.group, LIMIT_RANGES.plural)
        self._quotas = quotas

    def complete(self, kind: Kind, thing: Object) -> None:
        """Fill in, in place, what a new pod leaves to its namespace and its priority class. Raises Refused (403)."""
        if kind.resource.kind != "Pod" or kind.custom:
            return
        spec = thing.get("spec")
        if isinstance(spec, dict):
            self._limit(kind, thing, spec)
            self._rank(kind, thing, spec)

    def allow(self, kind: Kind, thing: Object) -> None:
        """Raise Refused (403) for a new object that a quota has no room for."""
        self._quotas.check(kind, thing)

    # -------------------------------------------------------------------------------------------- priority

    def _rank(self, kind: Kind, pod: Object, spec: Object) -> None:
        name = spec.get("priorityClassName")
        found = self._class(name) if name else self._default_class()
        if name and found is None:
            why = f"no PriorityClass with name {name} was found"
            raise errors.forbidden(kind.resource, _name(pod), why)
        value, policy = (found.get("value") or 0, found.get("preemptionPolicy") or _LOWER) if found else (0, _LOWER)
        if spec.get("priority") not in (None, value):
            raise errors.forbidden(
                kind.resource, _name(pod), _not_yours("integer", "priority", spec["priority"], value)
            )
        if spec.get("preemptionPolicy") not in (None, policy):
            said = spec["preemptionPolicy"]
            raise errors.forbidden(kind.resource, _name(pod), _not_yours("string", "PreemptionPolicy", said, policy))
        spec["priority"], spec["preemptionPolicy"] = value, policy
        if found is not None:
            spec["priorityClassName"] = found["metadata"]["name"]

    def _class(self, name: str) -> Object | None:
        record = self._classes.records.get(("", name))
        return record.object if record is not None else None

    def _default_class(self) -> Object | None:
        """The class of pods that name none: of several, the one of lowest value."""
        chosen = [r.object for r in self._classes.records.values() if r.object.get("globalDefault")]
        return min(chosen, key=lambda thing: thing.get("value") or 0, default=None)

    # -------------------------------------------------------------------------------------------- limits

    def _limit(self, kind: Kind, pod: Object, spec: Object) -> None:
        if not self._ranges.records:
            return
        items = [item for item in self._limits(pod) if item.get("type") == "Container"]
        if not items:
            return
        containers = [c for field in ("initContainers", "containers") for c in spec.get(field) or ()]
        for container in containers:
            requests_like_limits(container)
            for item in items:
                _fill(container, "limits", item.get("default"))
                _fill(container, "requests", item.get("defaultRequest"))
        faults = [fault for c in containers for item in items for fault in _beyond(c, item)]
        if faults:
            why = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
            raise errors.forbidden(kind.resource, _name(pod), why)

    def _limits(self, pod: Object) -> Iterator[Object]:
        for record in self._ranges.in_order(pod["metadata"].get("namespace", "")):
            yield from (record.object.get("spec") or {}).get("limits") or ()


def _name(thing: Object) -> str:
    return str(thing["metadata"].get("name") or "")


def _not_yours(kind: str, field: str, said: Any, value: Any) -> str:
    return (
        f"the {kind} value of {field} ({said}) must not be provided in pod spec; priority admission controller "
        f"computed {value} from the given PriorityClass name"
    )


def _fill(container: Object, field: str, amounts: Any) -> None:
    if amounts:
        resources = container.setdefault("resources", {})
        resources[field] = {**amounts, **(resources.get(field) or {})}


def _beyond(container: Object, item: Object) -> Iterator[str]:
    """What of a container is below the least or above the most that its namespace allows."""
    requests, limits = container_amounts(container, "requests"), container_amounts(container, "limits")
    for name, text in sorted((item.get("min") or {}).items()):
        if name not in requests:
            yield f"minimum {name} usage per Container is {text}. No request is specified"
        elif requests[name] < number(text):
            yield f"minimum {name} usage per Container is {text}, but request is {_said(container, 'requests', name)}"
    for name, text in sorted((item.get("max") or {}).items()):
        if name not in limits:
            yield f"maximum {name} usage per Container is {text}. No limit is specified"
        elif limits[name] > number(text):
            yield f"maximum {name} usage per Container is {text}, but limit is {_said(container, 'limits', name)}"
    for name, text in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        asked = requests.get(name, Fraction(0))
        if not asked or limits.get(name, Fraction(0)) / asked > number(text):
            yield f"{name} max limit to request ratio per Container is {text}, but provided ratio is larger"


def _said(container: Object, field: str, name: str) -> str:
    return str(container["resources"][field][name])
