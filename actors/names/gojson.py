"""JSON exactly as Go's encoder prints a typed object: fields in the struct's order, empties left out, maps sorted.

Upstream hashes such texts, and the hash is the name of a ReplicaSet: one byte that differs is a redeployment. A table
says which fields a type has, in which order, and whether an empty one is left out (`?`):

    Container name:s image?:s ports?:[]ContainerPort resources?:ResourceRequirements
    s text, i whole number, b truth value, q quantity, x number or text, raw any JSON; * pointer, [] list, {} map

What the table does not know, and values of another type, are dropped: a Go client never sees them either.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple, TypeAlias

from actors.names.quantities import canonical


class Field(NamedTuple):
    """One field of a type."""

    name: str
    kind: str
    omits_empty: bool


Table: TypeAlias = dict[str, tuple[Field, ...]]

_FIELD: Final = re.compile(r"(\w+)(\??):(\S+)")
_ABSENT: Final = object()
_EMPTY: Final[dict[str, Any]] = {"s": "", "i": 0, "b": False, "q": "0", "x": 0}
_HTML: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def table(text: str) -> Table:
    """Read a table; a line that begins with a blank continues the one before."""
    found: Table = {}
    for line in re.sub(r"\n +", " ", text.strip()).splitlines():
        name, _, fields = line.partition(" ")
        found[name] = tuple(Field(m[1], m[3], bool(m[2])) for m in _FIELD.finditer(fields))
    return found


def encode(types: Table, kind: str, value: Any) -> bytes:
    """The bytes that Go's `json.Marshal` gives for `value` read as a `kind`."""
    text = json.dumps(typed(types, kind, value), ensure_ascii=False, separators=(",", ":"))
    return text.translate(_HTML).encode("utf-8", "replace")


def typed(types: Table, kind: str, value: Any) -> Any:
    """The value as a Go client has it after reading it as a `kind`: ordered, without what it does not know."""
    found = _read(types, kind, value)
    return _zero(types, kind) if found is _ABSENT else found


def _read(types: Table, kind: str, value: Any) -> Any:
    if value is None:
        return _ABSENT
    if kind[0] == "*":
        return _read(types, kind[1:], value)
    if kind.startswith("[]"):
        return _list(types, kind[2:], value)
    if kind.startswith("{}"):
        return _map(types, kind[2:], value)
    if kind in types:
        return _struct(types, kind, value) if isinstance(value, dict) else _ABSENT
    return _plain(kind, value)


def _list(types: Table, kind: str, value: Any) -> Any:
    if not isinstance(value, list):
        return _ABSENT
    read = [_read(types, kind, item) for item in value]
    return [_zero(types, kind) if item is _ABSENT else item for item in read]


def _map(types: Table, kind: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return _ABSENT
    read = ((key, _read(types, kind, value[key])) for key in sorted(value, key=lambda key: str(key).encode()))
    return {key: item for key, item in read if item is not _ABSENT}


def _struct(types: Table, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in types[kind]:
        item = _read(types, field.kind, value.get(field.name))
        if item is _ABSENT:
            if not field.omits_empty or field.kind in types:  # Go never leaves out a struct
                found[field.name] = _zero(types, field.kind)
        elif not (field.omits_empty and _is_empty(field.kind, item)):
            found[field.name] = item
    return found


def _is_empty(kind: str, item: Any) -> bool:
    """Whether Go's `omitempty` leaves it out: pointers and structs that are there never are."""
    if kind.startswith(("[]", "{}")):
        return not item
    return kind in ("s", "i", "b") and item == _EMPTY[kind]


def _zero(types: Table, kind: str) -> Any:
    if kind in types:
        return _struct(types, kind, {})
    return _EMPTY.get(kind)


def _plain(kind: str, value: Any) -> Any:  # one case a type
    match kind:
        case "s":
            return value if isinstance(value, str) else _ABSENT
        case "b":
            return value if isinstance(value, bool) else _ABSENT
        case "i":
            if isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value:
                return _ABSENT
            return int(value)
        case "x":
            if isinstance(value, bool) or not isinstance(value, int | str):
                return _ABSENT
            return value
        case "q":
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                return _ABSENT
            try:
                return canonical(str(value))
            except ValueError:
                return _ABSENT
        case "raw":
            return _sorted(value)
    raise KeyError(f"the table knows no type {kind!r}")


def _sorted(value: Any) -> Any:
    """Free JSON as an API server gives it back: keys in order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
