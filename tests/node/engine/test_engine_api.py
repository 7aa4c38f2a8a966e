"""How an engine's answers are read, whichever engine it is: refusals, pulls, versions, silence."""

from __future__ import annotations

import base64
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from runtime.api import Refused
from runtime.objects import SECRETS
from tests.node.engine.fake_engine import FakeEngine, served
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.node import launch
from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.engine import bodies
from tiphys.devcluster.node.engine.api import connected
from tiphys.devcluster.node.engine.credentials import logins
from tiphys.devcluster.node.engine.entrypoints import EngineEntrypoints
from tiphys.devcluster.node.engine.errors import EngineAway, EngineError
from tiphys.devcluster.node.engine.opening import NoEngine, first_of
from tiphys.devcluster.node.engine.premises import Premises
from tiphys.devcluster.node.engine.pulling import Images
from tiphys.devcluster.node.engine.session import Session
from tiphys.devcluster.node.engine.sockets import Candidate
from tiphys.devcluster.node.engine.trial import try_out
from tiphys.devcluster.node.events import EventRecorder
from tiphys.devcluster.server import ApiServer

SECRET = {
    "metadata": {"name": "pull", "namespace": "default"},
    "type": "kubernetes.io/dockerconfigjson",
    "data": {
        ".dockerconfigjson": base64.b64encode(
            json.dumps({"auths": {"quay.io": {"username": "u", "password": "p"}}}).encode()
        ).decode()
    },
}
LOGIN = logins("quay.io/me/app:1", [SECRET])[0]


def api() -> InProcessApi:
    server = ApiServer(now=time.time)
    server.start()
    return InProcessApi(server)


def pod(*secrets: str) -> dict:
    spec = {"imagePullSecrets": [{"name": name} for name in secrets]}
    return {"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": spec}


def container(policy: str) -> dict:
    return {"name": "main", "image": "quay.io/me/app:1", "imagePullPolicy": policy}


async def test_what_is_not_there_is_told_from_what_is_refused_and_removing_it_is_no_error(tmp_path: Path) -> None:
    async with served(FakeEngine(), tmp_path) as engine:
        with pytest.raises(EngineError, match="No such image: absent") as told:
            await engine.image("absent")
        assert told.value.is_absent
        await engine.remove("absent")


async def test_an_engine_is_spoken_to_in_its_own_version(tmp_path: Path) -> None:
    fake = FakeEngine(version="1.24")
    fake.images.add("a/b:1")
    async with served(fake, tmp_path) as engine:
        await engine.image("a/b:1")
        assert engine.name == "Docker 9.9"
    assert fake.paths == ["/v1.24/images/a/b:1/json"]


async def test_an_engine_that_is_gone_is_told_from_one_that_refuses(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(served(FakeEngine(), tmp_path))
        async with connected(tmp_path / "engine.sock") as engine:
            await stack.aclose()
            with pytest.raises(EngineAway):
                await engine.image("any")


@pytest.mark.parametrize("late", [False, True], ids=["status", "stream"])
async def test_a_pull_that_is_refused_fails_wherever_the_engine_says_so(tmp_path: Path, late: bool) -> None:
    async with served(FakeEngine(password="x", late=late), tmp_path) as engine:
        with pytest.raises(EngineError, match="who are you"):
            await engine.pull("app")


async def test_logins_are_tried_until_one_is_let_in_and_the_first_refusal_is_told(tmp_path: Path) -> None:
    fake = FakeEngine(password="right", late=True)
    async with served(fake, tmp_path) as engine:
        await engine.pull_with("app", ["wrong", "right", "never tried"])
        assert fake.pulls == ["wrong", "right"]
        with pytest.raises(EngineError, match="who are you"):
            await engine.pull_with("app", [])


async def test_a_private_image_is_pulled_once_with_the_pods_secret_however_many_want_it(tmp_path: Path) -> None:
    fake, cluster = FakeEngine(password=LOGIN), api()
    await cluster.create(SECRETS, SECRET)
    async with served(fake, tmp_path) as engine, anyio.create_task_group() as tasks:
        images = Images(cluster, engine, EventRecorder(cluster, tasks, time.time, "kubelet"))
        async with anyio.create_task_group() as many:
            for _ in range(5):
                many.start_soon(images.image, pod("absent", "pull"), container("IfNotPresent"))
    assert fake.pulls == [LOGIN]


async def test_a_pull_that_failed_is_not_tried_again_at_once(tmp_path: Path) -> None:
    fake, cluster = FakeEngine(password=LOGIN), api()
    fake.images.add("quay.io/me/app:1")
    async with served(fake, tmp_path) as engine, anyio.create_task_group() as tasks:
        images = Images(cluster, engine, EventRecorder(cluster, tasks, time.time, "kubelet"))
        with pytest.raises(CannotCreate, match="IfNotPresent would use it") as first:
            await images.image(pod(), container("Always"))
        with pytest.raises(CannotCreate) as second:
            await images.image(pod(), container("Always"))
        assert (first.value.reason, second.value.reason) == ("ErrImagePull", "ImagePullBackOff")
        assert len(fake.pulls) == 1
        images.forget("u")
        with pytest.raises(CannotCreate) as third:
            await images.image(pod(), container("Always"))
        assert third.value.reason == "ErrImagePull"


class Asked(NamedTuple):
    image: str = "quay.io/me/app:1"
    namespace: str = "default"
    secrets: tuple[str, ...] = ("pull",)


async def test_how_an_image_starts_is_known_once_the_engine_has_it(tmp_path: Path) -> None:
    fake, cluster = FakeEngine(password=LOGIN), api()
    await cluster.create(SECRETS, SECRET)
    async with served(fake, tmp_path) as engine:
        ask = EngineEntrypoints(cluster, [Candidate("here", engine.socket)])
        assert await ask(Asked()) == (["/entry"], ["go"])
        with pytest.raises(Refused, match="who are you"):
            await ask(Asked("elsewhere.io/x", secrets=()))


async def test_where_nobody_answers_everything_that_was_tried_is_named(tmp_path: Path) -> None:
    places = [Candidate("DOCKER_HOST=tcp://x", why_not="only unix://"), Candidate("/a", tmp_path / "a")]
    async with AsyncExitStack() as stack:
        with pytest.raises(NoEngine, match="tcp://x: only unix://; /a: No such file or directory"):
            await first_of(stack, places)


async def test_an_engine_that_starts_no_container_is_not_said_to_be_somewhere_else(tmp_path: Path) -> None:
    async with served(FakeEngine(), tmp_path) as engine, anyio.create_task_group() as tasks:
        session, events = Session("x", tmp_path), EventRecorder(api(), tasks, time.time, "kubelet", "n")
        images = Images(api(), engine, events)
        premises = Premises(engine, session, tasks, launch.system(()), "image", bodies.Abilities(), images)
        why = await try_out(premises, tmp_path / "trial")
        session.close()

    assert why.startswith("no trial container starts there (")
    assert "remote" not in why
