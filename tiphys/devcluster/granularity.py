"""Into which parts a value falls for server-side apply: maps by their fields, lists by the keys of their items, or not.

Of custom kinds the schema says it; of built-in kinds the table of their types.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

from runtime.objects import Object
from tiphys.devcluster import wiretypes
from tiphys.devcluster.kinds import Kind

KEY_DEFAULTS: Object = {"protocol": "TCP"}  # what a key stands for where an item of a built-in kind leaves it out


class Parts(Protocol):
    """How the value at one place is divided."""

    @property
    def is_set(self) -> bool:
        """A list whose items are parts by themselves."""
        ...

    @property
    def is_whole(self) -> bool:
        """A map that belongs to one owner as a whole."""
        ...

    @property
    def defaults(self) -> Object:
        """What a key of the list's items stands for where an item leaves it out."""
        ...

    def keys(self, items: list[Any]) -> tuple[str, ...]:
        """The fields that tell the items of a list from each other; none when the list is a whole or a set."""
        ...

    def declares(self, name: str) -> bool:
        """Whether a map has a field of that name by its type; any other key is a part itself, with what is below it."""
        ...

    def below(self, name: str) -> Parts:
        """The parts of a field."""
        ...

    def item(self) -> Parts:
        """The parts of an item of a list."""
        ...


class Declared:
    """By the type of the object, a message; of what is of no known type maps fall into their fields, lists do not."""

    def __init__(self, message: str = "", *, keys: tuple[str, ...] | None = None, is_whole: bool = False) -> None:
        self._message = message
        self._keys = keys
        self._is_whole = is_whole

    @property
    def is_set(self) -> bool:
        """See Parts."""
        return self._keys == ()

    @property
    def is_whole(self) -> bool:
        """See Parts."""
        return self._is_whole

    @property
    def defaults(self) -> Object:
        """See Parts."""
        return KEY_DEFAULTS

    def keys(self, items: list[Any]) -> tuple[str, ...]:
        """See Parts."""
        return self._keys or () if all(isinstance(item, dict) for item in items) else ()

    def declares(self, name: str) -> bool:
        """See Parts."""
        return bool(self._message) and name in wiretypes.fields(self._message)

    def below(self, name: str) -> Parts:
        """See Parts."""
        return _declared(self._message, name)

    def item(self) -> Parts:
        """See Parts."""
        return Declared(self._message, is_whole=wiretypes.is_whole("", "", self._message))


@cache
def _declared(message: str, name: str) -> Declared:
    field = wiretypes.fields(message).get(name) if message else None
    if field is None:
        return Declared()
    below = "" if field.type in wiretypes.SCALARS else field.type
    if field.shape == "list":
        return Declared(below, keys=wiretypes.lists(message).get(name))
    is_whole = wiretypes.is_whole(message, name, below if field.shape != "map" else "")
    return _MapOf(below, is_whole=is_whole) if field.shape == "map" else Declared(below, is_whole=is_whole)


class _MapOf(Declared):
    """A map of messages, or of plain values."""

    def declares(self, name: str) -> bool:
        """See Parts."""
        del name
        return False

    def below(self, name: str) -> Parts:
        """See Parts."""
        del name
        return self.item()


METADATA = Declared("meta.v1.ObjectMeta")


class Schemed:
    """By the structural schema of a custom kind."""

    def __init__(self, schema: Any, *, is_root: bool = False) -> None:
        self._schema: Object = schema if isinstance(schema, dict) else {}
        self._is_root = is_root

    @property
    def is_set(self) -> bool:
        """See Parts."""
        return bool(self._schema.get("x-kubernetes-list-type") == "set")

    @property
    def is_whole(self) -> bool:
        """See Parts."""
        return bool(self._schema.get("x-kubernetes-map-type") == "atomic")

    @property
    def defaults(self) -> Object:
        """See Parts."""
        known: Object = (self._schema.get("items") or {}).get("properties") or {}
        return {name: field["default"] for name, field in known.items() if "default" in field}

    def keys(self, items: list[Any]) -> tuple[str, ...]:
        """See Parts."""
        if self._schema.get("x-kubernetes-list-type") != "map" or not all(isinstance(item, dict) for item in items):
            return ()
        return tuple(self._schema.get("x-kubernetes-list-map-keys") or ())

    def declares(self, name: str) -> bool:
        """See Parts."""
        return name in (self._schema.get("properties") or {}) or (self._is_root and name == "metadata")

    def below(self, name: str) -> Parts:
        """See Parts."""
        if self._is_root and name == "metadata":
            return METADATA
        known = self._schema.get("properties") or {}
        return Schemed(known.get(name) or self._schema.get("additionalProperties"))

    def item(self) -> Parts:
        """See Parts."""
        return Schemed(self._schema.get("items"))


def parts_of(kind: Kind) -> Parts:
    """How objects of a kind are divided."""
    if kind.custom:
        return Schemed(kind.schema, is_root=True)
    return Declared(wiretypes.message_name(kind.resource.api_version, kind.resource.kind) or "")
