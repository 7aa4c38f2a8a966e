"""Small requests are read and answered in one go, without a task; whatever is unusual is handed to the full server.

Most of what a general HTTP server does for a request (streams, middlewares, URL algebra, a task) is more work than the
request itself. This lane takes only what it understands completely: plain HTTP/1.1, a known verb, ASCII, a body of a
declared length. At the first request of a connection that is anything else, or that its owner does not want here (a
watch, a log), the connection changes hands for good, with every byte that was not answered yet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
UNUSUAL = frozenset({"transfer-encoding", "expect", "upgrade", "content-encoding", "trailer", "te"})
HEAD_MAX = 32 * 1024  # bytes of a request line with its headers; longer ones are the full server's to refuse
IDLE_S = 3600.0  # a connection that says nothing for so long is closed, as the full server does
FLUSH_BYTES = 256 * 1024  # answers to requests that came together are sent together, up to so many


class Asked(NamedTuple):
    """One request: names of headers in lower case, of a parameter that is given twice the first value."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Respond: TypeAlias = Callable[[Asked], bytes | None]
"""The whole response to a request; None: it is not for this lane, and nothing was done."""


class _Unusual(Exception):
    """A request that the full server is to read."""


class Lane(asyncio.Protocol):
    """One connection, until it is handed over. `open_lanes` holds those that are there to be closed at the end."""

    def __init__(
        self, respond: Respond, full: Callable[[], asyncio.Protocol], body_max: int, open_lanes: set[Lane]
    ) -> None:
        self._respond = respond
        self._full = full
        self._body_max = body_max
        self._open = open_lanes
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []  # received and not answered
        self._size = 0  # of them together
        self._wanted = 0  # bytes that the next request needs at least
        self._is_paused = False
        self._heard_at = 0.0
        self._idle: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without being its subclass
        self._open.add(self)
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        self._idle = loop.call_later(IDLE_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._parts.append(data)
        self._size += len(data)
        if self._size >= self._wanted and not self._is_paused:
            self._serve()

    def pause_writing(self) -> None:
        """The client does not read its answers: nothing more is done for it."""
        self._is_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._transport is not None:
            self._transport.resume_reading()
        if self._size:
            self._serve()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        silent_s = loop.time() - self._heard_at
        if silent_s >= IDLE_S:
            self.abort()
        else:
            self._idle = loop.call_later(IDLE_S - silent_s, self._look)

    def _leave(self) -> None:
        self._open.discard(self)
        if self._idle is not None:
            self._idle.cancel()

    # ------------------------------------------------------------------------------------------ requests

    def _serve(self) -> None:
        """Answer every request that has come whole, in order."""
        assert self._transport is not None
        received = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        at, answers, size = 0, [], 0
        is_unusual = False
        while at < len(received) and not self._is_paused:
            try:
                asked, self._wanted = _read(received, at, self._body_max)
            except _Unusual:
                is_unusual = True
                break
            if asked is None:
                break
            response = self._respond(asked)
            if response is None:
                is_unusual = True
                break
            at += self._wanted
            answers.append(response)
            size += len(response)
            if size >= FLUSH_BYTES:
                self._transport.write(b"".join(answers))
                answers, size = [], 0
        if answers:
            self._transport.write(answers[0] if len(answers) == 1 else b"".join(answers))
        rest = received[at:]
        self._parts, self._size = ([rest] if rest else []), len(rest)
        if not rest:
            self._wanted = 0
        if is_unusual:
            self._hand_over(rest)

    def _hand_over(self, rest: bytes) -> None:
        assert self._transport is not None
        self._leave()
        transport, self._transport, self._parts = self._transport, None, []
        if self._is_paused:
            transport.resume_reading()
        protocol = self._full()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(rest)


def _read(received: bytes, at: int, body_max: int) -> tuple[Asked | None, int]:
    """The request that begins at `at` and its length; None while it is not whole, and how much of it is needed.

    Raises _Unusual."""
    end = received.find(b"\r\n\r\n", at)
    if end < 0:
        if len(received) - at > HEAD_MAX:
            raise _Unusual
        return None, len(received) - at + 1
    if end - at > HEAD_MAX:
        raise _Unusual
    try:
        lines = received[at:end].decode("ascii").split("\r\n")
        method, target, version = lines[0].split(" ")
    except ValueError as e:
        raise _Unusual from e
    if version != "HTTP/1.1" or method not in VERBS:
        raise _Unusual
    headers = _headers(lines)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > body_max:
        raise _Unusual
    begin = end + 4
    whole = begin + int(length)
    if whole > len(received):
        return None, whole - at
    path, query = _target(target)
    return Asked(method, path, query, headers, received[begin:whole]), whole - at


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name in headers or name != name.strip():
            raise _Unusual
        headers[name] = value.strip()
    if not UNUSUAL.isdisjoint(headers) or headers.get("connection", "keep-alive").lower() != "keep-alive":
        raise _Unusual
    return headers


def _target(target: str) -> tuple[str, dict[str, str]]:
    path, mark, text = target.partition("?")
    if path[:1] != "/" or "%" in path or "//" in path or "/." in path or "#" in target:
        raise _Unusual  # what these mean is for URL algebra to say
    if not mark:
        return path, {}
    pairs = parse_qsl(text, keep_blank_values=True)
    pairs.reverse()
    return path, dict(pairs)


# ------------------------------------------------------------------------------------------------ responses


def response(code: int, content_type: str, body: bytes, more: str = "") -> bytes:
    """A response; `more` are further header lines, each with its end."""
    head = f"{_status_line(code)}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}"
    return f"{head}Date: {_date(int(time.time()))}\r\n\r\n".encode("latin-1") + body


@lru_cache(maxsize=128)
def _status_line(code: int) -> str:
    try:
        phrase = HTTPStatus(code).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {code} {phrase}\r\n"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
