"""Into which parts a value falls for server-side apply: maps by their fields, lists by the keys of their items, or not.

Of custom kinds the schema says it; of built-in kinds the names of the fields that users meet, as in strategic merges.
"""

from __future__ import annotations

from typing import Any, Protocol

from runtime.objects import Object
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.strategic import PRIMITIVE_LISTS, merge_key


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

    def keys(self, items: list[Any]) -> tuple[str, ...]:
        """The fields that tell the items of a list from each other; none when the list is a whole or a set."""
        ...

    def below(self, name: str) -> Parts:
        """The parts of a field."""
        ...

    def item(self) -> Parts:
        """The parts of an item of a list."""
        ...


class Named:
    """By the name of the field."""

    is_whole = False

    def __init__(self, field: str = "") -> None:
        self._field = field

    @property
    def is_set(self) -> bool:
        """See Parts."""
        return self._field in PRIMITIVE_LISTS

    def keys(self, items: list[Any]) -> tuple[str, ...]:
        """See Parts."""
        key = merge_key(self._field, items)
        return (key,) if key else ()

    def below(self, name: str) -> Parts:
        """See Parts."""
        return Named(name)

    def item(self) -> Parts:
        """See Parts."""
        return Named()


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

    def keys(self, items: list[Any]) -> tuple[str, ...]:
        """See Parts."""
        if self._schema.get("x-kubernetes-list-type") != "map" or not all(isinstance(item, dict) for item in items):
            return ()
        return tuple(self._schema.get("x-kubernetes-list-map-keys") or ())

    def below(self, name: str) -> Parts:
        """See Parts."""
        if self._is_root and name == "metadata":
            return Named(name)
        known = self._schema.get("properties") or {}
        return Schemed(known.get(name) or self._schema.get("additionalProperties"))

    def item(self) -> Parts:
        """See Parts."""
        return Schemed(self._schema.get("items"))


def parts_of(kind: Kind) -> Parts:
    """How objects of a kind are divided."""
    return Schemed(kind.schema, is_root=True) if kind.custom else Named()
