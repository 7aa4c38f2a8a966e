"""What is written back into the spec: a Rollout says what its controller reads, so every client can read it.

A client in Go refuses a whole list of Rollouts for one malformed quantity in any of them. Here such a value counts for
nothing, in the hash and in the pods, so it is taken out of the object, too; a missing number of replicas is 1.
"""

from __future__ import annotations

from typing import Any, Final

from actors.names.quantities import amount
from actors.rollout.model import Ro
from runtime.objects import Object

CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
AMOUNTS: Final = ("limits", "requests")


def write_back(ro: Ro) -> Object:
    """The merge patch that is due; empty when none is.

    A list is patched as a whole, so it names the version it was read from: somebody's newer image is not undone."""
    spec: Object = {} if ro.spec.get("replicas") is not None else {"replicas": ro.replicas}
    pods = ((ro.spec.get("template") or {}).get("spec") or {}) if not ro.is_resolved else {}
    lists = {name: readable for name in CONTAINERS if (readable := _without_malformed(pods.get(name))) is not None}
    if lists:
        spec["template"] = {"spec": lists}
        return {"metadata": {"resourceVersion": ro.meta["resourceVersion"]}, "spec": spec}
    return {"spec": spec} if spec else {}


def _without_malformed(containers: Any) -> list[Any] | None:
    """The containers without malformed quantities; None when they have none."""
    if not isinstance(containers, list):
        return None
    found = [_readable(each) for each in containers]
    return found if any(one is not other for one, other in zip(found, containers, strict=True)) else None


def _readable(container: Any) -> Any:
    resources = container.get("resources") if isinstance(container, dict) else None
    if not isinstance(resources, dict):
        return container
    kept = {name: value if name not in AMOUNTS else _amounts(value) for name, value in resources.items()}
    return container if kept == resources else {**container, "resources": kept}


def _amounts(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        return {}
    return {name: text for name, text in value.items() if _is_quantity(text)}


def _is_quantity(text: Any) -> bool:
    try:
        amount(str(text))
    except ValueError:
        return False
    return True
