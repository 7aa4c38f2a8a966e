"""What a controller answers over HTTP: metrics, whether it lives, whether it is ready, and what its actors wait for.

`/livez` says whether the process should be restarted, `/readyz` whether its caches are full and fresh and it is known
who leads; both name what is wrong. `/debug/actors` is the tree of all actors with the sentence each gives for what it
waits for; `/debug/recording` is the flight recorder's, where there is one.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
from aiohttp import web

from runtime.health import not_alive, not_ready
from runtime.recorder import Recorder
from runtime.statistics import Resident
from runtime.system import System
from tiphys.observability.gauges import exposition

ACTORS_MAX = 10_000  # listed at once


def named(value: Any) -> Any:
    """Records as maps of their fields' names, all the way down."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: named(entry) for name, entry in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [named(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): named(entry) for key, entry in value.items()}
    return value if isinstance(value, int | float | str | None) else str(value)


def shown(resident: Resident) -> dict[str, Any]:
    """An actor as `/debug/actors` lists it."""
    address, parent, waits, mailbox, attempt, quarantined = resident
    entry: dict[str, Any] = {"actor": str(address), "room": address.room, "uid": address.uid, "waits": waits}
    if parent is not None:
        entry["parent"] = str(parent)
    if mailbox:
        entry["mailbox"] = mailbox
    if attempt:
        entry["restarts"] = attempt
    if quarantined:
        entry["quarantined"] = True
    return entry


class Shown(Protocol):
    """What can be looked at over HTTP."""

    def exposition(self, now: float) -> bytes:
        """Metrics, as Prometheus reads them."""
        ...

    def not_alive(self) -> list[str]:
        """Why it should be restarted."""
        ...

    def not_ready(self) -> list[str]:
        """Why nothing should be expected of it."""
        ...

    def document(self, room: str) -> dict[str, Any]:
        """What `/debug/actors` says; `room` empty: of all."""
        ...

    def recorder(self, shard: str) -> Recorder | None:
        """The flight recorder; of that shard, where there are several."""
        ...


class Alone:
    """One system for all."""

    def __init__(self, system: System) -> None:
        self._system = system

    def exposition(self, now: float) -> bytes:
        """As `observability.gauges` has it."""
        return exposition(self._system, now)

    def not_alive(self) -> list[str]:
        """As `runtime.health` judges."""
        return not_alive(self._system.statistics())

    def not_ready(self) -> list[str]:
        """As `runtime.health` judges."""
        return not_ready(self._system.statistics())

    def document(self, room: str) -> dict[str, Any]:
        """Its statistics and its actors."""
        return document(self._system, room)

    def recorder(self, shard: str) -> Recorder | None:
        """Its recorder."""
        del shard
        return self._system.recorder


def document(system: System, room: str) -> dict[str, Any]:
    """What `/debug/actors` says of a system."""
    found = system.census(room, ACTORS_MAX)
    return {"statistics": named(system.statistics()), "actors": [shown(resident) for resident in found]}


def application(what: System | Shown, token: str = "") -> web.Application:
    """The HTTP side of a running system; with a `token`, only for whoever bears it."""
    face: Shown = Alone(what) if isinstance(what, System) else what

    async def metrics(request: web.Request) -> web.Response:
        del request
        return web.Response(body=face.exposition(time.time()), content_type="text/plain", charset="utf-8")

    async def actors(request: web.Request) -> web.Response:
        body = face.document(request.query.get("room", ""))
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def recording(request: web.Request) -> web.Response:
        found = face.recorder(request.query.get("shard", ""))
        if found is None:
            return web.Response(status=404, text="nothing is recorded: start the controller with --record\n")
        return web.Response(text="\n".join(found.lines()) + "\n", content_type="application/x-ndjson")

    app = web.Application(middlewares=[_bearers_of(token)] if token else [])
    for path, judge in (("/livez", face.not_alive), ("/healthz", face.not_alive), ("/readyz", face.not_ready)):
        app.router.add_get(path, _verdict(judge))
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/debug/actors", actors)
    app.router.add_get("/debug/recording", recording)
    return app


def _verdict(judge: Callable[[], list[str]]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        del request
        complaints = judge()
        return web.Response(status=503 if complaints else 200, text="\n".join(complaints or ["ok"]) + "\n")

    return answer


def _bearers_of(token: str) -> Any:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            return web.Response(status=401, text="the token is missing: it stands beside the kubeconfig\n")
        return await handler(request)

    return check


@asynccontextmanager
async def answering(what: System | Shown, host: str, port: int, token: str = "") -> AsyncIterator[str]:
    """Answer on `host:port` (0: any free port); gives the URL. Raises OSError when the port is taken."""
    runner = web.AppRunner(application(what, token), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
