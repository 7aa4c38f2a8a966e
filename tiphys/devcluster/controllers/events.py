"""Events: one sentence about an object, where `kubectl describe` looks for it."""

from __future__ import annotations

from typing import NamedTuple

from runtime.messages import Create
from runtime.objects import EVENTS, Object, Resource
from tiphys.devcluster.controllers.suffixes import fnv32a
from tiphys.devcluster.metadata import stamp

EVENT_TAG = "event"
"""The tag of commands that write Events: nobody waits for their outcome."""

NAME_MAX = 230


class Said(NamedTuple):
    """A reason in one word, and the sentence."""

    reason: str
    message: str
    warning: bool = False


def event(resource: Resource, about: Object, said: Said, component: str, now: float) -> Create:
    """The command that writes an Event. Its name follows from what is said and when: said twice, it is there once."""
    meta = about["metadata"]
    digest = fnv32a(f"{meta['uid']}\0{said.reason}\0{said.message}\0{now}".encode())
    at = stamp(now)
    thing: Object = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name'][:NAME_MAX]}.{int(now * 1e6):x}{digest:08x}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta.get("resourceVersion", ""),
        },
        "type": "Warning" if said.warning else "Normal",
        "reason": said.reason,
        "message": said.message,
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    return Create(EVENTS, thing, EVENT_TAG)
