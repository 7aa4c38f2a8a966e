"""What a finished pod used, in seconds of standard units: amounts requested times the time containers ran (RDUR-1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from actors.names.timestamps import seconds

_BASES = {
    "memory": Decimal(100 * 2**20),
    "storage": Decimal(10 * 2**30),
    "ephemeral-storage": Decimal(10 * 2**30),
}
_DEFAULTS = {"cpu": "100m", "memory": "100Mi"}
_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?|[+-]?[0-9]+\.)([numkMGTPE]?i?)", re.ASCII)


def resources_duration(pod: Mapping[str, Any]) -> dict[str, int]:
    """Resource name to whole seconds of its base unit, over all containers; of one that has not ended they are none."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    shared = spec.get("resources") or {}  # of the whole pod: counted once, with the first container that has none
    total: dict[str, int] = {}
    for kind, states in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        ended = {entry.get("name"): entry for entry in status.get(states) or ()}
        for entry in spec.get(kind) or ():
            ran = _ran_s(ended.get(entry.get("name")) or {})
            own = entry.get("resources") or {}
            if shared and not any(own.get(side) for side in ("limits", "requests")):
                own, shared = shared, {}
            for name, amount in _amounts(own).items():
                total[name] = total.get(name, 0) + int(amount / _BASES.get(name, Decimal(1)) * ran)
    return total


def quantity(text: Any) -> Decimal | None:
    """A Kubernetes quantity as a number: `100m`, `1.5Gi`, `1e3`; None for anything else."""
    return _read(str(text))


@lru_cache(maxsize=1024)  # thousands of pods ask for the same
def _read(text: str) -> Decimal | None:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in _SUFFIXES:
        return None
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def _amounts(resources: Mapping[str, Any]) -> Mapping[str, Decimal]:
    return _requested(resources) if resources else _ASSUMED


def _requested(resources: Mapping[str, Any]) -> dict[str, Decimal]:
    written = {**_DEFAULTS, **(resources.get("limits") or {}), **(resources.get("requests") or {})}
    read = {name: quantity(text) for name, text in written.items()}
    return {name: amount for name, amount in read.items() if amount is not None}


_ASSUMED = _requested({})  # of whoever asks for nothing


def _ran_s(entry: Mapping[str, Any]) -> Decimal:
    ended = (entry.get("state") or {}).get("terminated") or {}
    try:
        return Decimal(max(seconds(ended.get("finishedAt") or "") - seconds(ended.get("startedAt") or ""), 0.0))
    except ValueError:
        return Decimal(0)  # never started
