"""A strategic merge patch merges lists of objects by their key instead of replacing them.

Which lists, and by which key, the type of the object says (`wiretypes`); what is of no known type is replaced.
Directives: `$patch: replace|delete`, `$deleteFromPrimitiveList/<field>`, `$retainKeys`, `$setElementOrder/<field>`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.devcluster import wiretypes

_DELETE, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


class Type(NamedTuple):
    """What a value is: a message, or a map of such; of no name when it is neither or not known."""

    message: str = ""
    is_map: bool = False

    def below(self, name: str) -> Type:
        """The type of a field, or of the items of a list in it."""
        if self.is_map or not self.message:
            return Type(self.message)
        field = wiretypes.fields(self.message).get(name)
        if field is None or field.type in wiretypes.SCALARS:
            return UNKNOWN
        return Type(field.type, is_map=field.shape == "map")

    def key(self, name: str) -> str | None:
        """By which key a list in a field is merged; empty for plain values, None when the list is replaced."""
        return wiretypes.patch_keys(self.message).get(name) if self.message and not self.is_map else None


UNKNOWN = Type()


def type_of(api_version: str, kind: str) -> Type:
    """The type of the objects of a kind."""
    return Type(wiretypes.message_name(api_version, kind) or "")


def merge(current: Object, patch: Object, kind: Type = UNKNOWN) -> Object:
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
            result[field] = _merge_map(kind, field, result.get(field), value)
        elif isinstance(value, list):
            result[field] = _merge_list(kind, field, (result.get(field), value), patch.get(_ORDER + field))
        else:
            result[field] = value
    for field, order in patch.items():
        name = field.removeprefix(_ORDER)
        if field.startswith(_ORDER) and name not in patch and isinstance(result.get(name), list):
            result[name] = _in_order(result[name], result[name], order, kind.key(name) or "")
    return result


def _merge_map(kind: Type, field: str, before: Any, patch: Object) -> Object:
    is_merged = isinstance(before, dict) and kind.key(field) != "replace"
    return merge(before if is_merged else {}, patch, kind.below(field))


def _remove_primitives(result: Object, field: str, values: list[Any]) -> None:
    if isinstance(result.get(field), list):
        result[field] = [value for value in result[field] if value not in values]


def _merge_list(kind: Type, field: str, both: tuple[Any, list[Any]], order: list[Any] | None) -> list[Any]:
    old, patch = both[0] if isinstance(both[0], list) else [], both[1]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    key = kind.key(field)
    if key == "":
        return _in_order([*old, *(v for v in patch if v not in old)], old, order or patch, "")
    if key is None or not all(isinstance(item, dict) for item in (*old, *patch)):
        return patch
    wanted = order or [item for item in patch if item.get("$patch") != "delete"]
    return _in_order(_merged_by(key, kind.below(field), old, patch), old, wanted, key)


def _merged_by(key: str, kind: Type, old: list[Object], patch: list[Object]) -> list[Object]:
    merged = list(old)
    for item in patch:
        at = next((i for i, have in enumerate(merged) if have.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(merge({}, item, kind))
        else:
            merged[at] = merge(merged[at], item, kind)
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
