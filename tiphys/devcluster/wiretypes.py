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
def _children(name: str) -> dict[str, Field | None]:
    """The fields of a message, None for those that hold no message."""
    return {key: None if field.type in SCALARS else field for key, field in fields(name).items()}


def pruner(api_version: str, kind: str) -> Prune:
    """What drops unknown fields of a built-in kind, however deep."""

    @cache
    def top() -> dict[str, Field | None]:
        name = message_name(api_version, kind)
        return {**_children(name), "apiVersion": None, "kind": None} if name is not None else {}

    def prune(thing: Object) -> list[str]:
        known = top()
        dropped: list[str] = []
        if known:
            _prune(thing, known, "", dropped)
        return dropped

    return prune


def _prune(thing: Object, known: dict[str, Field | None], path: str, dropped: list[str]) -> None:
    unknown: list[str] | None = None
    for name, value in thing.items():
        if name not in known:
            unknown = [*(unknown or ()), name]
        elif value and (field := known[name]) is not None:
            _prune_value(value, field, f"{path}.{name}" if path else name, dropped)
    for name in unknown or ():
        del thing[name]
        dropped.append(f"{path}.{name}" if path else name)


def _prune_value(value: Any, field: Field, path: str, dropped: list[str]) -> None:
    known = _children(field.type)
    if field.shape == "list":
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, dict):
                _prune(item, known, f"{path}[{index}]", dropped)
    elif isinstance(value, dict) and field.shape == "map":
        for key, item in value.items():
            if isinstance(item, dict):
                _prune(item, known, f"{path}.{key}", dropped)
    elif isinstance(value, dict):
        _prune(value, known, path, dropped)
