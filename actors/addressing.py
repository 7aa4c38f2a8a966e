"""Whose business an object is: that of its own actor, or of the object that controls it."""

from __future__ import annotations

from actors.names import analysis_labels as keys
from actors.names.resources import ARGO_API_VERSION
from runtime.actor import Route
from runtime.messages import Address
from runtime.objects import Object

_GROUP = ARGO_API_VERSION.partition("/")[0] + "/"


def own_address(room: str, instance_id: str = "") -> Route:
    """An object is the business of the actor of that very object, when it has the label of this installation.

    With an empty `instance_id`, objects without the label are meant."""

    def route(thing: Object) -> Address | None:
        meta = thing["metadata"]
        if (meta.get("labels") or {}).get(keys.INSTANCE_ID, "") != instance_id:
            return None
        return Address(room, meta.get("namespace", ""), meta["name"], meta["uid"])

    return route


def controlled_by(room: str, kind: str) -> Route:
    """An object is the business of the object of this kind (of argoproj.io) that controls it, in whose room it is."""

    def route(thing: Object) -> Address | None:
        meta = thing["metadata"]
        for owner in meta.get("ownerReferences") or ():
            if owner.get("controller"):
                ours = owner.get("kind") == kind and str(owner.get("apiVersion")).startswith(_GROUP)
                return Address(room, meta.get("namespace", ""), owner["name"], owner["uid"]) if ours else None
        return None

    return route
