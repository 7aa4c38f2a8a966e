"""The lane for small requests: what it answers itself, and that the full server gets whatever is unusual, whole."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from tiphys.devcluster.cluster import DevCluster
from tiphys.devcluster.lane import Asked, Lane, response

PATH = "/api/v1/namespaces/default/configmaps"


class _Client:
    """A connection that says what it is told to, byte for byte."""

    def __init__(self, cluster: DevCluster, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.host = cluster.url.removeprefix("https://")
        self.token = cluster.token
        self.reader, self.writer = reader, writer

    def request(self, line: str, body: str = "", *, more: str = "") -> bytes:
        head = f"{line} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.token}\r\n{more}"
        length = f"Content-Length: {len(body.encode())}\r\n" if body else ""
        return f"{head}{length}\r\n{body}".encode()

    async def answer(self) -> tuple[int, str]:
        """The next answer: its code and body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        code = int(head.split(" ")[1])
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        return code, (await self.reader.readexactly(int(headers["content-length"]))).decode()


async def _connected(cluster: DevCluster) -> _Client:
    tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    host, _, port = cluster.url.removeprefix("https://").rpartition(":")
    return _Client(cluster, *await asyncio.open_connection(host, int(port), ssl=tls))


async def _closed(client: _Client) -> None:
    client.writer.close()
    await client.writer.wait_closed()


async def test_requests_that_come_together_are_answered_in_their_order(cluster: DevCluster) -> None:
    client = await _connected(cluster)
    made = client.request(f"POST {PATH}", '{"metadata":{"name":"a"}}', more="Content-Type: application/json\r\n")
    client.writer.write(made + made + client.request(f"GET {PATH}/a") + client.request(f"DELETE {PATH}/a"))
    assert [(await client.answer())[0] for _ in range(4)] == [201, 409, 200, 200]
    await _closed(client)


async def test_a_request_that_comes_byte_by_byte_is_one(cluster: DevCluster) -> None:
    client = await _connected(cluster)
    whole = client.request(f"POST {PATH}", '{"metadata":{"name":"slow"}}', more="Content-Type: application/json\r\n")
    for at in range(len(whole)):
        client.writer.write(whole[at : at + 1])
        await client.writer.drain()
    assert (await client.answer())[0] == 201
    await _closed(client)


@pytest.mark.parametrize(
    ("line", "more", "raw"),
    [
        ("GET /api/v1/namespaces/default/config%6Daps", "", b""),
        (f"GET {PATH}?limit=5", "Connection: close\r\n", b""),
        (f"POST {PATH}", "Transfer-Encoding: chunked\r\n", b'1a\r\n{"metadata":{"name":"ch"}}\r\n0\r\n\r\n'),
        (f"POST {PATH}", "Expect: 100-continue\r\nContent-Length: 26\r\n", b'{"metadata":{"name":"ex"}}'),
    ],
)
async def test_what_is_unusual_is_served_all_the_same_after_what_is_not(
    cluster: DevCluster, line: str, more: str, raw: bytes
) -> None:
    client = await _connected(cluster)
    client.writer.write(client.request(f"GET {PATH}") + client.request(line, more=more) + raw)
    assert (await client.answer())[0] == 200
    assert (await client.answer())[0] in (200, 201)
    await _closed(client)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/apis/traefik.io/v1alpha1/traefikservices?limit=500", 404),
        ("/version", 200),
        ("/apis", 200),
        ("/nowhere", 404),
    ],
)
async def test_who_asks_for_what_is_not_served_keeps_the_lane(cluster: DevCluster, path: str, code: int) -> None:
    client = await _connected(cluster)
    client.writer.write(client.request(f"GET {path}"))
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % code)
    assert b"\r\nServer: " not in head, "the full server tells its name"
    await _closed(client)


async def test_a_watch_takes_over_a_connection_that_was_used_for_verbs(cluster: DevCluster) -> None:
    client = await _connected(cluster)
    version = cluster.server.storage.version
    client.writer.write(client.request(f"GET {PATH}"))
    assert (await client.answer())[0] == 200
    client.writer.write(client.request(f"GET {PATH}?watch=true&resourceVersion={version}"))
    assert b" 200 " in await client.reader.readuntil(b"\r\n\r\n")
    other = await _connected(cluster)
    other.writer.write(other.request(f"POST {PATH}", '{"metadata":{"name":"seen"}}'))
    assert (await other.answer())[0] == 201
    assert b'"ADDED"' in await client.reader.readuntil(b"\n") + await client.reader.readuntil(b"\n")
    await _closed(client)
    await _closed(other)


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"NONSENSE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", 400), (b"x" * 40_000, 400)],
)
async def test_what_is_no_http_is_refused_by_the_full_server(cluster: DevCluster, raw: bytes, code: int) -> None:
    client = await _connected(cluster)
    client.writer.write(raw)
    assert f" {code} ".encode() in await client.reader.readuntil(b"\r\n\r\n")
    await _closed(client)


async def test_a_bug_in_one_request_is_an_internal_error_of_that_request(
    cluster: DevCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("what")

    client = await _connected(cluster)
    with monkeypatch.context() as patched:
        patched.setattr("tiphys.devcluster.http.answer", broken)
        client.writer.write(client.request(f"GET {PATH}"))
        code, body = await client.answer()
    assert (code, "KeyError" in body) == (500, True)
    client.writer.write(client.request(f"GET {PATH}"))
    assert (await client.answer())[0] == 200
    await _closed(client)


class _Sink(asyncio.Transport):
    """A connection whose client reads when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_read = True
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def abort(self) -> None:
        self.is_aborted = True


async def test_who_does_not_read_his_answers_gets_no_more_of_them() -> None:
    asked: list[Asked] = []

    def respond(one: Asked) -> bytes:
        asked.append(one)
        return response(200, "text/plain", b"ok")

    lane, sink = Lane(respond, asyncio.Protocol, 1000, set()), _Sink()
    lane.connection_made(sink)
    lane.pause_writing()
    lane.data_received(b"GET /a?x=1&x=2&y= HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (asked, sink.is_read) == ([], False)
    lane.resume_writing()
    assert (asked[0].path, asked[0].query, sink.is_read) == ("/a", {"x": "1", "y": ""}, True)
    assert sink.written.endswith(b"\r\n\r\nok")
    lane.connection_lost(None)
    assert lane.closed.done()
