"""Metadata is the server's: what a client sends of it is taken where it may say something, and kept otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.devcluster import errors, rules
from tiphys.devcluster.errors import Cause
from tiphys.devcluster.kinds import Kind

NAMES_DRAWN = 8  # as often as Kubernetes draws before it answers AlreadyExists
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no generated name is a word
SUFFIX_LENGTH = 5
GENERATED_BASE_MAX = 58  # so that the whole name stays a label


class Source(NamedTuple):
    """Where time and new names come from."""

    now: Callable[[], float]  # seconds since the epoch
    random: Random

    def uid(self) -> str:
        """A new UUID, version 4."""
        bits = self.random.getrandbits(128) & ~(0xF << 76) | (4 << 76)
        text = f"{bits & ~(0x3 << 62) | (0x2 << 62):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def suffix(self) -> str:
        """Five characters that make a name new."""
        return "".join(self.random.choice(_SUFFIX) for _ in range(SUFFIX_LENGTH))


def stamp(at: float) -> str:
    """A moment as Kubernetes writes it: UTC, whole seconds."""
    return _second(int(at))


@lru_cache(maxsize=16)  # all that is created within a second is written alike
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def check_type(kind: Kind, thing: Any) -> None:
    """Raise 400 unless the body is an object of this kind (an absent apiVersion or kind is filled in)."""
    if not isinstance(thing, dict):
        raise errors.bad_request("the body of the request is not an object")
    resource = kind.resource
    api_version = thing.setdefault("apiVersion", resource.api_version)
    name = thing.setdefault("kind", resource.kind)
    if name != resource.kind:
        if kind.custom:
            raise errors.bad_request(f"{name} in version {api_version!r} cannot be handled as a {resource.kind}")
        group = resource.group.partition(".")[0] or "core"
        raise errors.bad_request(
            f'{name} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {resource.kind}: '
            f"converting ({api_version.replace('/', '.')}.{name}) to ({group}.{resource.kind}): unknown conversion"
        )
    if api_version != resource.api_version:
        raise errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if thing.get("metadata") is None:
        thing["metadata"] = {}
    if not isinstance(thing["metadata"], dict):
        raise errors.bad_request(f"{resource.kind}: metadata must be an object")


def check_namespace(kind: Kind, thing: Object, namespace: str) -> None:
    """Take the namespace of the request. Raises 400 when the object says another one."""
    meta = thing["metadata"]
    if not kind.resource.namespaced:
        meta.pop("namespace", None)
        return
    if meta.get("namespace") and meta["namespace"] != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta["namespace"] = namespace


def begin(kind: Kind, thing: Object, source: Source, taken: Callable[[str], bool] = lambda _: False) -> None:
    """Give a new object its name, uid, time and first generation. A generated name that is `taken` is drawn anew."""
    meta = thing["metadata"]
    if meta.get("resourceVersion"):
        raise errors.bad_request("resourceVersion should not be set on objects to be created")
    if not meta.get("name") and meta.get("generateName"):
        base = str(meta["generateName"])[:GENERATED_BASE_MAX]
        drawn = (base + source.suffix() for _ in range(NAMES_DRAWN))
        meta["name"] = next((name for name in drawn if not taken(name)), None) or base + source.suffix()
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink", "managedFields"):
        meta.pop(field, None)
    meta["uid"] = source.uid()
    meta["creationTimestamp"] = stamp(source.now())
    if kind.counts_generation:
        meta["generation"] = 1
    else:
        meta.pop("generation", None)
    tidy(thing, custom=kind.custom)


def tidy(thing: Object, *, custom: bool) -> None:
    """Drop empty metadata, nulls, and (in built-in kinds) empty maps at the top, as typed decoding does."""
    meta = thing["metadata"]
    for field in [field for field, value in meta.items() if value is None or value in ({}, [], "")]:
        del meta[field]
    if custom:
        return
    for field in ("data", "binaryData", "stringData"):
        if field in thing and not thing[field]:
            del thing[field]


def faults(kind: Kind, thing: Object) -> list[Cause]:
    """What is wrong with the metadata of an object of this kind."""
    meta = thing["metadata"]
    name = meta.get("name") or ""
    if not name:
        found = [errors.required("metadata.name", "name or generateName is required")]
    else:
        found = rules.name_faults(name, kind.name_rule)
    found += rules.label_faults(meta.get("labels"))
    found += rules.annotation_faults(meta.get("annotations"))
    if any(not isinstance(finalizer, str) for finalizer in meta.get("finalizers") or ()):
        why = "must be a list of names"
        found.append(errors.invalid_value("metadata.finalizers", rules.shown(meta["finalizers"]), why))
    return found + _owner_faults(meta.get("ownerReferences") or ())


_OWNER_NEEDS = (
    ("apiVersion", "version must not be empty"),
    ("kind", "must not be empty"),
    ("name", "must not be empty"),
    ("uid", "must not be empty"),
)


def _owner_faults(owners: Sequence[Object]) -> list[Cause]:
    """What is wrong with the owners: each is named whole, and one of them is the controller at most."""
    field, controller = "metadata.ownerReferences", ""
    found: list[Cause] = []
    for owner in owners:
        found += [
            errors.invalid_value(f"{field}.{name}", '""', why) for name, why in _OWNER_NEEDS if not owner.get(name)
        ]
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            why = "/v1, Kind=Event is disallowed from being an owner"
            found.append(errors.invalid_value(field, rules.shown(owner), why))
        if owner.get("controller"):
            this = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                why = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {this}'
                )
                found.append(errors.invalid_value(field, rules.shown(owners), why))
            controller = controller or this
    return found


def check_replacement(kind: Kind, new: Object, old: Object) -> None:
    """Raise Conflict when the new object was computed from another state, or another object, of that name."""
    resource, meta, stored = kind.resource, new["metadata"], old["metadata"]
    name = stored["name"]
    if meta.get("uid") and meta["uid"] != stored["uid"]:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {stored['uid']}"
        raise errors.conflict(resource, name, why)
    if meta.get("resourceVersion") and str(meta["resourceVersion"]) != stored["resourceVersion"]:
        raise errors.conflict(resource, name)


def carry_over(kind: Kind, new: Object, old: Object) -> list[Cause]:
    """Keep what no client may change; returns what it may not have tried."""
    meta, stored = new["metadata"], old["metadata"]
    for field in (
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
        "resourceVersion",
    ):
        if field in stored:
            meta[field] = stored[field]
        else:
            meta.pop(field, None)
    meta.pop("selfLink", None)
    tidy(new, custom=kind.custom)
    added = [f for f in meta.get("finalizers") or () if f not in (stored.get("finalizers") or ())]
    if "deletionTimestamp" in stored and added:
        why = f"no new finalizers can be added if the object is being deleted, found new finalizers {added!r}"
        return [errors.forbidden_value("metadata.finalizers", why)]
    return []


def count_generation(kind: Kind, new: Object, old: Object) -> None:
    """One more when anything but metadata (and status, where that is a subresource) has changed."""
    if not kind.counts_generation:
        return
    skipped = {"metadata", "status"} if kind.has_status else {"metadata"}
    fields = (set(new) | set(old)) - skipped
    if any(new.get(field) != old.get(field) for field in fields):
        new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1
