"""A response that goes on and on, piece by piece: a watch or a log, at half of what a general HTTP client costs for it.

What has come and was not read yet is bounded: beyond that the server is made to wait. A stream on which nothing comes
for longer than promised is broken, for a connection may be dead without anybody having said so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import httptools

UNREAD_MAX = 4 * 1024 * 1024
"""Bytes that may wait to be read before the server has to."""


class Broken(OSError):
    """The connection failed before the response was at its end."""


class Stream(asyncio.Protocol):
    """One connection for one response. `silence_s` None: it may be silent for ever."""

    def __init__(self, silence_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self.status = 0
        self.headers: dict[str, str] = {}  # names in lower case
        self.opened: asyncio.Future[bool] = loop.create_future()  # by headers; False: by a failure before them
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._silence_s = silence_s
        self._heard_at = loop.time()
        self._alarm: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._unread = 0
        self._is_paused = self._is_over = self._ends_with_connection = False
        self._error: Exception | None = None
        self._more: asyncio.Future[None] | None = None

    async def ask(self, head: bytes) -> None:
        """Send the request and wait for the headers of the response. Raises Broken, TimeoutError."""
        assert self._transport is not None
        self._transport.write(head)
        if not await self.opened:
            raise self._failure()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises Broken, TimeoutError."""
        while True:
            taken, self._pieces, self._unread = self._pieces, [], 0
            if self._is_paused and self._transport is not None:
                self._is_paused = False
                self._transport.resume_reading()
            for piece in taken:
                yield piece
            if self._pieces:
                continue
            if self._error is not None:
                raise self._failure()
            if self._is_over:
                return
            self._more = self._loop.create_future()
            await self._more

    async def rest(self) -> bytes:
        """All of the body."""
        return b"".join([piece async for piece in self.pieces()])

    def abort(self) -> None:
        """Close at once, without a farewell: the server may be busy, and nothing of ours is in flight."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if not self._is_over and self._error is None:
            self._error = error
        if not self.opened.done():
            self.opened.set_result(False)
        self._wake()

    def _failure(self) -> Exception:
        """What went wrong, anew: we would be in a cycle with an error of ours that has a traceback."""
        assert self._error is not None
        return type(self._error)(*self._error.args)

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _look(self) -> None:
        """Is it silent for too long? A reader that is slow makes the server wait; that is no silence."""
        assert self._silence_s is not None
        left = self._heard_at + self._silence_s - self._loop.time()
        if left <= 0 and not self._is_paused:
            self._fail(TimeoutError(f"nothing came for {self._silence_s:.0f} s"))
            self.abort()
            return
        self._alarm = self._loop.call_later(max(left, 1.0), self._look)

    # ------------------------------------------------------------------------------------------ asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without being its subclass
        if self._silence_s is not None:
            self._alarm = self._loop.call_later(self._silence_s, self._look)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            self._fail(Broken(f"not HTTP: {e}"))
            self.abort()
            return
        self._wake()
        if self._unread > UNREAD_MAX and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._ends_with_connection and exc is None:
            self._is_over = True
        self._fail(Broken(f"the connection was closed: {exc or 'by the server'}"))
        self._transport = None
        del self._parser  # both have us: what is closed is to be freed at once, with its buffers, and be no cycle
        if not self.closed.done():
            self.closed.set_result(None)

    # ------------------------------------------------------------------------------------------ the parser's calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """All headers: from here on pieces of the body come."""
        self.status = self._parser.get_status_code()
        if 100 <= self.status < 200:
            self.headers = {}  # an interim answer: the real one follows
            return
        self._ends_with_connection = not {"content-length", "transfer-encoding"} & self.headers.keys()
        if not self.opened.done():
            self.opened.set_result(True)

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(data)
        self._unread += len(data)

    def on_message_complete(self) -> None:
        """The response is at its end."""
        if not 100 <= self._parser.get_status_code() < 200:
            self._is_over = True
            self._wake()
