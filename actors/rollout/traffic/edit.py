"""How a router changes an object that belongs to somebody else: only what has to be, and only as it was last seen."""

from __future__ import annotations

from typing import Any

from actors.kube_events import difference
from actors.rollout.model import Ro
from runtime.messages import Patch
from runtime.objects import Object, Resource, reference


def edited(resource: Resource, known: Object, wanted: Object) -> Patch | None:
    """The patch from one state to another, refused by the server when somebody wrote in between; None: no change."""
    body = difference(known, wanted)
    if not body:
        return None
    version = known["metadata"].get("resourceVersion")
    if version:
        body["metadata"] = {**(body.get("metadata") or {}), "resourceVersion": version}
    return Patch(reference(resource, known), body)


def managed_names(ro: Ro) -> list[str]:
    """The routes that the Rollout may add and take away, in order of precedence."""
    return [str(each["name"]) for each in (ro.routing or {}).get("managedRoutes") or ()]


def settings(ro: Ro, key: str) -> Object:
    """What `trafficRouting` says for a router."""
    found: Object = (ro.routing or {}).get(key) or {}
    return found


def entries(holder: Any, *path: str) -> list[Object]:
    """The objects of a list deep in an object; none where it is not there."""
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return [each for each in holder if isinstance(each, dict)] if isinstance(holder, list) else []
