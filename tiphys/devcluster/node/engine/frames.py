"""The engine's streams: standard output and error travel on one connection, in frames of eight bytes and a payload.

A container with a terminal has one stream only, and no frames. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

OUTPUT, ERRORS = 1, 2
_HEAD = struct.Struct(">BxxxL")


class Frames:
    """Takes bytes as they come and gives pieces of streams: a piece of a frame is given before the rest is there."""

    def __init__(self, *, framed: bool = True) -> None:
        self._framed = framed
        self._head = b""
        self._stream = OUTPUT
        self._left = 0

    def feed(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """(stream, bytes) of what has come, in order. Once begun, it must be read to its end."""
        if not self._framed:
            yield OUTPUT, received
            return
        at = 0
        while at < len(received):
            if not self._left:
                missing = _HEAD.size - len(self._head)
                self._head += received[at : at + missing]
                at += missing
                if len(self._head) == _HEAD.size:
                    self._stream, self._left = _HEAD.unpack(self._head)
                    self._head = b""
                continue
            piece = received[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            yield ERRORS if self._stream == ERRORS else OUTPUT, piece
