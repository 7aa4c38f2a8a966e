"""An object whose actor was put aside says so itself: a Warning among its Events, for whoever looks at it."""

from __future__ import annotations

from hashlib import sha256

from runtime.lease import micro_time
from runtime.lives import Quarantine
from runtime.messages import Create
from runtime.objects import EVENTS, Object, Reference

REASON = "Quarantined"
MESSAGE_MAX = 1000  # characters: the API server takes 1024


def event_of(entry: Quarantine, ref: Reference, reporter: str) -> Create:
    """The Event about the object at `ref`, whose actor is in quarantine."""
    told = "its birth" if entry.message is None else f"a message of type {type(entry.message).__name__}"
    text = (
        f"its actor crashed {entry.attempts} times, the last time on {told} ({entry.error});"
        f" it is left alone for {entry.until - entry.since:.0f} s or until the object changes"
    )
    unique = sha256(f"{ref.uid}/{entry.attempts}/{entry.since}".encode()).hexdigest()[:16]
    at = micro_time(entry.since)
    namespace = ref.namespace or "default"
    thing: Object = {
        "metadata": {"name": f"{ref.name[:200]}.{unique}", "namespace": namespace},
        "type": "Warning",
        "reason": REASON,
        "action": REASON,
        "message": text[:MESSAGE_MAX],
        "eventTime": at,
        "reportingComponent": reporter,
        "reportingInstance": reporter,
        "source": {"component": reporter},
        "firstTimestamp": f"{at[:19]}Z",
        "lastTimestamp": f"{at[:19]}Z",
        "count": 1,
        "involvedObject": {
            "apiVersion": ref.resource.api_version,
            "kind": ref.resource.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
        },
    }
    return Create(EVENTS, thing)
