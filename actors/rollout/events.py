"""Events about a Rollout. The same may be said more than once of one object, so its name knows when it was said."""

from __future__ import annotations

from actors.kube_events import Said
from actors.kube_events import event as named_event
from runtime.messages import Create
from runtime.objects import Reference


def event(about: Reference, said: Said, now: float) -> Create:
    """The command that writes an Event about a Rollout."""
    command = named_event(about, said, now)
    command.object["metadata"]["name"] += f".{int(now * 1000):x}"
    return command
