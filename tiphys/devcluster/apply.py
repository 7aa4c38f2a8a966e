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
from tiphys.devcluster import applyshape, errors, fields, metadata, rules
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
    wanted = _ownable(kind, options, fields.of(body, parts))
    me = Owner(options.manager, "Apply", options.subresource)
    now = metadata.stamp(rest.source.now())
    if (key[0] if kind.resource.namespaced else "", key[1]) not in rest.bucket(kind).records:
        managed = fields.managed_fields({me: wanted}, kind.resource.api_version, now)
        body["metadata"].pop("resourceVersion", None)  # of an object that is not there any more
        return rest.create(kind, key[0], body, options._replace(managed=managed))
    thing: Object = orjson.loads(rest.read(kind, *key).json)
    _check_uid(kind, thing, body)
    owners = fields.owners_of(thing) or _first_owners(thing, parts)
    before = owners.pop(me, fields.EMPTY)
    contested = _contested(thing, body, wanted, owners)
    taken = frozenset(path for _, path in contested)
    if contested and not options.force:
        raise _conflict([(_called(owner, thing["apiVersion"]), path) for owner, path in contested])
    owners = {owner: owned - taken for owner, owned in owners.items()}
    kept = wanted.union(*owners.values()) if owners else wanted
    fields.remove(thing, _given_up(before, kept))
    owners[me] = wanted
    merged: Object = fields.merge(thing, body, parts)
    merged["metadata"].setdefault("resourceVersion", thing["metadata"]["resourceVersion"])
    if before == wanted and not taken:
        return rest.update(kind, key, merged, options._replace(managed=thing["metadata"].get("managedFields") or []))
    managed = fields.managed_fields(owners, kind.resource.api_version, now)
    return rest.update(kind, key, merged, options._replace(managed=managed))


def _ownable(kind: Kind, options: WriteOptions, wanted: Fields) -> Fields:
    """The fields that a write by this path can set at all: the others are set back, and belong to nobody."""
    others: tuple[str, ...]
    if options.subresource == "status":
        others = ("f:spec", "f:metadata") if kind.custom else ("f:spec",)
    else:
        others = ("f:status",) if kind.has_status else ()
    return frozenset(path for path in wanted if path[0] not in others)


def _given_up(before: Fields, kept: Fields) -> Fields:
    """The fields that go as nobody owns them any more: an empty map stays for what others have put into it since."""
    inner = {path[:length] for path in kept for length in range(1, len(path))}
    return frozenset(path for path in before - kept if path not in inner)


def _check_uid(kind: Kind, thing: Object, body: Object) -> None:
    said, name = body["metadata"].get("uid"), thing["metadata"]["name"]
    if said and said != thing["metadata"]["uid"]:
        cause = errors.invalid_value("metadata.uid", rules.shown(said), "field is immutable")
        raise errors.invalid(kind.resource.kind, kind.resource.group, name, [cause])


def _first_owners(thing: Object, parts: Parts) -> Owners:
    """Who owned an object before anybody applied it: all of it is one owner's, under the name that kubectl looks for
    when it takes its own objects over."""
    is_kubectls = LAST_APPLIED in (thing["metadata"].get("annotations") or {})
    name = "kubectl-client-side-apply" if is_kubectls else "before-first-apply"
    return {Owner(name, "Update"): fields.of(thing, parts)}


def _check(kind: Kind, key: Key, body: Any) -> None:
    """In the order in which a real server asks: the type, who owns what, the shape, and only then whose it is."""
    if not isinstance(body, dict):
        have = {str: "string", bool: "bool", int: "number", float: "number"}.get(type(body), "array")
        why = f"json: cannot unmarshal {have} into Go value of type map[string]interface {{}}"
        raise errors.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    _check_type(kind, body)
    metadata.check_type(kind, body)
    meta = body["metadata"]
    if meta.pop("managedFields", None):
        raise errors.bad_request("metadata.managedFields must be nil")
    _check_shape(kind, body)
    metadata.check_namespace(kind, body, key[0])
    if meta.setdefault("name", key[1]) != key[1]:
        raise errors.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({key[1]})"
        )


def _check_type(kind: Kind, body: Object) -> None:
    said = body.get("apiVersion", ""), body.get("kind", "")
    if said != (kind.resource.api_version, kind.resource.kind):
        raise errors.bad_request(f"invalid object type: {_full_kind(*said)}")


def _full_kind(api_version: Any, kind: Any) -> str:
    """A kind as Go prints it: the core group is empty before its version."""
    return f"{api_version if '/' in str(api_version) else f'/{api_version}'}, Kind={kind}"


def _check_shape(kind: Kind, body: Object) -> None:
    """Raise 500, as a real server does, for a configuration that is no value of its kind's type."""
    found = applyshape.faults(kind, body)
    if not found:
        return
    why = found[0] if len(found) == 1 else "\n  ".join(["errors:", *found])
    meta = body["metadata"]
    about = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}; {_full_kind(body['apiVersion'], body['kind'])}"
    raise errors.failure(500, "", f"failed to create typed patch object ({about}): {why}")


def _contested(thing: Object, body: Object, wanted: Fields, owners: Owners) -> list[tuple[Owner, Path]]:
    """(owner, field) of every field that somebody else owns and that would change."""
    found: list[tuple[Owner, Path]] = []
    for owner, owned in owners.items():
        found += [
            (owner, path) for path in owned & wanted if fields.value_at(thing, path) != fields.value_at(body, path)
        ]
    return found


def _called(owner: Owner, api_version: str) -> str:
    """An owner as conflicts name it."""
    through = f' with subresource "{owner.subresource}"' if owner.subresource else ""
    return f'"{owner.manager}"{through}' + (f" using {api_version}" if owner.operation == "Update" else "")


def _conflict(contested: list[tuple[str, Path]]) -> ApiError:
    sorted_paths = sorted(contested, key=lambda each: fields.shown_order(each[1]))
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": fields.shown(path)}
        for owner, path in sorted_paths
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [
            f"conflicts with {owner}:\n"
            + "\n".join(f"- {fields.shown(path)}" for who, path in sorted_paths if who == owner)
            for owner in sorted({owner for owner, _ in sorted_paths})
        ]
        text = f"{len(causes)} conflicts: " + "\n".join(lines)
    return errors.failure(409, "Conflict", f"Apply failed with {text}", {"causes": causes})
