"""Responses that go on and on, from a server that sends whatever bytes a test wants, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest

from runtime import stream as module
from runtime.stream import Broken, Stream
from runtime.wire import Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def streaming(
    answer: Callable[[asyncio.StreamWriter], Any], silence_s: float | None = 5.0
) -> AsyncIterator[Stream]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        try:
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    asked: list[bytes] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", None)
        stream = await wire.stream("/x?watch=true", {"Accept": "application/json"}, silence_s)
        assert asked[0].startswith(b"GET /base/x?watch=true HTTP/1.1\r\nHost: 127.0.0.1")
        try:
            yield stream
        finally:
            stream.abort()
            await stream.closed


async def read(stream: Stream, found: list[bytes] | None = None) -> bytes:
    found = [] if found is None else found
    async for piece in stream.pieces():
        found.append(piece)
    return b"".join(found)


async def test_pieces_come_as_they_are_sent_and_the_end_is_the_end():
    go_on = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\nabc\r\n")
        await go_on.wait()
        writer.write(b"2\r\nde\r\n0\r\n\r\n")

    async with streaming(answer) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "application/json")
        pieces = stream.pieces()
        assert await anext(pieces) == b"abc"
        go_on.set()
        assert [piece async for piece in pieces] == [b"de"]


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc"),
        (HEAD + b"\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + b"1\r\na\r\n0\r\n\r\n", b"a"),
    ],
)
async def test_a_body_ends_as_its_headers_say(sent: bytes, body: bytes):
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    async with streaming(answer) as stream:
        assert await read(stream) == body


async def test_what_has_come_before_the_connection_breaks_is_read_and_then_it_is_broken():
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\nabc\r\n5\r\nde")

    async with streaming(answer) as stream:
        found: list[bytes] = []
        with pytest.raises(Broken, match="closed"):
            await read(stream, found)
        assert b"".join(found) == b"abcde"


@pytest.mark.parametrize("sent", [b"", b"SSH-2.0-OpenSSH\r\n\r\n"])
async def test_what_is_no_answer_is_broken_at_once(sent: bytes):
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    with pytest.raises(Broken):
        async with streaming(answer):
            pass


async def test_a_stream_on_which_nothing_comes_is_hung_up_on():
    over = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\nabc\r\n")
        await over.wait()

    async with streaming(answer, silence_s=0.05) as stream:
        pieces = stream.pieces()
        assert await anext(pieces) == b"abc"
        with pytest.raises(TimeoutError, match="nothing came"):
            await anext(pieces)
        over.set()


async def test_a_server_that_sends_more_than_is_read_has_to_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "UNREAD_MAX", 100_000)
    piece, number = b"10000\r\n" + b"x" * 65536 + b"\r\n", 200

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for _ in range(number):
            writer.write(piece)
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    async with streaming(answer) as stream:
        while not stream._is_paused:
            await anyio.lowlevel.checkpoint()
        assert stream._unread < 1_000_000
        assert len(await read(stream)) == number * 65536


async def test_a_closed_stream_is_freed_at_once():
    """It has a parser, a transport and, over TLS, a quarter of a MiB of buffers: no cycle may keep them."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"3\r\nabc\r\n")

    gc.disable()
    try:
        async with streaming(answer) as stream:
            with pytest.raises(Broken):
                await read(stream)
            left = weakref.ref(stream)
        del stream
        await anyio.wait_all_tasks_blocked()
        assert left() is None
    finally:
        gc.enable()


async def test_a_stream_that_is_never_answered_is_freed_at_once():
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    gc.collect()
    gc.disable()
    try:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None)
            with suppress(Broken):
                await wire.stream("/x", {}, 5.0)
            await anyio.wait_all_tasks_blocked()
        assert [thing for thing in gc.get_objects() if isinstance(thing, Stream)] == []
    finally:
        gc.enable()
