"""Sets of fields as server-side apply keeps them: paths of leaves, items of keyed lists named by their key. Pure.

A path is a tuple of elements in the notation of managedFields: `f:name`, `k:{"name":"main"}`, `v:"x"`; a last element
`.` stands for the item itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import orjson

from runtime.objects import Object
from tiphys.devcluster.granularity import KEY_DEFAULTS, METADATA, Declared, Parts

Path: TypeAlias = tuple[str, ...]
Fields: TypeAlias = frozenset[Path]
EMPTY: Fields = frozenset()
UNTYPED = Declared()
NOT_OWNED = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)


class Owner(NamedTuple):
    """Who owns a set of fields, and by which operation it came to."""

    manager: str
    operation: str  # "Apply" or "Update"
    subresource: str = ""


Owners: TypeAlias = dict[Owner, Fields]


def _key_element(keys: tuple[str, ...], item: Object, defaults: Object) -> str:
    whole = {**defaults, **item}
    known = {key: whole[key] for key in keys if key in whole}
    return "k:" + orjson.dumps(known, option=orjson.OPT_SORT_KEYS).decode()


def _is_item(item: Any, key: Object) -> bool:
    """True for the item of a list that has this key."""
    return isinstance(item, dict) and all(item.get(k, KEY_DEFAULTS.get(k)) == value for k, value in key.items())


def _paths(parts: Parts, value: Any, at: Path, found: set[Path]) -> None:
    if isinstance(value, dict) and value and not parts.is_whole:
        for name, item in value.items():
            if not parts.declares(name) and isinstance(item, dict) and item:
                found.add((*at, f"f:{name}", "."))
            _paths(parts.below(name), item, (*at, f"f:{name}"), found)
        return
    if isinstance(value, list):
        if parts.is_set:
            found.update((*at, _value_element(item)) for item in value)
            return
        keys = parts.keys(value)
        if keys:
            for item in value:
                _item_paths(parts.item(), item, (*at, _key_element(keys, item, parts.defaults)), found)
            return
    found.add(at)


def _item_paths(parts: Parts, item: Object, at: Path, found: set[Path]) -> None:
    if parts.is_whole:
        found.add(at)
        return
    found.add((*at, "."))
    for name, part in item.items():
        _paths(parts.below(name), part, (*at, f"f:{name}"), found)


def _value_element(item: Any) -> str:
    return "v:" + orjson.dumps(item).decode()


def of(thing: Object, parts: Parts = UNTYPED) -> Fields:
    """All fields that an applied configuration sets, in the parts that its kind falls into."""
    found: set[Path] = set()
    for name, value in thing.items():
        if name in ("apiVersion", "kind"):
            continue
        if name == "metadata":
            for part, item in value.items():
                if part not in NOT_OWNED:
                    _paths(METADATA.below(part), item, ("f:metadata", f"f:{part}"), found)
        else:
            _paths(parts.below(name), value, (f"f:{name}",), found)
    return frozenset(found)


def shown(path: Path) -> str:
    """A path as conflicts quote it: `.spec.containers[name="main"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            text += "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in orjson.loads(rest).items()) + "]"
        elif kind == "v":
            text += f"[={rest}]"
    return text


def value_at(thing: Any, path: Path) -> Any:
    """The value of a field; None when absent (an item itself counts as its key)."""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            thing = thing.get(rest) if isinstance(thing, dict) else None
        elif kind == "k":
            wanted = orjson.loads(rest)
            items = thing if isinstance(thing, list) else []
            thing = next((item for item in items if _is_item(item, wanted)), None)
        elif kind == "v":
            wanted = orjson.loads(rest)
            return wanted if isinstance(thing, list) and wanted in thing else None
        else:
            return None if thing is None else True
    return thing


def remove(thing: Object, paths: Fields) -> None:
    """Take fields out, in place, with the maps that become empty by it, and the items of which only the key is left."""
    for path in sorted(paths, key=lambda path: (-len(path), path[-1] == ".")):
        _remove(thing, path)


def _remove(thing: Any, path: Path) -> None:
    element, rest = path[0], path[1:]
    kind, _, name = element.partition(":")
    if kind == "f":
        if not isinstance(thing, dict) or name not in thing:
            return
        if not rest:
            del thing[name]
            return
        _remove(thing[name], rest)
        if thing[name] in ({}, []):
            del thing[name]
    elif isinstance(thing, list) and kind == "v":
        thing[:] = [item for item in thing if item != orjson.loads(name)]
    elif isinstance(thing, list):
        _remove_inside(thing, orjson.loads(name), rest)


def _remove_inside(items: list[Any], key: Object, rest: Path) -> None:
    """Take a field out of the item with that key; the key itself goes only with the item."""
    for index, item in enumerate(items):
        if _is_item(item, key):
            if rest not in ((), (".",)):
                if rest not in {(f"f:{name}",) for name in key}:
                    _remove(item, rest)
            elif rest == () or set(item) <= set(key):
                del items[index]
            return


def merge(current: Any, applied: Any, parts: Parts = UNTYPED) -> Any:
    """The current value with the applied one laid over it; keyed lists are merged item by item."""
    if isinstance(current, dict) and isinstance(applied, dict) and not parts.is_whole:
        return {**current, **{n: merge(current.get(n), value, parts.below(n)) for n, value in applied.items()}}
    if isinstance(current, list) and isinstance(applied, list):
        keys = parts.keys([*current, *applied])
        if parts.is_set or keys:
            name = _value_element if parts.is_set else lambda item: _key_element(keys, item, parts.defaults)
            before, mine = {name(item): item for item in current}, {name(item): item for item in applied}
            both = {n: merge(before[n], item, parts.item()) if n in before else item for n, item in mine.items()}
            return [{**before, **both}[n] for n in in_order(list(before), list(mine))]
    return applied


def in_order(current: list[str], applied: list[str]) -> list[str]:
    """The items of a merged list: those of both in the order applied, others where they stand in theirs."""
    found: list[str] = []
    rest = list(applied)
    shared = [name for name in applied if name in current]
    for name in current:
        if name not in applied:
            found.append(name)
        elif shared and name == shared[0]:  # what is new before it comes before it
            shared.pop(0)
            end = rest.index(name) + 1
            found += rest[:end]
            del rest[:end]
    return found + rest


def shown_order(path: Path) -> tuple[tuple[bool, str], ...]:
    """By what paths are sorted where they are shown: of each place first the fields, then what is inside of others."""
    last = len(path) - 1
    return tuple((index < last, element) for index, element in enumerate(path))


def are_owners(entries: Any) -> bool:
    """True for a list that can be metadata.managedFields."""
    return (
        isinstance(entries, list)
        and bool(entries)
        and all(isinstance(e, dict) and isinstance(e.get("fieldsV1", {}), dict) for e in entries)
    )


def owners_of(thing: Object) -> Owners:
    """Who owns which fields of a stored object."""
    owners: Owners = {}
    for entry in thing["metadata"].get("managedFields") or ():
        found: set[Path] = set()
        _read(entry.get("fieldsV1") or {}, (), found)
        owner = Owner(entry.get("manager") or "", entry.get("operation") or "", entry.get("subresource") or "")
        owners[owner] = frozenset(found)
    return owners


def _read(tree: Object, at: Path, found: set[Path]) -> None:
    for element, below in tree.items():
        path = (*at, element)
        if below:
            _read(below, path, found)
        else:
            found.add(path)


def managed_fields(owners: Owners, api_version: str, time: str) -> list[Object]:
    """metadata.managedFields of these owners."""
    entries: list[Object] = []
    for owner, paths in owners.items():
        if not paths:
            continue
        tree: Object = {}
        for path in sorted(paths):
            at = tree
            for element in path:
                at = at.setdefault(element, {})
        entry: Object = {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        if owner.subresource:
            entry["subresource"] = owner.subresource
        entries.append(entry)
    return entries


def after_update(owners: Owners, writer: Owner, new: Object, old: Object, parts: Parts = UNTYPED) -> Owners:
    """The owners after a plain write: what the writer changed is its own now, what is gone is nobody's."""
    before, now = of(old, parts), of(new, parts)
    changed = frozenset(path for path in now if path not in before or value_at(new, path) != value_at(old, path))
    left = {owner: _still_there(new, paths, now) for owner, paths in owners.items()}
    result = {owner: paths - (changed if owner != writer else EMPTY) for owner, paths in left.items()}
    result[writer] = left.get(writer, EMPTY) | changed
    return result


def _still_there(thing: Object, paths: Fields, known: Fields) -> Fields:
    """Those of the paths that the object has: among its own, or as a map that was empty and is so no more."""
    return frozenset(path for path in paths if path in known or value_at(thing, path) is not None)
