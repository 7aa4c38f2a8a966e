"""Small real servers that speak the providers' protocols: what they were asked, and what they answer."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from actors.analysis.plan import provider_of
from actors.analysis.query import Query

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@dataclass
class Heard:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str

    @property
    def login(self) -> str:
        """User and password of basic authentication."""
        return base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()


@dataclass
class Server:
    """A server on this machine."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)


Reply = Callable[[Heard], Any]
"""What is answered: text, (status, text), JSON, or a ready response."""


@asynccontextmanager
async def serving(reply: Reply | Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Answer every request with `reply`, or with what it says."""
    server = Server()

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = Heard(request.method, request.path, dict(request.query), headers, await request.text())
        server.heard.append(heard)
        answer = reply(heard) if callable(reply) else reply
        if hasattr(answer, "__await__"):
            answer = await answer
        if isinstance(answer, web.StreamResponse):
            return answer
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(answer, str):
            return web.Response(text=answer, status=status)
        return web.json_response(answer, status=status)

    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def query(provider: dict[str, Any], **fields: Any) -> Query:
    """A question to a provider."""
    metric = {"name": "m", "provider": provider, **fields.pop("metric", {})}
    return Query(metric, provider_of(metric), "default", "r", fields.pop("now", NOW), NOW - 600, **fields)
