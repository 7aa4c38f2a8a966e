"""A few answers of an engine over a socket of its own, as the engines' documentation and our recordings have them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tiphys.devcluster.node.engine.api import EngineApi, connected

IMAGE = {"Id": "sha256:here", "Config": {"Entrypoint": ["/entry"], "Cmd": ["go"]}}


class FakeEngine:
    """Has the images that it was given or could pull; `password` is what its registry asks for."""

    def __init__(self, *, version: str = "1.41", password: str = "", late: bool = False) -> None:
        self.version = version
        self.password = password
        self.late = late  # refuses a pull in its stream, as Podman does, not by its status, as Docker does
        self.images: set[str] = set()
        self.pulls: list[str] = []
        self.paths: list[str] = []

    def application(self) -> web.Application:
        """The server."""
        served = web.Application()
        served.router.add_get("/version", self._version)
        served.router.add_get("/v{v}/images/{name:.+}/json", self._image)
        served.router.add_post("/v{v}/images/create", self._pull)
        served.router.add_delete("/v{v}/containers/{name}", self._absent)
        return served

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"Version": "9.9", "ApiVersion": self.version, "Components": [{"Name": "Engine"}]})

    async def _image(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        name = request.match_info["name"]
        if name not in self.images:
            return web.json_response({"message": f"No such image: {name}"}, status=404)
        return web.json_response(IMAGE)

    async def _pull(self, request: web.Request) -> web.Response:
        reference = ":".join(filter(None, (request.query["fromImage"], request.query.get("tag", ""))))
        login = request.headers.get("X-Registry-Auth", "")
        self.pulls.append(login)
        if login != self.password:
            words = "unauthorized: who are you?"
            if not self.late:
                return web.json_response({"message": words}, status=500)
            lines = [{"status": "Trying"}, {"errorDetail": {"message": words}, "error": words}]
            return web.Response(text="".join(json.dumps(line) + "\r\n" for line in lines))
        self.images.add(reference)
        return web.Response(text='{"status":"Pulling"}\r\n{"status":"Done"}\r\n')

    async def _absent(self, request: web.Request) -> web.Response:
        return web.json_response({"message": "No such container"}, status=404)


@asynccontextmanager
async def served(fake: FakeEngine, folder: Path) -> AsyncIterator[EngineApi]:
    """A client of the fake."""
    runner = web.AppRunner(fake.application())
    await runner.setup()
    socket = folder / "engine.sock"
    await web.UnixSite(runner, str(socket)).start()
    try:
        async with connected(socket) as engine:
            yield engine
    finally:
        await runner.cleanup()
