"""How an image starts is asked of a registry as container runtimes ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from actors.node.image_question import ImageQuestion
from runtime.api import Refused, Unavailable
from tiphys.image_names import HUB, Image, parse
from tiphys.registry import Registry

INDEX = {
    "manifests": [
        {"digest": "sha256:arm", "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": "sha256:amd", "platform": {"os": "linux", "architecture": "amd64"}},
    ]
}
DOCUMENTS = {
    "/v2/my/app/manifests/1": INDEX,
    "/v2/my/app/manifests/sha256:amd": {"config": {"digest": "sha256:config"}},
    "/v2/my/app/blobs/sha256:config": {"config": {"Entrypoint": ["/app"], "Cmd": ["serve"]}},
    "/v2/plain/manifests/latest": {"config": {"digest": "sha256:plain"}},
    "/v2/plain/blobs/sha256:plain": {"config": {}},
    "/v2/arm/manifests/latest": {"manifests": INDEX["manifests"][:1]},
}


@pytest.mark.spec("TMPL-14")
@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("busybox", Image(HUB, "library/busybox", "latest")),
        ("argoproj/argosay:v2", Image(HUB, "argoproj/argosay", "v2")),
        ("docker.io/x", Image(HUB, "library/x", "latest")),
        ("ghcr.io/a/b/c:1", Image("ghcr.io", "a/b/c", "1")),
        ("localhost:5000/x", Image("localhost:5000", "x", "latest")),
        ("quay.io/a@sha256:1f", Image("quay.io", "a", "sha256:1f")),
        ("quay.io/a:v1@sha256:1f", Image("quay.io", "a", "sha256:1f")),
    ],
)
def test_names_mean_what_a_runtime_takes_them_for(name: str, image: Image) -> None:
    assert parse(name) == image


@asynccontextmanager
async def serving(*, challenge: bool = False) -> AsyncIterator[tuple[str, list[str]]]:
    """A registry; its address, and the paths that were asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path == "/token":
            assert request.query["scope"] == "repository:my/app:pull"
            return web.json_response({"token": "t"})
        if challenge and request.headers.get("Authorization") != "Bearer t":
            told = f'Bearer realm="http://{request.host}/token",service="s"'
            return web.Response(status=401, headers={"WWW-Authenticate": told})
        if request.path.startswith("/v2/broken"):
            return web.Response(status=500)
        document = DOCUMENTS.get(request.path)
        return web.json_response(document) if document is not None else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@pytest.mark.spec("TMPL-14")
async def test_the_image_of_this_machine_is_chosen_and_kept() -> None:
    async with serving() as (address, asked):
        registry = Registry(scheme="http", machine="x86_64")
        first = await registry(ImageQuestion(f"{address}/my/app:1"))
        count = len(asked)
        second = await registry(ImageQuestion(f"{address}/my/app:1"))
        nothing = await registry(ImageQuestion(f"{address}/plain"))
    assert first == second == (["/app"], ["serve"])
    assert count == 3
    assert len(asked) == 5
    assert nothing == ([], [])


@pytest.mark.spec("TMPL-14")
async def test_a_challenge_is_met_with_the_token_that_everybody_gets() -> None:
    async with serving(challenge=True) as (address, asked):
        assert await Registry(scheme="http", machine="x86_64")(ImageQuestion(f"{address}/my/app:1")) == (
            ["/app"],
            ["serve"],
        )
    assert asked.count("/token") == 1


@pytest.mark.spec("TMPL-14")
async def test_what_cannot_be_known_is_said_with_the_reason() -> None:
    async with serving() as (address, _):
        registry = Registry(scheme="http", machine="x86_64")
        with pytest.raises(Refused, match="404"):
            await registry(ImageQuestion(f"{address}/none"))
        with pytest.raises(Refused, match="not made for linux/amd64"):
            await registry(ImageQuestion(f"{address}/arm"))
        with pytest.raises(Unavailable, match="500"):
            await registry(ImageQuestion(f"{address}/broken"))
    with pytest.raises(Unavailable, match="does not answer"):
        await registry(ImageQuestion("127.0.0.1:9/x"))
