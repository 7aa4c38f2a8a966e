"""Whose are the ReplicaSets? Those that nobody controls and the selector matches are taken, strangers are let go."""

from __future__ import annotations

import re
from typing import Final

from actors.rollout import wire
from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.podcheck import matches
from actors.rollout.state import RolloutState
from runtime.messages import Command, Patch
from runtime.objects import Object, reference

_LABEL: Final = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)


def selection(rollout: Object) -> str:
    """The label selector of a list with all ReplicaSets that may be its; what is no label there is left out."""
    labels = Ro(rollout).selector.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items()) if _LABEL.fullmatch(key) and _is_value(value)]
    return ",".join([wire.HASH, *terms])


def _is_value(text: str) -> bool:
    return "/" not in text and _LABEL.fullmatch(text) is not None


def claims(state: RolloutState) -> list[Command]:
    """The adoptions and releases that are due; orphans that do not match are forgotten.

    A Rollout without a selector of its own (that of a workload is used) takes nothing and lets nothing go."""
    assert state.object is not None
    ro = Ro(state.object)
    commands: list[Command] = []
    for uid, orphan in list(state.orphans.items()):
        del state.orphans[uid]
        if ro.selector and "deletionTimestamp" not in ro.meta and _is_for(ro, orphan):
            owners = [*(orphan["metadata"].get("ownerReferences") or ()), owner(ro)]
            commands.append(_patch(orphan, owners, "adopt"))
    for one in state.sets.values() if ro.selector else ():
        if not matches(ro.selector, one["metadata"].get("labels") or {}):
            owners = [each for each in one["metadata"].get("ownerReferences") or () if each["uid"] != ro.uid]
            commands.append(_patch(one, owners or None, "release"))
    return commands


def _is_for(ro: Ro, orphan: Object) -> bool:
    labels = orphan["metadata"].get("labels") or {}
    return wire.HASH in labels and matches(ro.selector, labels)


def _patch(one: Object, owners: list[Object] | None, tag: str) -> Patch:
    body = {"metadata": {"ownerReferences": owners, "resourceVersion": one["metadata"]["resourceVersion"]}}
    return Patch(reference(wire.REPLICA_SETS, one), body, tag=tag)
