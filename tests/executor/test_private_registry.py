"""Images of private registries: their pull secrets are used where a namespace lets the controller read them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from actors.node.image_question import ImageQuestion, question_for
from runtime.api import Refused
from runtime.objects import SECRETS, SERVICE_ACCOUNTS, Object
from tests.installation.judge import Judged
from tests.kernel.coat import Coat
from tiphys.devcluster.cluster import DevCluster
from tiphys.pull_credentials import Credential, entries, matches
from tiphys.registry import Registry

USER, PASSWORD, IDENTITY = "ada", "canary-77:p@ss", "canary-identity"
BASIC = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
CONFIG = {"config": {"Entrypoint": ["/app"], "Cmd": ["serve"]}}


class PrivateRegistry:
    """A registry that gives its one image to one user, by basic authentication or by a token of its own authority."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.asked: list[str] = []
        self.elsewhere: list[str | None] = []  # what was shown to the place that keeps the blobs
        self.address = self.storage = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "")
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/token":
            return await self.token(request, shown)
        wanted = "Bearer good" if self.way == "bearer" else BASIC
        if shown != wanted:
            realm = f'realm="http://{request.host}/token",service="s"' if self.way == "bearer" else 'realm="r"'
            return web.Response(status=401, headers={"WWW-Authenticate": f"{self.way.title()} {realm}"})
        if request.path == "/v2/my/app/manifests/1":
            return web.json_response({"config": {"digest": "sha256:c"}})
        if request.path == "/v2/my/app/blobs/sha256:c":
            raise web.HTTPTemporaryRedirect(f"http://{self.storage}/blob")
        return web.Response(status=404)

    async def token(self, request: web.Request, shown: str) -> web.StreamResponse:
        if request.method == "POST":
            form = await request.post()
            good = form["refresh_token"] == IDENTITY and form["grant_type"] == "refresh_token"
        else:
            good = shown == BASIC
        if shown and not good:
            return web.Response(status=401)
        return web.json_response({"access_token": "good" if good else "everybodys"})

    async def blob(self, request: web.Request) -> web.StreamResponse:
        self.elsewhere.append(request.headers.get("Authorization"))
        return web.json_response(CONFIG)


@asynccontextmanager
async def private(way: str) -> AsyncIterator[PrivateRegistry]:
    registry = PrivateRegistry(way)
    front, storage = web.Application(), web.Application()
    front.router.add_route("*", "/{tail:.*}", registry.answer)
    storage.router.add_get("/{tail:.*}", registry.blob)
    runners = [web.AppRunner(front), web.AppRunner(storage)]
    try:
        for runner in runners:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        registry.address, registry.storage = (f"127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
        yield registry
    finally:
        for runner in runners:
            await runner.cleanup()


def pull_secret(name: str, auths: Any, *, legacy: bool = False) -> Object:
    key, content = (".dockercfg", auths) if legacy else (".dockerconfigjson", {"auths": auths})
    kind = "kubernetes.io/dockercfg" if legacy else "kubernetes.io/dockerconfigjson"
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": meta,
        "stringData": {key: json.dumps(content)},
    }


def auth(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def asked_for(address: str, *secrets: str) -> ImageQuestion:
    return ImageQuestion(f"{address}/my/app:1", "default", secrets)


@pytest.mark.spec("TMPL-14")
@pytest.mark.parametrize("way", ["basic", "bearer"])
@pytest.mark.parametrize("legacy", [False, True])
async def test_a_private_image_is_looked_up_with_the_pods_pull_secret(way: str, *, legacy: bool) -> None:
    async with private(way) as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("mine", {f"http://{there.address}": auth()}, legacy=legacy))
        registry = Registry(api=cluster.api, scheme="http")
        found = await registry(asked_for(there.address, "mine"))
        count = len(there.asked)
        again = await registry(asked_for(there.address, "mine"))
        with pytest.raises(Refused):
            await registry(ImageQuestion(f"{there.address}/my/app:1", "other", ("mine",)))
    assert found == again == (["/app"], ["serve"])
    assert count < len(there.asked), "what one namespace may know is not told to another"
    assert there.elsewhere == [None], "credentials are for the registry alone"


@pytest.mark.spec("TMPL-14")
async def test_the_second_time_nobody_is_asked() -> None:
    async with private("basic") as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("mine", {there.address: auth()}))
        coat = Coat(cluster.api)
        registry = Registry(api=coat, scheme="http")
        for _ in range(3):
            await registry(asked_for(there.address, "mine"))
    assert len(there.elsewhere) == 1
    assert [call for call in coat.calls if call[0] == "get"] == [("get", "mine")]


@pytest.mark.spec("TMPL-14")
async def test_an_identity_token_is_exchanged() -> None:
    async with private("bearer") as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("mine", {there.address: {"identitytoken": IDENTITY}}))
        assert await Registry(api=cluster.api, scheme="http")(asked_for(there.address, "mine")) == (["/app"], ["serve"])
    assert "POST /token" in there.asked


@pytest.mark.spec("TMPL-14")
async def test_a_registry_token_is_shown_as_it_is() -> None:
    async with private("bearer") as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("mine", {there.address: {"registrytoken": "good"}}))
        assert await Registry(api=cluster.api, scheme="http")(asked_for(there.address, "mine")) == (["/app"], ["serve"])
    assert there.asked.count("GET /token") == 1, "as everybody, before"


@pytest.mark.spec("TMPL-14")
async def test_every_fitting_credential_is_tried() -> None:
    async with private("basic") as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("old", {f"{there.address}/my": auth(password="former")}))
        await cluster.api.create(SECRETS, pull_secret("mine", {there.address: auth()}))
        question = asked_for(there.address, "old", "mine")
        assert await Registry(api=cluster.api, scheme="http")(question) == (["/app"], ["serve"])


@pytest.mark.spec("TMPL-14")
async def test_without_any_named_those_of_the_service_account_are_used() -> None:
    async with private("basic") as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("mine", {there.address: auth()}))
        meta = {"name": "worker", "namespace": "default"}
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": meta,
            "imagePullSecrets": [{"name": "mine"}],
        }
        await cluster.api.create(SERVICE_ACCOUNTS, account)
        question = question_for(f"{there.address}/my/app:1", "default", {"serviceAccountName": "worker"}, {})
        assert await Registry(api=cluster.api, scheme="http")(question) == (["/app"], ["serve"])


BROKEN: dict[str, tuple[Object, str]] = {
    "wrong": (
        pull_secret("mine", {"HOST": auth(password="canary-wrong")}),
        "no my/app for the user of the pull secret",
    ),
    "others": (pull_secret("mine", {"elsewhere.io": auth()}), "no pull secret of the pod's is for it"),
    "opaque": ({"kind": "Secret", "stringData": {"password": PASSWORD}}, "pull secret 'mine': it has neither"),
    "no-json": ({"kind": "Secret", "stringData": {".dockerconfigjson": PASSWORD}}, ".dockerconfigjson is no JSON"),
    "no-map": ({"kind": "Secret", "stringData": {".dockerconfigjson": f'["{PASSWORD}"]'}}, "has no map of registries"),
    "no-auth": (pull_secret("mine", {"HOST": {"auth": f"%{PASSWORD}%"}}), "an `auth` in it is not base64"),
}


@pytest.mark.spec("TMPL-14")
@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("way", ["basic", "bearer"])
async def test_what_is_wrong_with_a_pull_secret_is_said_without_what_it_holds(how: str, way: str) -> None:
    secret, words = BROKEN[how]
    async with private(way) as there, DevCluster() as cluster:
        thing = json.loads(json.dumps(secret).replace("HOST", there.address))
        thing |= {"apiVersion": "v1", "metadata": {"name": "mine", "namespace": "default"}}
        await cluster.api.create(SECRETS, thing)
        with pytest.raises(Refused) as refused:
            await Registry(api=cluster.api, scheme="http")(asked_for(there.address, "mine"))
    if how == "wrong" and way == "bearer":
        words = "gives no token to the user of the pull secret"
    assert words in refused.value.message
    assert "canary" not in refused.value.message
    assert "for everybody" in refused.value.message or "nobody in without credentials" in refused.value.message


@pytest.mark.spec("TMPL-14")
async def test_a_namespace_that_lets_nobody_read_its_secrets_is_named_as_the_reason() -> None:
    async with private("basic") as there, DevCluster() as cluster:
        await cluster.api.create(SECRETS, pull_secret("mine", {there.address: auth()}))
        registry = Registry(api=Judged(cluster.api, []), scheme="http")
        with pytest.raises(Refused, match="the controller may not read pull secret 'mine'"):
            await registry(asked_for(there.address, "mine"))
        with pytest.raises(Refused, match="may not read account 'default'"):
            await registry(asked_for(there.address))
        with pytest.raises(Refused, match="there is no pull secret 'none'"):
            await Registry(api=cluster.api, scheme="http")(asked_for(there.address, "none"))


@pytest.mark.spec("TMPL-14")
@pytest.mark.parametrize(
    ("place", "registry", "repository", "fits"),
    [
        ("https://index.docker.io/v1/", "registry-1.docker.io", "library/busybox", True),
        ("docker.io", "registry-1.docker.io", "a/b", True),
        ("quay.io", "quay.io", "a/b", True),
        ("quay.io/a", "quay.io", "a/b", True),
        ("quay.io/a/b", "quay.io", "a/b", True),
        ("quay.io/a", "quay.io", "ab/c", False),
        ("*.example.io", "r.example.io", "a", True),
        ("*.example.io", "example.io", "a", False),
        ("*.example.io", "evil.r.example.io", "a", False),
        ("r.io:5000", "r.io:5000", "a", True),
        ("r.io", "r.io:5000", "a", False),
        ("quay.io", "quay.io.evil.net", "a", False),
    ],
)
def test_a_credential_is_for_the_registries_and_folders_that_a_kubelet_takes_it_for(
    place: str, registry: str, repository: str, *, fits: bool
) -> None:
    found = list(matches({place: auth()}, registry, repository))
    assert [credential for _, credential in found] == ([Credential(USER, PASSWORD)] if fits else [])


@pytest.mark.spec("TMPL-14")
def test_a_pull_secret_has_its_entries_in_either_of_two_forms() -> None:
    stored = {"data": {".dockercfg": base64.b64encode(b'{"r.io": {"username": "u", "password": "p"}}').decode()}}
    ((_, credential),) = matches(entries(stored), "r.io", "a")
    assert credential == Credential("u", "p")
