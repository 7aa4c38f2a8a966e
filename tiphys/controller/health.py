"""What a controller answers over HTTP: metrics, whether it lives, whether it is ready, and what its actors wait for.

`/livez` is true while the event loop turns; `/readyz` once every informer has synced; `/debug/actors` lists every actor
of a room with the sentence it gives for what it waits for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from runtime.system import System

ACTORS_MAX = 10_000  # listed at once
ROOMS = ("workflow", "node", "lock", "cron")


def named(value: Any) -> Any:
    """Records as maps of their fields' names, all the way down."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: named(entry) for name, entry in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [named(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): named(entry) for key, entry in value.items()}
    return value if isinstance(value, int | float | str | None) else str(value)


def application(system: System) -> web.Application:
    """The HTTP side of a running system."""

    async def metrics(request: web.Request) -> web.Response:
        del request
        return web.Response(body=system.exposition(), content_type="text/plain", charset="utf-8")

    async def alive(request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok\n")

    async def ready(request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok\n") if system.ready else web.Response(status=503, text="caches are filling\n")

    async def actors(request: web.Request) -> web.Response:
        rooms = [request.query["room"]] if "room" in request.query else list(ROOMS)
        listed = [
            {"actor": str(address), "uid": address.uid, "waits": system.explain(address)}
            for room in rooms
            for address in system.addresses(room)[:ACTORS_MAX]
        ]
        body = {"statistics": named(system.statistics()), "actors": listed}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    app = web.Application()
    for path, handler in (("/metrics", metrics), ("/livez", alive), ("/healthz", alive), ("/readyz", ready)):
        app.router.add_get(path, handler)
    app.router.add_get("/debug/actors", actors)
    return app


@asynccontextmanager
async def answering(system: System, host: str, port: int) -> AsyncIterator[str]:
    """Answer on `host:port` (0: any free port); gives the URL. Raises OSError when the port is taken."""
    runner = web.AppRunner(application(system), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
