"""The fields of every built-in kind: their names, types and wire numbers, as Kubernetes publishes them.

One table serves three readers: protobuf bodies are decoded by it, unknown fields of built-in objects are found by it,
and `kubectl explain` walks along it. It is written by tests/contract/make_wiretypes.py, and read when first needed.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson

from runtime.objects import Object
from tiphys.devcluster import errors
from tiphys.devcluster.kinds import Prune

SCALARS = frozenset(
    ["string", "int", "bool", "bytes", "number", "time", "microtime", "quantity", "intstr", "raw"],
)


class Field(NamedTuple):
    """One field: its name in JSON, its type (a scalar or a message's name), and its shape."""

    name: str
    type: str
    shape: str = ""  # list; map (from strings); inline (its fields are the outer object's); pointer (zero is a value)


Message = dict[int, Field]


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = orjson.loads(files(__package__).joinpath("wiretypes.json").read_bytes())
    return table


def message_name(api_version: str, kind: str) -> str | None:
    """The message of a kind ("core.v1.Pod"); None when the table has none. DeleteOptions are of any version."""
    name: str | None = _table()["kinds"].get(f"{'v1' if kind == 'DeleteOptions' else api_version}/{kind}")
    return name


@cache
def message(name: str) -> Message:
    """The fields of a message by their wire numbers."""
    return {int(number): Field(*text.split()) for number, text in _table()["messages"][name].items()}


@cache
def fields(name: str) -> dict[str, Field]:
    """The fields of a message by their JSON names, those of inlined messages among them."""
    found: dict[str, Field] = {}
    for field in message(name).values():
        found |= fields(field.type) if field.shape == "inline" else {field.name: field}
    return found


class _Known(NamedTuple):
    """What one field may hold: the Python types of its JSON, and the message below it."""

    types: frozenset[type]
    items: frozenset[type]  # of a list's or map's items
    below: str  # a message's name; empty for scalars
    field: Field


_JSON: dict[str, tuple[type, ...]] = {
    "int": (int, float),  # upstream takes whole numbers only; a probe's period of 0.05 s is let through for tests
    "bool": (bool,),
    "number": (int, float),
    "intstr": (int, str),
    "quantity": (str, int, float),
    "raw": (dict, list, str, int, float, bool),
}
_NULL = type(None)


@cache
def _known(name: str) -> dict[str, _Known]:
    return {key: _known_of(field) for key, field in fields(name).items()}


def _known_of(field: Field) -> _Known:
    types = _JSON.get(field.type, (str,)) if field.type in SCALARS else (dict,)
    one: frozenset[type] = frozenset((*types, _NULL))
    outer: dict[str, frozenset[type]] = {"list": frozenset((list, _NULL)), "map": frozenset((dict, _NULL))}
    return _Known(outer.get(field.shape, one), one, "" if field.type in SCALARS else field.type, field)


def pruner(api_version: str, kind: str) -> Prune:
    """What drops unknown fields of a built-in kind, however deep, and refuses (400) values of the wrong type."""
    envelope = _known_of(Field("apiVersion", "string"))

    @cache
    def top() -> dict[str, _Known]:
        name = message_name(api_version, kind)
        return {**_known(name), "apiVersion": envelope, "kind": envelope} if name is not None else {}

    def prune(thing: Object) -> list[str]:
        known = top()
        dropped: list[str] = []
        if not known or _is_clean(thing, known):
            return dropped
        try:
            _prune(thing, known, "", dropped)
        except _WrongType as e:
            version = api_version.rpartition("/")[2]
            raise errors.bad_request(
                f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal {e.have} into '
                f"Go struct field {kind}.{e.path} of type {e.want}"
            ) from None
        return dropped

    return prune


def _is_clean(thing: Object, known: dict[str, _Known]) -> bool:
    """True when nothing is unknown or of a wrong type: the usual case, found without naming any path."""
    for name, value in thing.items():
        field = known.get(name)
        if field is None or type(value) not in field.types:
            return False
        if value and (field.below or field.field.shape) and not _are_clean(value, field):
            return False
    return True


def _are_clean(value: Any, field: _Known) -> bool:
    items = value if isinstance(value, list) else value.values() if field.field.shape == "map" else (value,)
    below = _known(field.below) if field.below else None
    for item in items:
        if type(item) not in field.items:
            return False
        if below is not None and item and not _is_clean(item, below):
            return False
    return True


class _WrongType(Exception):
    def __init__(self, value: Any, path: str, known: _Known, *, item: bool) -> None:
        super().__init__(path)
        have = type(value)
        self.have = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}.get(have, "object")
        self.path = path
        one = {"int": "int32", "time": "Time", "quantity": "Quantity", "intstr": "IntOrString", "bytes": "[]uint8"}
        name = one.get(known.field.type, known.field.type.rpartition(".")[2])
        self.want = {"list": f"[]{name}", "map": f"map[string]{name}"}.get("" if item else known.field.shape, name)


def _prune(thing: Object, known: dict[str, _Known], path: str, dropped: list[str]) -> None:
    unknown: list[str] | None = None
    for name, value in thing.items():
        field = known.get(name)
        if field is None:
            unknown = [*(unknown or ()), name]
        elif type(value) not in field.types:
            raise _WrongType(value, f"{path}.{name}" if path else name, field, item=False)
        elif value and (field.below or field.field.shape):
            _prune_value(value, field, f"{path}.{name}" if path else name, dropped)
    for name in unknown or ():
        del thing[name]
        dropped.append(f"{path}.{name}" if path else name)


def _prune_value(value: Any, field: _Known, path: str, dropped: list[str]) -> None:
    below = _known(field.below) if field.below else None
    if isinstance(value, list):
        parts = ((item, f"{path}[{index}]") for index, item in enumerate(value))
    elif field.field.shape == "map":
        parts = ((item, f"{path}.{key}") for key, item in value.items())
    else:
        parts = ((item, path) for item in (value,))
    for item, where in parts:
        if type(item) not in field.items:
            raise _WrongType(item, where, field, item=True)
        if below is not None and item:
            _prune(item, below, where, dropped)
