"""A wire keeps connections, takes no other answer for its own, and says what is known when one breaks."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from runtime.wire import LIST_MAX, Broken, Wire

Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A server of scripted replies; counts its connections and keeps what it was sent."""

    def __init__(self, reply: Reply) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._reply = reply

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    (int(line.split()[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Len")), 0
                )
                self.requests.append(head + await reader.readexactly(size))
                await self._reply(reader, writer, number)
                number += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def served(reply: Reply) -> AsyncIterator[tuple[Server, Wire]]:
    talker = Server(reply)
    server = await asyncio.start_server(talker.talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = Wire(f"http://127.0.0.1:{port}/base", None)
    try:
        yield talker, wire
    finally:
        await wire.aclose()
        server.close()
        await server.wait_closed()


def always(*pieces: bytes) -> Reply:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return reply


async def get(wire: Wire, limit_s: float = 5.0) -> tuple[int, bytes]:
    answer = await wire.request("GET", "/x?y=1", {"A": "b"}, None, limit_s)
    return answer.status, answer.body


async def test_requests_one_after_the_other_share_a_connection() -> None:
    async with served(always(OK)) as (server, wire):
        for _ in range(3):
            assert await get(wire) == (200, b"ok")
        assert server.connections == 1
    assert server.requests[0].startswith(b"GET /base/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nA: b\r\n" in server.requests[0]


async def test_requests_at_the_same_time_have_a_connection_each_and_their_own_answer() -> None:
    async def echo(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        body = server.requests[-1].partition(b"\r\n\r\n")[2]
        await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with served(echo) as (server, wire):
        answers: dict[int, bytes] = {}

        async def post(number: int) -> None:
            answers[number] = (await wire.request("POST", "/", {}, b"body %d" % number, 5.0)).body

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(post, number)
        assert set(answers.values()) <= {b"body %d" % number for number in range(5)}
        assert len(answers) == 5


async def test_chunks_and_bodies_that_come_in_pieces_are_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with served(always(head, b"3\r\nab", b"c\r\n", b"2\r\nde\r\n0\r\n\r\n")) as (_, wire):
        assert await get(wire) == (200, b"abcde")
        assert await get(wire) == (200, b"abcde")


async def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await writer.drain()
        writer.close()

    async with served(reply) as (_, wire):
        assert await get(wire) == (200, b"all of it")


async def test_a_body_that_is_cut_off_is_broken() -> None:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async with served(reply) as (_, wire):
        with pytest.raises(Broken) as caught:
            await get(wire)
        assert not caught.value.unheard


async def test_an_error_brings_its_headers() -> None:
    refused = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"
    async with served(always(refused)) as (_, wire):
        answer = await wire.request("GET", "/x", {}, None, 5.0)
        assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "7", b"no")


async def test_an_interim_answer_is_not_the_answer() -> None:
    async with served(always(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as (_, wire):
        assert await get(wire) == (200, b"ok")


async def test_a_connection_that_the_server_says_it_closes_is_not_used_again() -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with served(always(closing)) as (server, wire):
        await get(wire)
        await get(wire)
        assert server.connections == 2


@pytest.mark.parametrize(("method", "again"), [("GET", True), ("DELETE", True), ("POST", False), ("PATCH", False)])
async def test_a_kept_connection_that_turns_out_dead_is_replaced_for_what_may_be_sent_twice(
    method: str, again: bool
) -> None:
    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        if number == 0:
            writer.write(OK)
        else:
            writer.close()  # the second request on a connection meets a server that hangs up

    async with served(reply) as (server, wire):
        await get(wire)
        if again:
            assert (await wire.request(method, "/", {}, None, 5.0)).status == 200
            assert server.connections == 2
        else:
            with pytest.raises(Broken) as caught:
                await wire.request(method, "/", {}, None, 5.0)
            assert caught.value.unheard
            assert server.connections == 1


async def test_an_answer_that_does_not_come_is_a_timeout_and_ends_its_connection() -> None:
    async with served(always()) as (server, wire):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await get(wire, limit_s=0.01)
        assert server.connections == 2


async def test_a_request_that_is_cancelled_leaves_no_answer_for_the_next_one() -> None:
    asked = anyio.Event()
    replies = iter([b"late", b"ok"])

    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        body = next(replies)
        asked.set()
        if body == b"ok":
            writer.write(OK)

    async with served(reply) as (server, wire):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get, wire)
            await asked.wait()
            tasks.cancel_scope.cancel()
        assert await get(wire) == (200, b"ok")
        assert server.connections == 2


@pytest.mark.parametrize("unasked", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"HTTP/1.1 200 OK\r\nX: "])
async def test_what_nobody_asked_for_ends_the_connection(unasked: bytes) -> None:
    async with served(always(OK + unasked)) as (server, wire):
        assert await get(wire) == (200, b"ok")
        assert await get(wire) == (200, b"ok")
        assert server.connections == 2


async def test_what_is_not_http_is_broken() -> None:
    async with served(always(b"SSH-2.0-OpenSSH\r\n")) as (_, wire):
        with pytest.raises(Broken, match="not HTTP"):
            await get(wire)


async def test_a_server_that_is_not_there_is_an_os_error() -> None:
    wire = Wire("http://127.0.0.1:1", None)
    with pytest.raises(OSError, match="127"):
        await get(wire)
    await wire.aclose()


async def test_a_header_cannot_smuggle_another_line() -> None:
    async with served(always(OK)) as (server, wire):
        with pytest.raises(ValueError, match="line break"):
            await wire.request("GET", "/", {"A": "b\r\nEvil: c"}, None, 5.0)
        assert server.connections == 0


async def test_over_what_a_long_list_has_come_no_other_request_goes() -> None:
    """TLS keeps the room that the list needed for as long as the connection is there."""
    long = b"x" * (LIST_MAX + 1)
    answers = [long, b"ok", b"ok"]

    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        del number
        body = answers.pop(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with served(reply) as (server, wire):
        assert await get(wire) == (200, long)
        assert await get(wire) == (200, b"ok")
        assert await get(wire) == (200, b"ok")
        assert server.connections == 2


async def test_a_closed_connection_is_freed_at_once() -> None:
    """It has a parser, a transport and, over TLS, a quarter of a MiB of buffers: no cycle may keep them."""
    gc.disable()
    try:
        async with served(always(OK)) as (_, wire):
            await get(wire)
            (kept,) = map(weakref.ref, wire._idle)
            await wire.aclose()
            await anyio.wait_all_tasks_blocked()
            assert kept() is None
    finally:
        gc.enable()
