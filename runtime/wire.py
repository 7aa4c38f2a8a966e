"""Small requests to one server over connections that are kept: a fifth of what a general HTTP client costs for them.

A controller's time goes into its requests: several for each workflow, all to the same server, all small. What a
general client does for each of them (redirects, cookies, middlewares, URL algebra) is left out; HTTP itself is parsed
by httptools. Proxies are the general client's.

One connection carries one request at a time; the connection used last is taken first, so that as few as the load
needs stay warm, and the others are closed when they have been idle for a while.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from runtime.stream import Stream

LIST_MAX = 64 * 1024
"""Bytes: over what a longer answer to a GET has come, mostly a list of all there is, no other request goes. TLS keeps
the room that it needed, up to half a MiB, as long as the connection is there, and one that is used is never closed."""

IDLE_S = 30.0  # shorter than any server's own patience, so that a server seldom hangs up on a request
SAFE = frozenset({"GET", "PUT", "DELETE"})
"""What may be sent once more when a kept connection turns out to be dead: twice is once."""


_SIZES = (b"content-length", b"transfer-encoding")  # who says where a body ends


class Answer(NamedTuple):
    """A response that has come whole; of an error also its headers, names in lower case: nobody asks for others'."""

    status: int
    headers: dict[str, str]
    body: bytes


class Broken(OSError):
    """The connection failed; nobody knows what became of the request, unless `unheard`: not a byte came back."""

    def __init__(self, message: str, *, unheard: bool = False) -> None:
        super().__init__(message)
        self.unheard = unheard


class Wire:
    """The connections to one server. Belongs to one event loop."""

    def __init__(self, url: str, tls: ssl.SSLContext | None, *, connect_s: float = 10.0) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if tls else 80)
        self._tls = tls
        self._prefix = parts.path.rstrip("/").encode()
        self._authority = parts.netloc.rpartition("@")[2].encode()
        self._connect_s = connect_s
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, limit_s: float
    ) -> Answer:
        """Send a request and wait for the whole answer. Raises Broken, TimeoutError, OSError."""
        head = self._head(method, target, headers, body)
        while True:
            connection, is_kept = await self._take()
            try:
                answer = await connection.exchange(head, body, limit_s, is_head=method == "HEAD")
            except Broken as e:
                if is_kept and e.unheard and method in SAFE:
                    continue  # the server had hung up on the kept connection: another one
                raise
            finally:
                self._busy.discard(connection)
            if method == "GET" and len(answer.body) > LIST_MAX:
                connection.abort()
            if connection.is_reusable:
                self._keep(connection)
            return answer

    async def stream(self, target: str, headers: Mapping[str, str], silence_s: float | None) -> Stream:
        """GET what goes on and on, over a connection of its own; whoever has it aborts it. Raises OSError."""
        loop = asyncio.get_running_loop()
        name = self._host if self._tls else None
        connecting = loop.create_connection(
            lambda: Stream(silence_s), self._host, self._port, ssl=self._tls, server_hostname=name
        )
        _, stream = await asyncio.wait_for(connecting, self._connect_s)
        try:
            await stream.ask(self._head("GET", target, headers, None))
        except BaseException:
            stream.abort()
            raise
        return stream

    async def aclose(self) -> None:
        """Close every connection; requests in flight are Broken."""
        if self._sweep is not None:
            self._sweep.cancel()
        closing = [*self._idle, *self._busy]
        self._idle.clear()
        for connection in closing:
            connection.abort()
        for connection in closing:
            await connection.closed

    def _head(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        first = b"%b %b%b HTTP/1.1\r\nHost: %b\r\n" % (method.encode(), self._prefix, target.encode(), self._authority)
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        return b"".join((first, _header_lines(tuple(headers.items())), length, b"\r\n"))

    # ------------------------------------------------------------------------------------------ the pool

    async def _take(self) -> tuple[_Connection, bool]:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                self._busy.add(connection)
                return connection, True
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(
            _Connection, self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
        )
        _, connection = await asyncio.wait_for(connecting, self._connect_s)
        self._busy.add(connection)
        return connection, False

    def _keep(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE_S, self._sweep_idle)

    def _sweep_idle(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_S
        for connection in self._idle:
            if connection.idle_since <= oldest:
                connection.abort()
        self._idle = [connection for connection in self._idle if connection.is_reusable]
        self._sweep = loop.call_later(IDLE_S, self._sweep_idle) if self._idle else None


@lru_cache(maxsize=64)  # the same ones again, until a token is renewed
def _header_lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = []
    for name, value in headers:
        text = value.encode("latin-1")
        if b"\n" in text or b"\r" in text:
            raise ValueError(f"header {name} has a line break in it")
        lines.append(b"%b: %b\r\n" % (name.encode(), text))
    return b"".join(lines)


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


class _Connection(asyncio.Protocol):
    """One connection; its parser calls back with the parts of a response."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._heard = False
        self._is_done = False
        self._ends_with_connection = False

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow."""
        return not self._is_done and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes | None, limit_s: float, *, is_head: bool = False) -> Answer:
        """One request and its answer. A cancelled or late one leaves the connection unusable. Raises Broken."""
        assert self._transport is not None
        assert not is_head, "answers without the body that their headers promise are not read here"
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._heard = False
        self._headers, self._body = [], []
        late = loop.call_later(limit_s, self._late, limit_s)
        self._transport.write(head if body is None else head + body)
        try:
            return await self._waiting
        finally:
            late.cancel()
            if not self._waiting.done() or self._waiting.cancelled() or self._waiting.exception() is not None:
                self.abort()
            self._waiting = None

    def abort(self) -> None:
        """Close at once."""
        self._is_done = True
        if self._transport is not None:
            self._transport.abort()

    def _late(self, limit_s: float) -> None:
        self._fail(TimeoutError(f"no answer within {limit_s:.0f} s"))

    def _fail(self, error: Exception) -> None:
        self._is_done = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    # ------------------------------------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without being its subclass

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._waiting is None:
            self.abort()  # nobody has asked: whatever this is, it must not be taken for the next answer
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            self._fail(Broken(f"not HTTP: {e}"))
            self.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ends_with_connection and exc is None and self._waiting is not None and not self._waiting.done():
            self._finish()
        self._fail(Broken(f"the connection was closed: {exc or 'by the server'}", unheard=not self._heard))
        self._transport = None
        del self._parser  # both have us: what is closed is to be freed at once, with its buffers, and be no cycle
        if not self.closed.done():
            self.closed.set_result(None)

    # ------------------------------------------------------------------------------------------ the parser's calls

    def on_message_begin(self) -> None:
        """A response begins; one that nobody waits for makes the connection useless."""
        if self._waiting is None or self._waiting.done():
            self._is_done = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """All headers: from here on it is known how the body ends."""
        sized = any(name.lower() in _SIZES for name, _ in self._headers)
        bodiless = self._parser.get_status_code() in (204, 304)
        self._ends_with_connection = not sized and not bodiless

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The whole answer."""
        if 100 <= self._parser.get_status_code() < 200:
            self._headers, self._body = [], []  # an interim answer: the real one follows
            return
        self._finish()

    def _finish(self) -> None:
        if not self._parser.should_keep_alive() or self._ends_with_connection:
            self._is_done = True
        if self._waiting is not None and not self._waiting.done():
            status = self._parser.get_status_code()
            headers = _texts(self._headers) if status >= 400 else {}
            self._waiting.set_result(Answer(status, headers, b"".join(self._body)))
        if self._is_done and self._transport is not None:
            self._transport.close()
