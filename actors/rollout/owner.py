"""The reference by which a Rollout owns what it creates."""

from __future__ import annotations

from actors.rollout import wire
from actors.rollout.model import Ro
from runtime.objects import Object


def owner(ro: Ro) -> Object:
    """The controller's reference of a Rollout."""
    return {
        "apiVersion": wire.ROLLOUTS.api_version,
        "kind": wire.ROLLOUTS.kind,
        "name": ro.name,
        "uid": ro.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
