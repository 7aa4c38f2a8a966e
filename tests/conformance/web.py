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


BUCKET = "/my-bucket"
"""What examples call the bucket of a store of their own: what is put there is kept."""


class Web:
    """The server, what it has been told to answer, and what it keeps."""

    def __init__(self) -> None:
        self.url = ""
        self._answers: dict[str, Mapping[str, Any]] = {}  # by path: the address without its scheme
        self._kept: dict[str, bytes] = {}

    def here(self, thing: Object, served: Served, store: str = "") -> Object:
        """The same document, asking this server for what those addresses have, and using it for `store`."""
        text = orjson.dumps(thing).decode()
        if store:
            text = text.replace(store, self.url.partition("://")[2])
        for address, answer in served.items():
            path = address.partition("://")[2]
            self._answers[f"/{path}"] = answer
            text = text.replace(f'"{address}"', f'"{self.url}/{path}"')
        changed: Object = orjson.loads(text)
        return changed

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == BUCKET:
            return self._listed(request.query.get("prefix", ""))
        if request.path.startswith(f"{BUCKET}/"):
            return await self._keep(request)
        answer = self._answers.get(request.path_qs)
        if answer is None:
            return web.Response(status=501, text=f"the table has no answer for {request.path_qs}")
        return web.Response(status=answer["code"], text=answer["body"])

    def _listed(self, prefix: str) -> web.Response:
        keys = [path.removeprefix(f"{BUCKET}/") for path in self._kept]
        found = [key for key in keys if key.startswith(prefix)]
        size, changed = "<Size>1</Size>", "<LastModified>1970-01-01T00:00:00.000Z</LastModified>"
        contents = "".join(f"<Contents><Key>{key}</Key>{changed}<ETag>kept</ETag>{size}</Contents>" for key in found)
        head = f"<Name>{BUCKET[1:]}</Name><KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>"
        text = f"<ListBucketResult>{head}{contents}</ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")

    async def _keep(self, request: web.Request) -> web.Response:
        """As a bucket that asks nobody who they are."""
        if request.method == "PUT":
            self._kept[request.path] = await request.read()
            return web.Response(headers={"ETag": '"kept"'})
        kept = self._kept.get(request.path)
        if kept is None:
            return web.Response(status=404)
        changed = {"ETag": '"kept"', "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT"}
        return web.Response(body=kept, headers=changed)

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
