"""How requests come to the server: over connections of our own, or through a proxy, which is a general client's job.

Neither knows what it carries: paths and bytes in, a status, headers and bytes out. Both raise OSError, TimeoutError or
aiohttp.ClientError when nobody knows what became of a request.
"""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

import aiohttp
import anyio

from runtime.credentials import Access
from runtime.wire import Answer, Wire

REQUEST_S = 60.0  # a request that takes longer is Unavailable: nobody knows what became of it
CONNECT_S = 10.0
LARGE = 1024 * 1024  # bytes: from here on aiohttp wants a file, which it sends in pieces


class Opened(NamedTuple):
    """A response that goes on and on: its head, and the pieces of its body as they come."""

    status: int
    headers: dict[str, str]  # names in lower case
    pieces: AsyncIterator[bytes]


class Transport(Protocol):
    """The way to one server. Belongs to one event loop; connections are opened when they are needed."""

    async def request(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Send a request and wait for the whole answer."""
        ...

    def stream(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], silence_s: float | None
    ) -> AbstractAsyncContextManager[Opened]:
        """GET what goes on and on, for as long as it is looked at; `silence_s` without a byte is a TimeoutError."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class Direct:
    """Over connections of our own."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._wire: Wire | None = None

    async def request(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """See Transport."""
        return await self._open().request(method, _target(path, query), headers, body, REQUEST_S)

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], silence_s: float | None
    ) -> AsyncIterator[Opened]:
        """See Transport."""
        stream = await self._open().stream(_target(path, query), headers, silence_s)
        try:
            async with aclosing(stream.pieces()) as pieces:
                yield Opened(stream.status, stream.headers, pieces)
        finally:
            stream.abort()
            with anyio.CancelScope(shield=True):
                await stream.closed

    def _open(self) -> Wire:
        if self._wire is None:
            self._wire = Wire(self._access.url, self._access.tls, connect_s=CONNECT_S)
        return self._wire

    async def aclose(self) -> None:
        """See Transport."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()


class Proxied:
    """Through the proxy that a kubeconfig names."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """See Transport."""
        async with self._open().request(
            method,
            self._access.url + path,
            params=query,
            data=io.BytesIO(body) if body is not None and len(body) >= LARGE else body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=REQUEST_S, sock_connect=CONNECT_S),
            proxy=self._access.proxy,
        ) as response:
            return Answer(response.status, _lower(response), await response.read())

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], silence_s: float | None
    ) -> AsyncIterator[Opened]:
        """See Transport."""
        response = await self._open().get(
            self._access.url + path,
            params=query,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=silence_s),
            proxy=self._access.proxy,
        )
        try:
            async with aclosing(_pieces(response)) as pieces:
                yield Opened(response.status, _lower(response), pieces)
        finally:
            await _hang_up(response)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._access.tls or False, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def aclose(self) -> None:
        """See Transport."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def transport_for(access: Access) -> Transport:
    """Through the proxy, if there is to be one."""
    return Proxied(access) if access.proxy else Direct(access)


async def _pieces(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for piece in response.content.iter_any():
        yield piece


async def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Close a stream that may not be at its end, with its connection: the loop may end right after."""
    protocol = response.connection.protocol if response.connection is not None else None
    closed = protocol.closed if protocol is not None else None
    if protocol is not None:
        protocol.abort()  # no farewell over TLS: the server may be busy, and nothing of ours is in flight
    response.close()
    if closed is not None:
        with anyio.CancelScope(shield=True):
            await closed


def _lower(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _target(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{_encoded(tuple(query.items()))}" if query else path


@lru_cache(maxsize=256)  # nearly always the field manager alone
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query)
