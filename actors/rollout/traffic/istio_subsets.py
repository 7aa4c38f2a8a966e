"""Subsets of a DestinationRule: which pods each side of an update is, by the hash of their template."""

from __future__ import annotations

import copy

from actors.names.podhash import HASH_LABEL
from actors.rollout import wire
from actors.rollout.model import Ro
from actors.rollout.traffic.edit import entries
from actors.rollout.traffic.istio_routes import Parties
from actors.rollout.traffic.protocol import Shift
from runtime.objects import Object


def switched(ro: Ro, rule: Object, who: Parties, shift: Shift) -> Object:
    """The rule with both sides' hashes, a subset for each version of an experiment, and none of experiments past.

    Subsets that the Rollout lists as additional stay as they are."""
    wanted = copy.deepcopy(rule)
    wanted["metadata"].setdefault("annotations", {})[wire.MANAGED_BY] = ro.name
    hashes_of = {who.canary_subset: shift.canary_hash, who.stable_subset: shift.stable_hash}
    hashes_of |= {each.service: each.hash for each in shift.additional}
    kept = []
    for subset in entries(wanted, "spec", "subsets"):
        name = str(subset.get("name"))
        if name in hashes_of:
            kept.append(_marked(subset, hashes_of.pop(name)))
        elif name in who.more_subsets:
            kept.append(subset)
    kept += [
        {"name": each.service, "labels": {HASH_LABEL: each.hash}}
        for each in shift.additional
        if each.service in hashes_of
    ]
    wanted["spec"]["subsets"] = kept
    return wanted


def hashes(rule: Object) -> set[str]:
    """The versions that the rule selects."""
    return {str((subset.get("labels") or {}).get(HASH_LABEL) or "") for subset in entries(rule, "spec", "subsets")}


def without_hashes(rule: Object) -> list[Object]:
    """The subsets as they were before any Rollout wrote a hash into them."""
    return [_marked(subset, "") if subset.get("labels") else subset for subset in entries(rule, "spec", "subsets")]


def _marked(subset: Object, value: str) -> Object:
    labels = {key: text for key, text in (subset.get("labels") or {}).items() if key != HASH_LABEL}
    if value:
        labels[HASH_LABEL] = value
    return {**subset, "labels": labels}
