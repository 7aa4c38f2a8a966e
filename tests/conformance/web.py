"""A web server on loopback stands in for the sites that examples ask: what it answers is in the table.

A document is sent to the cluster with its addresses turned to this server, and is otherwise as it was written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import orjson
from aiohttp import web

from runtime.objects import Object

Served: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Address as the example writes it -> `code` and `body` of the answer."""


class Web:
    """The server, and what it has been told to answer."""

    def __init__(self) -> None:
        self.url = ""
        self._answers: dict[str, Mapping[str, Any]] = {}  # by path: the address without its scheme

    def here(self, thing: Object, served: Served) -> Object:
        """The same document, asking this server for what those addresses have."""
        text = orjson.dumps(thing).decode()
        for address, answer in served.items():
            path = address.partition("://")[2]
            self._answers[f"/{path}"] = answer
            text = text.replace(f'"{address}"', f'"{self.url}/{path}"')
        changed: Object = orjson.loads(text)
        return changed

    async def _answer(self, request: web.Request) -> web.Response:
        answer = self._answers.get(request.path_qs)
        if answer is None:
            return web.Response(status=501, text=f"the table has no answer for {request.path_qs}")
        return web.Response(status=answer["code"], text=answer["body"])

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer on a free port of loopback."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            yield
        finally:
            await runner.cleanup()
