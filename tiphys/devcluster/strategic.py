"""A strategic merge patch merges lists of objects by their key instead of replacing them.

Which lists, and by which key, is a property of the type upstream; here it is a table of the field names users meet.
Directives: `$patch: replace|delete`, `$deleteFromPrimitiveList/<field>`, `$retainKeys`, `$setElementOrder/<field>`.
"""

from __future__ import annotations

from typing import Any

from runtime.objects import Object

MERGE_KEYS: dict[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "secrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "conditions": "type",
    "ownerReferences": "uid",
    "addresses": "type",
    "taints": "key",
    "resourceClaims": "name",
    "podIPs": "ip",
}
PRIMITIVE_LISTS = frozenset({"finalizers"})
_PORT_KEYS = ("containerPort", "port")  # of a container, of a service
_DELETE, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def merge_key(field: str, items: list[Any]) -> str:
    """The key by which a list of that field name is merged; empty when it is replaced as a whole."""
    if not all(isinstance(item, dict) for item in items):
        return ""
    if field == "ports":
        for key in _PORT_KEYS:
            if any(key in item for item in items):
                return key
        return ""
    return MERGE_KEYS.get(field, "")


def merge(current: Object, patch: Object) -> Object:
    """The object after the patch; neither argument is changed."""
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = {**current}
    retained = patch.get("$retainKeys")
    if retained is not None:
        result = {key: value for key, value in result.items() if key in retained}
    for field, value in patch.items():
        if field.startswith(_DELETE):
            _remove_primitives(result, field.removeprefix(_DELETE), value)
        elif field.startswith("$"):
            continue
        elif value is None:
            result.pop(field, None)
        elif isinstance(value, dict):
            before = result.get(field)
            result[field] = merge(before if isinstance(before, dict) else {}, value)
        elif isinstance(value, list):
            result[field] = _merge_list(field, result.get(field), value, patch.get(_ORDER + field))
        else:
            result[field] = value
    for field, order in patch.items():
        name = field.removeprefix(_ORDER)
        if field.startswith(_ORDER) and name not in patch and isinstance(result.get(name), list):
            result[name] = _in_order(result[name], result[name], order, merge_key(name, result[name]))
    return result


def _remove_primitives(result: Object, field: str, values: list[Any]) -> None:
    if isinstance(result.get(field), list):
        result[field] = [value for value in result[field] if value not in values]


def _merge_list(field: str, before: Any, patch: list[Any], order: list[Any] | None) -> list[Any]:
    old = before if isinstance(before, list) else []
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    if field in PRIMITIVE_LISTS:
        return _in_order([*old, *(v for v in patch if v not in old)], old, order or patch, "")
    key = merge_key(field, [*old, *patch])
    if not key:
        return patch
    wanted = order or [item for item in patch if item.get("$patch") != "delete"]
    return _in_order(_merged_by(key, old, patch), old, wanted, key)


def _merged_by(key: str, old: list[Object], patch: list[Object]) -> list[Object]:
    merged = list(old)
    for item in patch:
        at = next((i for i, have in enumerate(merged) if have.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(merge({}, item))
        else:
            merged[at] = merge(merged[at], item)
    return merged


def _in_order(items: list[Any], old: list[Any], wanted: list[Any], key: str) -> list[Any]:
    """The items that the patch names, in its order, merged with the others, in theirs: of two heads the other one goes
    first only if it stood before in the old list."""

    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    places = {str(name(item)): place for place, item in enumerate(old)}
    ranks = {str(name(item)): rank for rank, item in reversed(list(enumerate(wanted)))}
    named = sorted((i for i in items if str(name(i)) in ranks), key=lambda i: ranks[str(name(i))])
    others = [i for i in items if str(name(i)) not in ranks]
    result: list[Any] = []
    while named and others:
        left, right = places.get(str(name(others[0]))), places.get(str(name(named[0])))
        is_before = left is not None and right is not None and left < right
        result.append(others.pop(0) if is_before else named.pop(0))
    return [*result, *named, *others]
