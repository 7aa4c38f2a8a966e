"""Large `status.nodes` travel compressed: one string costs an API server a fraction of what a thousand fields do.

`status.compressedNodes` is base64 of gzip members, one after the other, that together hold the JSON of the whole map;
upstream's readers take them for one. Nodes keep their member, so a change redoes one member of 256 nodes. (OFF-1.)
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

MEMBER_NODES = 256
LEVEL = 1  # status is repetitive: higher levels cost several times as much for a few per cent
_GZIP = 31  # zlib's window bits for gzip framing
UNPACKED_BYTES_MAX = 256 << 20  # a bomb is not a status


VERSION = "offloadNodeStatusVersion"
"""The field of a status that names nodes which a database keeps. (OFF-1)"""


class BadPack(ValueError):
    """`compressedNodes` that cannot be read; the text says why."""


def packed_member(text: bytes) -> bytes:
    """One gzip member."""
    press = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return press.compress(text) + press.flush()


def version_of(workflow: Mapping[str, Any]) -> str:
    """The version of its nodes that a workflow names; empty when it has them itself."""
    return (workflow.get("status") or {}).get(VERSION) or ""


def nodes_of(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes of a status, compressed or not; inline entries override compressed ones. Raises BadPack."""
    inline: dict[str, dict[str, Any]] = status.get("nodes") or {}
    packed = status.get("compressedNodes")
    if not packed:
        return inline
    return {**unpacked(packed), **inline}


def unpacked(text: str) -> dict[str, dict[str, Any]]:
    """The nodes in a `compressedNodes`. Raises BadPack."""
    try:
        rest = base64.b64decode(text, validate=True)
        pieces, size = [], 0
        while rest:
            inflate = zlib.decompressobj(_GZIP)
            pieces.append(inflate.decompress(rest, UNPACKED_BYTES_MAX - size))
            size += len(pieces[-1])
            if not inflate.eof:
                raise BadPack("status.compressedNodes is cut off, or larger than anything that can be meant")
            rest = inflate.unused_data
        nodes = orjson.loads(b"".join(pieces))
    except (ValueError, zlib.error) as error:
        raise BadPack(f"status.compressedNodes cannot be read: {error}") from error
    if not isinstance(nodes, dict):
        raise BadPack("status.compressedNodes is not a map of nodes")
    return nodes


@dataclass
class NodePack:
    """The nodes of one workflow, ready to be written compressed; `size` is their JSON's, in bytes."""

    size: int = 0
    members: list[dict[str, bytes]] = field(default_factory=list)  # node id -> its JSON, key and all
    pressed: list[bytes | None] = field(default_factory=list)  # each member's gzip, None when it has changed
    places: dict[str, int] = field(default_factory=dict)  # node id -> its member

    def put(self, node_id: str, entry: Mapping[str, Any]) -> None:
        """A node is now so."""
        text = orjson.dumps(node_id) + b":" + orjson.dumps(entry)
        place = self.places.get(node_id)
        if place is None:
            place = len(self.places) // MEMBER_NODES
            self.places[node_id] = place
            if place == len(self.members):
                self.members.append({})
                self.pressed.append(None)
        member = self.members[place]
        self.size += len(text) + 1 - (len(member[node_id]) + 1 if node_id in member else 0)
        member[node_id] = text
        self.pressed[place] = None

    def json(self) -> bytes:
        """The JSON of the whole map."""
        return b"{" + b",".join(text for member in self.members for text in member.values()) + b"}"

    @property
    def packed_bytes(self) -> int:
        """How long `text` is, roughly: what frames it is left out."""
        self._press()
        return sum(len(part) for part in self.pressed if part is not None) * 4 // 3

    def _press(self) -> None:
        for place, member in enumerate(self.members):
            if self.pressed[place] is None:
                self.pressed[place] = packed_member((b"{" if place == 0 else b",") + b",".join(member.values()))

    def text(self) -> str:
        """`status.compressedNodes`."""
        self._press()
        if not self.members:
            return base64.b64encode(packed_member(b"{}")).decode()
        whole = b"".join(part for part in self.pressed if part is not None) + packed_member(b"}")
        return base64.b64encode(whole).decode()
