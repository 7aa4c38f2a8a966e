"""An Event is one sentence about an object, where `kubectl describe` looks; a merge patch is what differs.

An Event's name follows from the object, the reason, what is said, and when, to ten seconds: written twice, it is there
once; said again later, it is told again. Nobody waits for one, and a lost one is lost.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from actors.names.timestamps import rfc3339
from runtime.messages import Create
from runtime.objects import EVENTS, Object, Reference

EVENT = "event"  # tag of commands whose outcome nobody waits for
NAME_MAX = 200
MESSAGE_MAX = 1024  # characters: as much as newer Events may say
SAME_S = 10.0  # a sentence said again within this time is the same Event
COMPONENT = "rollouts-controller"  # what tools that read upstream's Events look for


class Said(NamedTuple):
    """A reason in one word, and the sentence."""

    reason: str
    message: str
    warning: bool = False


def event(about: Reference, said: Said, now: float, component: str = COMPONENT) -> Create:
    """The command that writes an Event about an object."""
    at = rfc3339(now)
    told = about.uid, said.reason, said.message, str(int(now // SAME_S))
    digest = hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]
    thing: Object = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{about.name[:NAME_MAX]}.{digest}", "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": about.resource.api_version,
            "kind": about.resource.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "type": "Warning" if said.warning else "Normal",
        "reason": said.reason,
        "message": said.message[:MESSAGE_MAX],
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    return Create(EVENTS, thing, EVENT)


def difference(old: Any, new: Any) -> Object:
    """The smallest JSON merge patch from one map to another."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            inner = difference(before, value)
            if inner:
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = value
    return patch
