"""A secret that was shown to a store is in nothing that the executor says, even if the store repeats it all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from actors.contract.paths import log_file
from runtime.objects import SECRETS
from tests.executor.credentials import given
from tests.executor.echo import echo_server
from tests.executor.pod import Volume
from tiphys.devcluster.cluster import DevCluster
from tiphys.executor import artifacts
from tiphys.executor.agent import Agent
from tiphys.executor.agent_http import HttpTasks
from tiphys.executor.agent_plugins import PluginTasks
from tiphys.executor.artifacts import StoreError
from tiphys.executor.resource import veiled

CANARY = "canary-7f31/p+x=="
SPELLINGS = ("canary-7f31", "Y2FuYXJ5LTdmMzEv")  # as it is, and as base64 begins


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with echo_server() as address:
        yield address


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str) -> dict[str, Any]:
    """References to a Secret whose keys all have the canary."""
    account = {"gcs_base_url": f"http://{server}", "disable_oauth": True, "client_email": "", "private_key": CANARY}
    return given(
        monkeypatch, tmp_path / "secrets", "bird", text=CANARY, sas=f"sv=1&sig={CANARY}",
        json=json.dumps({**account, "private_key_id": CANARY}), token_url=f"http://{server}/{CANARY}",
    )  # fmt: skip


@pytest.fixture
def pod(tmp_path: Path) -> Volume:
    """A pod's volume on which nothing has been staged."""
    for folder in ("volume", "repository"):
        (tmp_path / folder).mkdir()
    return Volume(tmp_path / "volume", tmp_path / "repository")


def bucket(server: str, keys: dict[str, Any]) -> dict[str, Any]:
    both = {"accessKeySecret": keys["text"], "secretKeySecret": keys["text"]}
    return {"endpoint": server, "bucket": "b", "key": "k", "region": "r", **both}


LOCATIONS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "s3": lambda server, keys: {"s3": {**bucket(server, keys), "insecure": True, "sessionTokenSecret": keys["text"]}},
    "s3-created": lambda server, keys: {
        "s3": {**bucket(server, keys), "insecure": True, "createBucketIfNotPresent": {}}
    },
    "oss": lambda server, keys: {"oss": {**bucket(f"http://{server}", keys), "securityToken": "plain"}},
    "gcs": lambda server, keys: {"gcs": {"bucket": "b", "key": "k", "serviceAccountKeySecret": keys["json"]}},
    "gcs-no-key": lambda server, keys: {"gcs": {"bucket": "b", "key": "k", "serviceAccountKeySecret": keys["text"]}},
    "azure": lambda server, keys: {
        "azure": {"endpoint": f"http://{server}/a", "container": "c", "blob": "k", "accountKeySecret": keys["sas"]}
    },
    "azure-no-key": lambda server, keys: {
        "azure": {"endpoint": f"http://{server}/a", "container": "c", "blob": "k", "accountKeySecret": keys["text"]}
    },
    "http-basic": lambda server, keys: {
        "http": {
            "url": f"http://{server}/x",
            "auth": {"basicAuth": {"usernameSecret": keys["text"], "passwordSecret": keys["text"]}},
        }
    },
    "http-oauth": lambda server, keys: {
        "http": {
            "url": f"http://{server}/x",
            "auth": {
                "oauth2": {
                    "clientIDSecret": keys["text"],
                    "clientSecretSecret": keys["text"],
                    "tokenURLSecret": keys["token_url"],
                }
            },
        }
    },
    "http-user": lambda server, keys: {"http": {"url": f"http://u:canary-7f31%2Fp%2Bx@{server}/x"}},
    "http-user-unescaped": lambda server, keys: {"http": {"url": f"http://u:canary-7f31/p@{server}/x"}},
    "http-user-at": lambda server, keys: {"http": {"url": f"http://u:p@canary-7f31@{server}/x"}},
    "http-certificate": lambda server, keys: {
        "http": {
            "url": f"http://{server}/x",
            "auth": {"clientCert": {"clientCertSecret": keys["text"], "clientKeySecret": keys["text"]}},
        }
    },
    "artifactory": lambda server, keys: {
        "artifactory": {"url": f"http://{server}/x", "usernameSecret": keys["text"], "passwordSecret": keys["text"]}
    },
    "git": lambda server, keys: {
        "git": {"repo": f"http://{server}/r.git", "usernameSecret": keys["text"], "passwordSecret": keys["text"]}
    },
    "git-user": lambda server, keys: {"git": {"repo": f"http://u:canary-7f31@{server}/r.git"}},
    "git-ssh": lambda server, keys: {
        "git": {"repo": "ssh://git@127.0.0.1:9/r.git", "sshPrivateKeySecret": keys["text"]}
    },
    "hdfs": lambda server, keys: {"hdfs": {"addresses": [f"http://u:canary-7f31@{server}"], "path": "/x"}},
    "raw": lambda server, keys: {"raw": {"data": "http://u:canary-7f31@h/"}},
    "plugin": lambda server, keys: {
        "plugin": {"name": "none", "key": "k", "configuration": "url: http://u:canary-7f31@h/"}
    },
    "none": lambda server, keys: {"ftp": {"url": "ftp://u:canary-7f31@h/"}},
}  # fmt: skip


def is_clean(text: str) -> bool:
    return not any(spelling in text for spelling in SPELLINGS)


@pytest.mark.parametrize("driver", LOCATIONS)
def test_no_driver_repeats_a_credential_whatever_its_store_answers(
    driver: str, server: str, keys: dict[str, Any], tmp_path: Path
) -> None:
    location = LOCATIONS[driver](server, keys)
    source = tmp_path / "source"
    source.write_text("content")
    deeds: list[Callable[[], Any]] = [
        lambda: artifacts.load(location, tmp_path / "target", root="", mount=""),
        lambda: artifacts.save(location, source, root="", mount=""),
        lambda: artifacts.list_keys(location, root="", mount=""),
        lambda: artifacts.delete(location, tree=True, root="", mount=""),
    ]
    said = []
    for deed in deeds:
        try:
            deed()
        except StoreError as error:
            said.append(str(error))
        except AttributeError:  # a driver that lists and deletes nothing; the controller does not ask it to
            said.append("")
    assert said
    assert all(map(is_clean, said)), said


@pytest.mark.parametrize("driver", ["s3", "http-basic", "http-user-unescaped", "git-user", "gcs-no-key"])
def test_neither_init_nor_wait_writes_a_credential_into_its_message_or_log(
    driver: str, server: str, keys: dict[str, Any], pod: Volume
) -> None:
    location = LOCATIONS[driver](server, keys)
    one = {"name": "a", "path": "/a", "place": str(pod.directory / "a"), "location": location, "archive": "auto"}
    loaded = pod.executor(["init"], {"container": "init", "inputs": [one]})
    (pod.directory / log_file("main")).write_text("hello")
    saved = pod.executor(["wait"], {"container": "wait", "logs": [{"name": "main", "location": location}]})
    assert (loaded.code, saved.code) == (64, 64)
    for ended in (loaded, saved):
        assert ended.termination
        assert is_clean(f"{ended.termination} {ended.stdout!r} {ended.stderr}"), ended


@pytest.mark.parametrize("driver", ["s3", "gcs", "azure"])
def test_neither_a_listing_nor_a_collector_writes_a_credential(
    driver: str, server: str, keys: dict[str, Any], pod: Volume
) -> None:
    location = LOCATIONS[driver](server, keys)
    told = {"container": "main", "listing": {"name": "a", "location": location}, "result": True}
    listed = pod.executor(["data"], told)
    kept = pod.executor(
        ["artifact", "delete"], {"container": "main", "discard": [{"location": location, "tree": False}]}
    )
    assert listed.code == 64
    assert kept.content["undeleted"]
    for ended in (listed, kept):
        assert is_clean(f"{ended.termination} {ended.content} {ended.stdout!r} {ended.stderr}"), ended


async def test_the_agent_does_not_repeat_a_header_that_came_from_a_secret(server: str) -> None:
    async with DevCluster() as cluster, aiohttp.ClientSession() as session:
        meta = {"name": "bird", "namespace": "default"}
        thing = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"k": f"Bearer {CANARY[:11]}"}}
        await cluster.api.create(SECRETS, thing)
        headers = [{"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "bird", "key": "k"}}}]
        tasks = HttpTasks(session, cluster.api, "default")
        said = []
        for condition in ("", "int(request.headers['Authorization'][0]) > 1", "response.body"):
            section = {"url": f"http://{server}/", "headers": headers, "successCondition": condition}
            said.append((await tasks.execute({"http": section})).node)
        said.append((await tasks.execute({"http": {"url": "http://127.0.0.1:9", "headers": headers}})).node)
    assert [node["phase"] for node in said] == ["Failed"] * 4
    assert all(is_clean(node["message"]) for node in said), said


async def test_the_agent_does_not_repeat_the_token_that_it_shows_to_a_plugin(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "token").write_text(CANARY)
    order: Any = {"taskSet": "w", "namespace": "n", "workflow": "u", "account": "", "own": ""}
    order["plugins"] = [{"name": "hello", "port": int(server.rpartition(":")[2])}]
    async with aiohttp.ClientSession() as session:
        said = await PluginTasks(session, order, tmp_path).execute({"plugin": {"hello": {}}})
    assert said.node["phase"] == "Failed"
    assert is_clean(said.node["message"])


REPLIES: dict[str, Any] = {
    "message": {"node": {"phase": "Failed", "message": f"you showed me {CANARY}"}},
    "outputs": {"node": {"phase": "Succeeded", "outputs": {"result": f"x{CANARY}", "parameters": [{"name": CANARY}]}}},
    "keys": {"node": {"phase": "Succeeded", "outputs": {CANARY: {"of": "anything"}}}},
    "requeue": {"node": {"phase": "Running"}, "requeue": CANARY},
    "phase": {"node": {"phase": CANARY}},
    "node": {"node": CANARY},
}
"""What a plugin may say that repeats the token which it was shown."""


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("spelled", [CANARY, base64.b64encode(CANARY.encode()).decode()])
async def test_no_answer_of_a_plugins_has_the_token_that_it_was_shown(reply: str, spelled: str, tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "token").write_text(CANARY)
    said = json.dumps(REPLIES[reply]).replace(CANARY, spelled)

    async def answers(request: web.Request) -> web.StreamResponse:
        return web.Response(text=said)

    app = web.Application()
    app.router.add_post("/{tail:.*}", answers)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        order: Any = {"taskSet": "w", "namespace": "n", "workflow": "u", "account": "", "own": ""}
        order["plugins"] = [{"name": "hello", "port": runner.addresses[0][1]}]
        nobody: Any = None  # no API is needed to ask a plugin
        async with aiohttp.ClientSession() as session:
            tasks = PluginTasks(session, order, tmp_path)
            node = (await Agent(nobody, order, tasks.execute)._asked({"plugin": {"hello": {"with": "this"}}})).node
    finally:
        await runner.cleanup()
    assert is_clean(json.dumps(node)), node
    assert node["phase"] in {"Failed", "Succeeded", "Error", "…"}


def test_a_secret_that_a_resource_template_reads_is_shown_with_stars() -> None:
    thing = {
        "kind": "Secret",
        "metadata": {"name": "bird", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}},
        "data": {"k": CANARY},
        "stringData": {"k": CANARY},
    }
    assert is_clean(json.dumps(veiled(thing), ensure_ascii=False))
    assert veiled(thing)["data"] == {"k": "*****"}
    assert veiled({"kind": "ConfigMap", "data": {"k": "v"}}) == {"kind": "ConfigMap", "data": {"k": "v"}}
