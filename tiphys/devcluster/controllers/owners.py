"""Whose is it? Controller references, written and read."""

from __future__ import annotations

from runtime.actor import Route
from runtime.messages import Address, Patch
from runtime.objects import Object, Resource, owner_uid, reference

DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
REPLICA_SETS = Resource("apps/v1", "ReplicaSet", "replicasets")
JOBS = Resource("batch/v1", "Job", "jobs")


def controller_reference(resource: Resource, owner: Object) -> Object:
    """The reference by which `owner` controls an object, and which holds up its foreground deletion."""
    meta = owner["metadata"]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def own_address(room: str) -> Route:
    """The route of objects that are the room's own actors."""

    def route(thing: Object) -> Address:
        meta = thing["metadata"]
        return Address(room, meta["namespace"], meta["name"], meta["uid"])

    return route


def owner_address(room: str, owner: Resource) -> Route:
    """The route of objects to the actor of the `owner` that controls them; of nobody's, to nobody."""
    group = owner.group

    def route(thing: Object) -> Address | None:
        meta = thing["metadata"]
        for entry in meta.get("ownerReferences") or ():
            if entry.get("controller"):
                if entry["kind"] == owner.kind and entry["apiVersion"].rpartition("/")[0] == group:
                    return Address(room, meta["namespace"], entry["name"], entry["uid"])
                return None
        return None

    return route


def adoption(resource: Resource, owner: Object, child_resource: Resource, child: Object) -> Patch:
    """The command by which `owner` takes a child that nobody controls; it fails when the child changed meanwhile."""
    meta = child["metadata"]
    owners = [*(meta.get("ownerReferences") or ()), controller_reference(resource, owner)]
    body = {"metadata": {"ownerReferences": owners, "resourceVersion": meta["resourceVersion"]}}
    return Patch(reference(child_resource, child), body, tag="adopt")


def release(owner: Object, child_resource: Resource, child: Object) -> Patch:
    """The command by which `owner` lets go of a child that its selector no longer matches."""
    meta, uid = child["metadata"], owner["metadata"]["uid"]
    left = [entry for entry in meta.get("ownerReferences") or () if entry["uid"] != uid]
    body = {"metadata": {"ownerReferences": left or None, "resourceVersion": meta["resourceVersion"]}}
    return Patch(reference(child_resource, child), body, tag="release")


def is_controlled(thing: Object) -> bool:
    """Whether somebody controls the object."""
    return bool(owner_uid(thing))
