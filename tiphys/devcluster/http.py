"""The API over HTTPS, for whoever is outside the process: loopback only, with a token, and not for web pages.

An open port that runs commands would be a hole for every account of the machine, and by DNS rebinding for web pages: so
a request without the token is refused, and so is one with an Origin or a Host that is not ours.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any

import orjson
from aiohttp import web

from runtime.api import ApiError
from runtime.log import Log
from runtime.objects import Object
from tiphys.devcluster import commands, errors, query
from tiphys.devcluster.answers import JSON, Answer, Call, answer, check_version
from tiphys.devcluster.credentials import Credentials, new_credentials
from tiphys.devcluster.documents import REVIEWS, TEXT, Document, document
from tiphys.devcluster.inprocess import close, pod_log
from tiphys.devcluster.lane import Asked, Lane, response
from tiphys.devcluster.logs import container_of
from tiphys.devcluster.pki import server_context
from tiphys.devcluster.routes import Target, target
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.streams import WatchStream
from tiphys.devcluster.tokens import OWNER, User

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SHUTDOWN_S = 0.1  # how long open streams may take to end: they have nothing left to say
GZIP_BYTES = 128 * 1024  # shorter answers are not worth it, as upstream
STREAMED = (*commands.STREAMS, "log")  # subresources whose answers are no single document
OPEN_PATHS = ("/readyz", "/livez", "/healthz", "/version")  # asked by probes, which have no token

log = Log()


class PortInUse(Exception):
    """The port is taken by another process. The message says what to do."""


class HttpsFront:
    """Serves one `ApiServer`; an async context manager, ready when entered."""

    def __init__(
        self, server: ApiServer, host: str = "127.0.0.1", port: int = 0, *, credentials: Credentials | None = None
    ) -> None:
        if host not in LOOPBACK:
            raise ValueError(f"{host}: the dev cluster listens on loopback only: use 127.0.0.1 or ::1")
        self._server = server
        self._host = host
        self._port = port
        self._stack = AsyncExitStack()
        self._credentials = credentials or new_credentials()
        self.token = server.token = self._credentials.token
        server.signing_key = self._credentials.signing.encode()
        self.url = ""
        self._origins: set[str] = set()
        self._lanes: set[Lane] = set()

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the authority that clients must trust."""
        return self._credentials.identity.ca_pem

    @property
    def credentials(self) -> Credentials:
        """What clients must know, the port among it."""
        return self._credentials._replace(port=self._port)

    async def __aenter__(self) -> HttpsFront:
        runner = web.ServerRunner(
            web.Server(self._handle, request_factory=_request, access_log=None, handler_cancellation=True),
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_S,
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        try:
            await self._listen(runner)
        except OSError as e:
            await self._stack.aclose()
            if e.errno != errno.EADDRINUSE:
                raise
            raise PortInUse(
                f"port {self._port} is in use: another dev cluster may be running; choose another with --port, "
                "or --port 0 for any free one"
            ) from e
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"https://{host}:{self._port}"
        self._origins = {f"https://{name}:{self._port}" for name in ("127.0.0.1", "[::1]", "localhost")}
        return self

    async def _listen(self, runner: web.ServerRunner) -> None:
        """On the wished port; without a wish on the one of last time, if it is free."""
        full = runner.server
        assert full is not None, "the runner is set up"
        context = server_context(self._credentials.identity)

        def lane() -> Lane:
            return Lane(self._quick, full, query.BODY_MAX, self._lanes)

        async def listen(port: int) -> asyncio.Server:
            loop = asyncio.get_running_loop()
            return await loop.create_server(lane, self._host, port, ssl=context, backlog=128)

        server: asyncio.Server | None = None
        if not self._port and self._credentials.port:
            with suppress(OSError):
                server = await listen(self._credentials.port)
        server = server or await listen(self._port)
        self._stack.push_async_callback(self._close, server, runner)
        self._port = server.sockets[0].getsockname()[1]

    async def _close(self, server: asyncio.Server, runner: web.ServerRunner) -> None:
        server.close()
        lanes = tuple(self._lanes)
        for lane in lanes:
            lane.abort()
        for lane in lanes:
            await lane.closed
        await runner.cleanup()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    # -------------------------------------------------------------------------------------------- one request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request, self._guard(request.path, request.headers))
        except ApiError as e:
            return _failed(await self._settled(e))

    async def _settled(self, error: ApiError) -> ApiError:
        """A refusal, once all that it rests on is kept; else why that could not be kept."""
        try:
            if self._server.settled is not None:
                await self._server.settled()
        except ApiError as e:
            return e
        return error

    def _guard(self, path: str, headers: Mapping[str, str]) -> User:
        """Who asks, by headers that are found in lower case. Raises Refused (401, 403)."""
        origin = headers.get("origin")  # WebSocket libraries send our own
        if origin is not None and origin not in self._origins:
            raise errors.failure(403, "Forbidden", "requests from web pages (with a foreign Origin header) are refused")
        host = headers.get("host", "").rsplit(":", 1)[0]
        if host.strip("[]") not in LOOPBACK:
            raise errors.failure(403, "Forbidden", f"requests for the host {host!r} are refused: use {self.url}")
        if path in OPEN_PATHS:
            return OWNER
        kind, _, token = headers.get("authorization", "").partition(" ")
        user = self._server.user_of(token.strip()) if kind == "Bearer" else None
        if user is None:
            raise errors.failure(401, "Unauthorized", "Unauthorized")
        return user

    def _quick(self, asked: Asked) -> bytes | None:
        """The response to a request that needs no waiting: neither a stream nor a disk.

        A controller asks again and again for kinds that are not served; were a connection handed over for that, all
        that comes after on it would cost twice."""
        server = self._server
        if server.settled is not None:
            return None
        try:
            user = self._guard(asked.path, asked.headers)
            found = target(server.catalog, asked.path)
            if found is None:
                body = asked.body if asked.method == "POST" else b""
                shown = _document(server, asked.path, asked.headers, body, user)
                return _compressed(shown, asked.headers)
            if found.subresource in STREAMED or query.flag(asked.query, "watch"):
                return None
            call = _call(asked.method, found, asked.query, asked.headers, asked.body)
            made = answer(server, call)
            server.requests[asked.method, found.kind.resource.plural, made.code] += 1
            return _plain(made, asked.headers)
        except ApiError as e:
            return _plain_failure(e)
        except Exception as e:  # a bug of one request is not the other requests' business
            log.exception("request.broke", path=asked.path, exc_info=e)
            return _plain_failure(errors.internal(f"{type(e).__name__}: {e}"))

    async def _answer(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        found = target(self._server.catalog, request.path)
        if found is None:
            body = await request.read() if request.method == "POST" else b""
            shown = _document(self._server, request.path, request.headers, body, user)
            response = _json(request, shown.body, shown.code)
            response.headers["Content-Type"] = shown.content_type
            return response
        if found.subresource in commands.STREAMS and found.kind.resource.kind == "Pod" and found.name:
            return await commands.execute(self._server, request, found)
        call = await self._call(request, found)
        if found.subresource == "log" and request.method == "GET":
            return await self._log(request, found)
        if request.method == "GET" and query.flag(request.query, "watch"):
            if found.name:
                name = f"metadata.name={found.name}"
                call = call._replace(query={**request.query, "fieldSelector": name}, target=found._replace(name=""))
            return await self._watch(request, call)
        made = answer(self._server, call)
        if self._server.settled is not None:
            await self._server.settled()
        self._server.requests[request.method, found.kind.resource.plural, made.code] += 1
        response = _json(request, made.body, made.code)
        for warning in made.warnings:
            response.headers.add("Warning", f"299 - {orjson.dumps(warning).decode()}")
        return response

    async def _call(self, request: web.BaseRequest, found: Target) -> Call:
        try:
            raw = await request.read() if request.method != "GET" else b""
        except web.HTTPRequestEntityTooLarge as e:
            message = f"Request entity too large: limit is {query.BODY_MAX}"
            raise errors.failure(413, "RequestEntityTooLarge", message) from e
        return _call(request.method, found, request.query, request.headers, raw)

    async def _watch(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        check_version(self._server, call)
        stream = WatchStream(self._server, call)
        try:
            response = web.StreamResponse(headers={"Content-Type": JSON})
            await response.prepare(request)
            async for batch in stream.lines():
                await response.write(batch)
            await response.write_eof()
        except ConnectionError:
            return response  # the client has what it wanted and left
        finally:
            stream.close()
        return response

    async def _log(self, request: web.BaseRequest, found: Target) -> web.StreamResponse:
        pod = self._server.rest.read(found.kind, *found.key).object
        options = query.log_options(request.query, self._server.now())
        chunks = pod_log(self._server, pod, options._replace(container=container_of(pod, options.container)))
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        try:
            first = await anext(chunks, b"")  # what is wrong is said here, before the answer begins
            await response.prepare(request)
            await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            return response
        finally:
            await close(chunks)
        return response


def _call(method: str, found: Target, parameters: query.Query, headers: Mapping[str, str], raw: bytes) -> Call:
    """A request, decoded. Raises Refused for a body that cannot be read."""
    content_type = headers.get("content-type", "")
    known_patch = method != "PATCH" or content_type.startswith("application/")
    body = query.decode(raw, content_type) if known_patch and raw else None
    return Call(method, found, parameters, body, content_type, headers.get("accept", ""), headers.get("user-agent", ""))


def _plain(made: Answer, headers: Mapping[str, str]) -> bytes:
    """An answer as it goes over the wire; a long one compressed, if the client takes that."""
    more = "".join(f"Warning: 299 - {orjson.dumps(warning).decode()}\r\n" for warning in made.warnings)
    return _compressed(Document(made.body, JSON, made.code), headers, more)


def _compressed(shown: Document, headers: Mapping[str, str], more: str = "") -> bytes:
    """A document as it goes over the wire; `more` are further header lines."""
    if len(shown.body) < GZIP_BYTES or "gzip" not in headers.get("accept-encoding", ""):
        return response(shown.code, shown.content_type, shown.body, more)
    more += "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
    return response(shown.code, shown.content_type, gzip.compress(shown.body, 1), more)


def _plain_failure(error: ApiError) -> bytes:
    after = (error.status.get("details") or {}).get("retryAfterSeconds")
    return response(error.code, JSON, orjson.dumps(error.status), f"Retry-After: {after}\r\n" if after else "")


def _request(*parts: Any) -> web.BaseRequest:
    """A request as aiohttp's parser gives it: (message, payload, protocol, writer, task)."""
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=query.BODY_MAX
    )


def _json(request: web.BaseRequest, body: bytes, code: int) -> web.Response:
    """An answer; a long one compressed, if the client takes that."""
    if len(body) < GZIP_BYTES or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=body, status=code, content_type=JSON)
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return web.Response(body=gzip.compress(body, 1), status=code, content_type=JSON, headers=headers)


def _document(server: ApiServer, path: str, headers: Mapping[str, str], body: bytes, user: User) -> Document:
    """What is at a path that is no object's. Raises Refused for a body that cannot be read."""
    decoded = query.decode(body, headers.get("content-type", "")) if body and path in REVIEWS else None
    found = document(server, path, headers.get("accept", ""), decoded, user)
    return found or Document(b"404 page not found\n", TEXT, 404)


def _failed(error: ApiError) -> web.Response:
    status: Object = error.status
    headers = {}
    after = (status.get("details") or {}).get("retryAfterSeconds")
    if after:
        headers["Retry-After"] = str(after)
    return web.Response(body=orjson.dumps(status), status=error.code, content_type=JSON, headers=headers)
