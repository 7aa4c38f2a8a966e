"""A connection that the engine turns into a container's streams: attached to it, or to a command run inside.

HTTP ends with the head of the answer; then both sides send bytes, and each can end its half.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio.abc import SocketStream

from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.errors import EngineAway, EngineError

HEAD_BYTES_MAX = 64 * 1024


class Streams:
    """Both directions of an attached connection."""

    def __init__(self, stream: SocketStream, early: bytes) -> None:
        self._stream = stream
        self._early = early

    async def receive(self) -> AsyncIterator[bytes]:
        """What comes, until the other side ends."""
        if self._early:
            yield self._early
            self._early = b""
        try:
            while True:
                yield await self._stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def send(self, chunk: bytes) -> None:
        """Give input. Raises nothing when nobody reads any more."""
        try:
            await self._stream.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def end_input(self) -> None:
        """There is no more input."""
        try:
            await self._stream.send_eof()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def aclose(self) -> None:
        """Close both directions."""
        await self._stream.aclose()


async def attach(engine: EngineApi, path: str, body: Any = None) -> Streams:
    """The streams behind a request to `path`; the caller closes them. Raises EngineError when the engine refuses,
    EngineAway."""
    try:
        stream: SocketStream = await anyio.connect_unix(str(engine.socket))
    except OSError as error:
        raise EngineAway(f"the engine does not answer: {error}") from error
    try:
        early = await _ask(stream, f"/v{engine.version}{path}", b"" if body is None else json.dumps(body).encode())
    except BaseException:
        with anyio.CancelScope(shield=True):
            await stream.aclose()
        raise
    return Streams(stream, early)


async def _ask(stream: SocketStream, target: str, body: bytes) -> bytes:
    """Send the request and read the head of the answer; what came after it."""
    head = [
        f"POST {target} HTTP/1.1",
        "Host: engine",
        "Connection: Upgrade",
        "Upgrade: tcp",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    received = b""
    try:
        await stream.send("\r\n".join([*head, "", ""]).encode() + body)
        while b"\r\n\r\n" not in received:
            if len(received) > HEAD_BYTES_MAX:
                raise EngineError("the engine's answer has no end of its head")
            received += await stream.receive()
        answer, _, rest = received.partition(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        if status in (101, 200):
            return rest
        raise EngineError(await _refusal(stream, answer, rest), status)
    except (anyio.EndOfStream, anyio.BrokenResourceError, OSError, IndexError, ValueError) as error:
        raise EngineAway(f"the engine's connection broke: {str(error) or type(error).__name__}") from error


async def _refusal(stream: SocketStream, head: bytes, rest: bytes) -> str:
    """The words of a refusal, whose body follows the head."""
    length = next((int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), None)
    with anyio.move_on_after(1.0):
        while len(rest) < (HEAD_BYTES_MAX if length is None else length):
            try:
                rest += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                break
    try:
        return str(json.loads(rest[rest.index(b"{") : rest.rindex(b"}") + 1])["message"])
    except (ValueError, KeyError, TypeError):
        return rest.decode("utf-8", "replace")[:200]
