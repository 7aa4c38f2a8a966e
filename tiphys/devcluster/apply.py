"""Server-side apply: who applied a field owns it; what an owner no longer applies goes, what another owns conflicts.

Ownership is kept in metadata.managedFields. It is recorded for appliers, and for the other writers of an object that
has appliers; objects nobody ever applied carry none, which spares every other write its cost: at the first apply all
that is there belongs to `before-first-apply`, as upstream calls it.
"""

from __future__ import annotations

from typing import Any

import orjson

from runtime.api import ApiError
from runtime.objects import Object
from tiphys.devcluster import errors, fields, metadata
from tiphys.devcluster.fields import Fields, Owner, Owners, Path
from tiphys.devcluster.granularity import Parts, parts_of
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.rest import Rest, WriteOptions, Written
from tiphys.devcluster.storage import Key

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(rest: Rest, kind: Kind, key: Key, body: Any, options: WriteOptions) -> Written:
    """Apply a configuration as `options.manager`; creates the object when absent. Raises Conflict unless forced."""
    if not options.manager:
        cause = errors.required("fieldManager", "is required for apply patch")
        raise errors.invalid("PatchOptions", "meta.k8s.io", "", [cause])
    _check(kind, key, body)
    parts = parts_of(kind)
    wanted = fields.of(body, parts)
    me = Owner(options.manager, "Apply", options.subresource)
    now = metadata.stamp(rest.source.now())
    if (key[0] if kind.resource.namespaced else "", key[1]) not in rest.bucket(kind).records:
        managed = fields.managed_fields({me: wanted}, kind.resource.api_version, now)
        return rest.create(kind, key[0], body, options._replace(managed=managed))
    thing: Object = orjson.loads(rest.read(kind, *key).json)
    owners = fields.owners_of(thing) or _first_owners(thing, parts)
    before = owners.pop(me, fields.EMPTY)
    contested = _contested(thing, body, wanted, owners)
    taken = frozenset(path for _, path in contested)
    if contested and not options.force:
        raise _conflict([(_called(owner, thing["apiVersion"]), path) for owner, path in contested])
    owners = {owner: owned - taken for owner, owned in owners.items()}
    kept = wanted.union(*owners.values()) if owners else wanted
    fields.remove(thing, before - kept)
    owners[me] = wanted
    merged: Object = fields.merge(thing, body, parts)
    merged["metadata"].setdefault("resourceVersion", thing["metadata"]["resourceVersion"])
    if before == wanted and not taken:
        return rest.update(kind, key, merged, options._replace(managed=thing["metadata"].get("managedFields") or []))
    managed = fields.managed_fields(owners, kind.resource.api_version, now)
    return rest.update(kind, key, merged, options._replace(managed=managed))


def _first_owners(thing: Object, parts: Parts) -> Owners:
    """Who owned an object before anybody applied it: all of it is one owner's, under the name that kubectl looks for
    when it takes its own objects over."""
    is_kubectls = LAST_APPLIED in (thing["metadata"].get("annotations") or {})
    name = "kubectl-client-side-apply" if is_kubectls else "before-first-apply"
    return {Owner(name, "Update"): fields.of(thing, parts)}


def _check(kind: Kind, key: Key, body: Any) -> None:
    metadata.check_type(kind, body)
    meta = body["metadata"]
    if meta.setdefault("name", key[1]) != key[1]:
        raise errors.bad_request("the name of the object does not match the name on the URL")
    metadata.check_namespace(kind, body, key[0])
    if meta.pop("managedFields", None):
        raise errors.bad_request("metadata.managedFields must be nil")


def _contested(thing: Object, body: Object, wanted: Fields, owners: Owners) -> list[tuple[Owner, Path]]:
    """(owner, field) of every field that somebody else owns and that would change."""
    found: list[tuple[Owner, Path]] = []
    for owner, owned in owners.items():
        found += [
            (owner, path)
            for path in sorted(owned & wanted)
            if fields.value_at(thing, path) != fields.value_at(body, path)
        ]
    return found


def _called(owner: Owner, api_version: str) -> str:
    """An owner as conflicts name it."""
    through = f' with subresource "{owner.subresource}"' if owner.subresource else ""
    return f'"{owner.manager}"{through}' + (f" using {api_version}" if owner.operation == "Update" else "")


def _conflict(contested: list[tuple[str, Path]]) -> ApiError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": fields.shown(path)}
        for owner, path in contested
    ]
    count = len(causes)
    noun = "conflict" if count == 1 else "conflicts"
    owners = sorted({owner for owner, _ in contested})
    texts = [
        f"{noun} with {owner}: " + ", ".join(fields.shown(path) for who, path in contested if who == owner)
        for owner in owners
    ]
    return errors.failure(409, "Conflict", f"Apply failed with {count} {noun}: {'; '.join(texts)}", {"causes": causes})
