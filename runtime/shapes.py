"""Objects are trimmed where they are decoded: what nobody reads is skipped in the text and never becomes an object.

A shape is a TypedDict of the fields that are kept, at any depth. Whatever does not fit it (a null where an object was
promised, an error in place of an object) is decoded whole: a shape makes things smaller, never wrong. It applies to
lists and watches, which fill caches; what is read, written or answered for one object stays whole.
"""

from __future__ import annotations

from typing import Any, Generic, TypedDict, TypeVar

import msgspec
import orjson

from runtime.api import Known
from runtime.objects import Object, identity

Trimmed = TypeVar("Trimmed")


class Meta(TypedDict, total=False):
    """An object's metadata without `managedFields`, which are for the API server and often a third of the whole."""

    name: str
    generateName: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: int
    creationTimestamp: str | None
    deletionTimestamp: str | None
    deletionGracePeriodSeconds: int | None
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    finalizers: list[str] | None
    ownerReferences: list[Any] | None


class _Event(msgspec.Struct, Generic[Trimmed]):
    type: str
    object: Trimmed


class _ListMeta(msgspec.Struct, rename={"resource_version": "resourceVersion", "continue_": "continue"}):
    resource_version: str = ""
    continue_: str = ""


class _List(msgspec.Struct, Generic[Trimmed]):
    metadata: _ListMeta
    items: list[Trimmed]


class _HeadMeta(msgspec.Struct, rename={"resource_version": "resourceVersion"}):
    name: str
    uid: str
    resource_version: str
    namespace: str = ""


class _Head(msgspec.Struct):
    metadata: _HeadMeta


_HEADS = msgspec.json.Decoder(_List[_Head])
_TEXTS = msgspec.json.Decoder(_List[msgspec.Raw])


class Shape:
    """Decoders for one kind's shape."""

    def __init__(self, shape: Any) -> None:
        self._event = msgspec.json.Decoder(_Event[shape])
        self._list = msgspec.json.Decoder(_List[shape])
        self._item = msgspec.json.Decoder(shape)

    def event(self, line: bytes) -> tuple[str, Object]:
        """A line of a watch: its type and object."""
        try:
            event = self._event.decode(line)
        except msgspec.ValidationError:
            whole = orjson.loads(line)
            return whole["type"], whole["object"]
        if event.type == "ERROR":
            return event.type, orjson.loads(line)["object"]
        return event.type, event.object

    def list(self, body: bytes, known: Known | None = None) -> Object:
        """A list as the server would have sent it, had its objects been so small.

        An object that is `known` with that uid and version is not made again: a list of all that there is, asked for
        because a watch has broken, mostly says what everybody knows, and would need as much memory once more."""
        try:
            found = self._list.decode(body) if known is None else self._new_of(body, known)
        except msgspec.ValidationError:
            whole: Object = orjson.loads(body)
            return whole
        meta = {"resourceVersion": found.metadata.resource_version, "continue": found.metadata.continue_}
        return {"metadata": meta, "items": found.items}

    def _new_of(self, body: bytes, known: Known) -> _List[Any]:
        heads = [head.metadata for head in _HEADS.decode(body).items]
        held = [_held(head, known) for head in heads]
        if held.count(None) > len(held) // 2:  # then one look at the text is cheaper than two
            return self._list.decode(body)
        found: _List[Any] = _TEXTS.decode(body)
        found.items = [
            self._item.decode(text) if thing is None else thing
            for text, thing in zip(found.items, held, strict=True)
        ]  # fmt: skip
        return found


def _held(head: _HeadMeta, known: Known) -> Object | None:
    thing = known(head.namespace, head.name)
    return thing if thing is not None and identity(thing) == (head.uid, head.resource_version) else None


WHOLE = Shape(Any)
"""Nothing is left out."""
