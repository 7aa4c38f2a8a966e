"""Pods of the new version keep away from nodes with pods of the stable one, when the strategy asks for it.

The rule is injected into the ReplicaSet's template only, so it is no part of the hash. It stays when the version is
promoted: taking it away would change nothing for the pods that run.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from actors.rollout import wire
from actors.rollout.model import Ro
from runtime.objects import Object

PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def wish(ro: Ro) -> Object | None:
    """What the strategy says about nodes; None when nothing."""
    found = (ro.canary or {}).get("antiAffinity") or (ro.blue_green or {}).get("antiAffinity")
    if found and (found.get(PREFERRED) is not None or found.get(REQUIRED) is not None):
        return dict(found)
    return None


def _kind(ro: Ro) -> str:
    return PREFERRED if (wish(ro) or {}).get(PREFERRED) is not None else REQUIRED


def for_new(ro: Ro) -> Any:
    """The affinity of the new ReplicaSet's template; None when it has none."""
    found = copy.deepcopy((ro.template.get("spec") or {}).get("affinity"))
    asked = wish(ro)
    if asked is None or not ro.stable_hash or ro.stable_hash == ro.template_hash:
        return found
    found = found or {}
    rules = found.setdefault("podAntiAffinity", {})
    term: Object = {
        "labelSelector": {"matchExpressions": [{"key": wire.HASH, "operator": "In", "values": [ro.stable_hash]}]},
        "namespaces": [ro.namespace],
        "topologyKey": "kubernetes.io/hostname",
    }
    if _kind(ro) == PREFERRED:
        term = {"weight": asked[PREFERRED]["weight"], "podAffinityTerm": term}
    rules.setdefault(_kind(ro), []).append(term)
    return found


def _injected(ro: Ro, affinity: Any) -> tuple[int, list[str]] | None:
    """Where the injected rule is, and which hashes it names."""
    if wish(ro) is None or not affinity:
        return None
    kind = _kind(ro)
    for index, entry in enumerate((affinity.get("podAntiAffinity") or {}).get(kind) or ()):
        term = entry.get("podAffinityTerm") or {} if kind == PREFERRED else entry
        for each in (term.get("labelSelector") or {}).get("matchExpressions") or ():
            if each["key"] == wire.HASH:
                return index, list(each.get("values") or ())
    return None


def without_injected(ro: Ro, affinity: Any) -> Any:
    """The affinity as the author wrote it; None when nothing is left."""
    place = _injected(ro, affinity)
    if place is None:
        return affinity
    found = copy.deepcopy(affinity)
    rules = found["podAntiAffinity"]
    del rules[_kind(ro)][place[0]]
    if not rules[_kind(ro)]:
        del rules[_kind(ro)]
    if not rules:
        del found["podAntiAffinity"]
    return found or None


def is_outdated(ro: Ro, affinity: Any) -> bool:
    """Whether the injected rule names another version than the one that is stable now."""
    place = _injected(ro, affinity)
    if place is None or ro.stable_hash == ro.template_hash or not place[1]:
        return False
    return place[1][0] != ro.stable_hash
