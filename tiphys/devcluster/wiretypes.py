"""The fields of every built-in kind: their names, types and wire numbers, as Kubernetes publishes them.

One table serves three readers: protobuf bodies are decoded by it, unknown fields of built-in objects are found by it,
and `kubectl explain` walks along it. It is written by tests/contract/make_wiretypes.py, and read when first needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
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


@cache
def lists(name: str) -> dict[str, tuple[str, ...]]:
    """The keys by which items of a message's lists are told apart, by the lists' JSON names; of a set none."""
    found = {field: tuple(keys) for field, keys in _table()["lists"].get(name, {}).items()}
    for field in message(name).values():
        found |= lists(field.type) if field.shape == "inline" else {}
    return found


@cache
def patch_keys(name: str) -> dict[str, str]:
    """By which key a strategic patch merges a message's lists, by the lists' JSON names; those of plain values by none.
    Other lists are replaced."""
    found: dict[str, str] = dict(_table()["patches"].get(name, {}))
    for field in message(name).values():
        found |= patch_keys(field.type) if field.shape == "inline" else {}
    return found


@cache
def is_whole(name: str, field: str, below: str) -> bool:
    """True for a field of a message whose value, of the message `below` if any, has one owner as a whole."""
    known: dict[str, bool] = _table()["whole"]
    return known.get(f"{name}.{field}", known.get(below, False))


class _Known(NamedTuple):
    """What one field may hold: the Python types of its JSON, and the message below it."""

    types: frozenset[type]
    items: frozenset[type]  # of a list's or map's items
    below: str  # a message's name; empty for scalars
    field: Field
    owner: str  # the name of the type whose field it is, as errors show it
    is_nested: bool  # an object, a list or a map
    nothing: Any  # what null stands for among its items


_JSON: dict[str, tuple[type, ...]] = {
    "int": (int, float),  # upstream takes whole numbers only; a probe's period of 0.05 s is let through for tests
    "bool": (bool,),
    "number": (int, float),
    "intstr": (int, str),
    "quantity": (str, int, float),
    "raw": (dict, list, str, int, float, bool),
}
_NULL = type(None)
_PLACE = re.compile(r"\[\d+\]")  # of an item in a list: decoders do not say it
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_NOTHING: dict[str, Any] = {"int": 0, "number": 0, "bool": False, "raw": ""}


@cache
def _known(name: str) -> dict[str, _Known]:
    owner = name.rpartition(".")[2]
    return {key: _known_of(field, owner) for key, field in fields(name).items()}


def _known_of(field: Field, owner: str) -> _Known:
    types = _JSON.get(field.type, (str,)) if field.type in SCALARS else (dict,)
    one: frozenset[type] = frozenset((*types, _NULL))
    outer: dict[str, frozenset[type]] = {"list": frozenset((list, _NULL)), "map": frozenset((dict, _NULL))}
    below = "" if field.type in SCALARS else field.type
    is_nested = bool(below) or field.shape in outer
    nothing = _NOTHING.get(field.type, "" if not below else None)
    return _Known(outer.get(field.shape, one), one, below, field, owner, is_nested, nothing)


def pruner(api_version: str, kind: str) -> Prune:
    """What drops unknown fields of a built-in kind, however deep, and refuses (400) values of the wrong type."""
    envelope = _known_of(Field("apiVersion", "string"), kind)

    @cache
    def top() -> dict[str, _Known]:
        name = message_name(api_version, kind)
        return {**_known(name), "apiVersion": envelope, "kind": envelope} if name is not None else {}

    def prune(thing: Object) -> list[str]:
        known = top()
        dropped: list[str] = []
        if known and not _is_clean(thing, known):
            with _refusing(api_version, kind):
                _prune(thing, known, "", dropped)
        return dropped

    return prune


def prune_metadata(thing: Object, api_version: str, kind: str) -> list[str]:
    """Drop, in place, what metadata does not know, of a kind that is not in the table; returns its paths. Raises
    Refused (400) for values of the wrong type."""
    known, meta, dropped = _known("meta.v1.ObjectMeta"), thing.get("metadata"), list[str]()
    if isinstance(meta, dict) and not _is_clean(meta, known):
        with _refusing(api_version, kind):
            _prune(meta, known, "", dropped)
    return [f"metadata.{path}" for path in dropped]


@contextmanager
def _refusing(api_version: str, kind: str) -> Iterator[None]:
    try:
        yield
    except (_WrongType, _WrongQuantity) as e:
        version = api_version.rpartition("/")[2]
        why = f"quantities must match the regular expression '^{_QUANTITY.pattern}$'"
        if isinstance(e, _WrongType):
            why = f"json: cannot unmarshal {e.have} into Go struct field {e.owner}.{e.path} of type {e.want}"
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}') from None


def _is_clean(thing: Object, known: dict[str, _Known]) -> bool:
    """True when nothing is unknown or of a wrong type: the usual case, found without naming any path."""
    for name, value in thing.items():
        field = known.get(name)
        if field is None or type(value) not in field.types:
            return False
        if value is None:
            if field.is_nested:
                return False
        elif value and field.is_nested and not _are_clean(value, field):
            return False
    return True


def _are_clean(value: Any, field: _Known) -> bool:
    items = value if isinstance(value, list) else value.values() if field.field.shape == "map" else (value,)
    below = _known(field.below) if field.below else None
    is_amount = field.field.type == "quantity"
    for item in items:
        if item is None or type(item) not in field.items or (is_amount and not _is_quantity(item)):
            return False
        if below is not None and item and not _is_clean(item, below):
            return False
    return True


@lru_cache(maxsize=1024)
def _is_quantity(value: object) -> bool:
    return not isinstance(value, str) or _QUANTITY.fullmatch(value) is not None


class _WrongQuantity(Exception):
    pass


class _WrongType(Exception):
    def __init__(self, value: Any, path: str, known: _Known, *, item: bool) -> None:
        super().__init__(path)
        have = type(value)
        self.have = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}.get(have, "object")
        self.path = _PLACE.sub("", path)
        self.owner = known.owner
        one = {"int": "int32", "time": "Time", "quantity": "resource.Quantity", "intstr": "int32", "bytes": "[]uint8"}
        name = f"v1.{known.below.rpartition('.')[2]}" if known.below else one.get(known.field.type, known.field.type)
        self.want = {"list": f"[]{name}", "map": f"map[string]{name}"}.get("" if item else known.field.shape, name)


def _wrong(value: Any, path: str, known: _Known, *, item: bool) -> _WrongType | _WrongQuantity:
    is_amount = known.field.type == "quantity" and (item or known.field.shape not in ("list", "map"))
    return _WrongQuantity() if is_amount else _WrongType(value, path, known, item=item)


def _prune(thing: Object, known: dict[str, _Known], path: str, dropped: list[str]) -> None:
    unknown: list[str] = []
    absent: list[str] = []  # null is how typed decoding reads nothing at all
    for name, value in thing.items():
        field = known.get(name)
        if field is None:
            unknown.append(name)
        elif value is None:
            if field.is_nested:
                absent.append(name)
        elif type(value) not in field.types:
            raise _wrong(value, f"{path}.{name}" if path else name, field, item=False)
        elif value and field.is_nested:
            _prune_value(value, field, f"{path}.{name}" if path else name, dropped)
    for name in absent:
        del thing[name]
    for name in unknown:
        del thing[name]
        dropped.append(f"{path}.{name}" if path else name)


def _prune_value(value: Any, field: _Known, path: str, dropped: list[str]) -> None:
    below = _known(field.below) if field.below else None
    places = value.items() if field.field.shape == "map" else enumerate(value) if isinstance(value, list) else ()
    for place in [place for place, item in places if item is None]:
        value[place] = {} if below is not None else field.nothing
    if isinstance(value, list):
        parts = ((item, f"{path}[{index}]") for index, item in enumerate(value))
    elif field.field.shape == "map":
        parts = ((item, f"{path}.{key}") for key, item in value.items())
    else:
        parts = ((item, path) for item in (value,))
    for item, where in parts:
        if type(item) not in field.items:
            raise _wrong(item, path, field, item=True)
        if field.field.type == "quantity" and not _is_quantity(item):
            raise _WrongQuantity
        if below is not None and item:
            _prune(item, below, where, dropped)
