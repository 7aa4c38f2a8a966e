"""What the agent does for one http or plugin template, against servers that really listen."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from actors.contract.documents import AgentOrder
from runtime.objects import SECRETS
from tiphys.devcluster.cluster import DevCluster
from tiphys.executor.agent import Answer
from tiphys.executor.agent_http import BODY_BYTES_MAX, HttpTasks
from tiphys.executor.agent_plugins import METHOD, PluginTasks

CANARY = "canary-7f31"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[int]:
    """A server whose every path is answered by `handler`; its port."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.StreamResponse:
    """Say what was asked; `/code/N` answers N, `/large` too much, `/bytes` no text, `/away` redirects."""
    _, kind, *rest = request.path.split("/")
    if kind == "code":
        return web.Response(status=int(rest[0]), text="said no", headers={"X-Why": "so"})
    if kind == "large":
        return web.Response(body=b"x" * (BODY_BYTES_MAX + 1))
    if kind == "bytes":
        return web.Response(body=b"a\xffb")
    if kind == "away":
        raise web.HTTPFound("/there")
    told = {"method": request.method, "path": request.path, "body": await request.text(), "h": dict(request.headers)}
    return web.json_response(told)


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    async with DevCluster() as running:
        yield running


async def ask(cluster: DevCluster, path: str = "/", handler: Handler = echo, **section: Any) -> Answer:
    """The answer to one http template."""
    async with server(handler) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}{path}"
        return await HttpTasks(session, cluster.api, "default").execute({"http": {"url": url, **section}})


@pytest.mark.spec("AGENT-1", "AGENT-2")
async def test_a_request_is_made_as_the_template_says(cluster: DevCluster) -> None:
    headers = [{"name": "X-One", "value": "1"}, {"name": "Content-Type", "value": "text/x"}]
    answer = await ask(cluster, "/p", method="PUT", headers=headers, body="said")
    told = json.loads(answer.node["outputs"]["result"])
    assert answer.node["phase"] == "Succeeded"
    assert (told["method"], told["path"], told["body"]) == ("PUT", "/p", "said")
    assert (told["h"]["X-One"], told["h"]["Content-Type"]) == ("1", "text/x")


@pytest.mark.spec("AGENT-1")
async def test_a_body_may_be_bytes(cluster: DevCluster) -> None:
    answer = await ask(cluster, method="POST", bodyFrom={"bytes": base64.b64encode(b"raw").decode()})
    assert json.loads(answer.node["outputs"]["result"])["body"] == "raw"
    answer = await ask(cluster, method="POST", bodyFrom={"bytes": "no base64!"})
    assert (answer.node["phase"], "bodyFrom" in answer.node["message"]) == ("Failed", True)


@pytest.mark.spec("AGENT-2")
@pytest.mark.parametrize("code", [300, 404, 500])
async def test_any_other_answer_than_2xx_is_a_failure_with_its_body(cluster: DevCluster, code: int) -> None:
    answer = await ask(cluster, f"/code/{code}")
    assert answer.node == {
        "phase": "Failed", "message": f"received non-2xx response code: {code}", "outputs": {"result": "said no"},
    }  # fmt: skip


@pytest.mark.spec("COND-8", "AGENT-2")
@pytest.mark.parametrize(
    ("condition", "phase", "message"),
    [
        ("response.statusCode == 404", "Succeeded", None),
        ('response.body contains "no" && response.headers["X-Why"][0] == "so"', "Succeeded", None),
        ('request.method == "GET" && request.url endsWith "404"', "Succeeded", None),
        ("response.statusCode == 200", "Failed", "successCondition 'response.statusCode == 200' evaluated false"),
    ],
)
async def test_a_condition_decides_instead_of_the_code(
    cluster: DevCluster, condition: str, phase: str, message: str | None
) -> None:
    answer = await ask(cluster, "/code/404", successCondition=condition)
    assert (answer.node["phase"], answer.node.get("message")) == (phase, message)


@pytest.mark.spec("COND-8")
@pytest.mark.parametrize("condition", ["response.nothing(", "response.statusCode"])
async def test_a_condition_that_is_none_is_a_failure_with_its_reason(cluster: DevCluster, condition: str) -> None:
    answer = await ask(cluster, successCondition=condition)
    assert answer.node["phase"] == "Failed"
    assert condition in answer.node["message"]


@pytest.mark.spec("AGENT-1")
async def test_a_header_out_of_a_secret_is_sent_and_said_nowhere(cluster: DevCluster) -> None:
    data = {"k": base64.b64encode(CANARY.encode()).decode()}
    meta = {"name": "s", "namespace": "default"}
    await cluster.api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    seen: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["X-Token"])
        return web.Response(status=500, text="no")

    header = {"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    answer = await ask(cluster, handler=note, headers=[header])
    assert seen == [CANARY]
    assert CANARY not in json.dumps(answer.node)


@pytest.mark.spec("AGENT-1")
@pytest.mark.parametrize(("name", "key", "says"), [("none", "k", "cannot be read"), ("s", "other", "no key 'other'")])
async def test_a_secret_that_is_not_there_is_named(cluster: DevCluster, name: str, key: str, says: str) -> None:
    meta = {"name": "s", "namespace": "default"}
    await cluster.api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": meta})
    header = {"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    answer = await ask(cluster, headers=[header])
    assert answer.node["phase"] == "Failed"
    assert says in answer.node["message"]


@pytest.mark.spec("AGENT-1", "TMO-6")
async def test_a_server_that_does_not_answer_in_time_is_a_failure(cluster: DevCluster) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await answer.write(b".")
            await request.read()
        return answer

    answer = await ask(cluster, handler=drip, timeoutSeconds=0.2)
    assert answer.node["phase"] == "Failed"
    assert "within the time-out" in answer.node["message"]


@pytest.mark.spec("AGENT-2")
async def test_nobody_there_is_a_failure_with_the_reason(cluster: DevCluster) -> None:
    async with aiohttp.ClientSession() as session:
        tasks = HttpTasks(session, cluster.api, "default")
        answer = await tasks.execute({"http": {"url": "http://127.0.0.1:9"}})
        other = await tasks.execute({"http": {"url": "no url"}})
    assert answer.node["phase"] == other.node["phase"] == "Failed"
    assert "127.0.0.1:9" in answer.node["message"]


@pytest.mark.spec("AGENT-2")
async def test_bodies_that_are_no_text_or_too_much_are_told_apart(cluster: DevCluster) -> None:
    assert (await ask(cluster, "/bytes")).node["outputs"]["result"] == "a�b"
    assert "too large for a result" in (await ask(cluster, "/large")).node["message"]


@pytest.mark.spec("AGENT-2")
async def test_redirects_are_followed(cluster: DevCluster) -> None:
    answer = await ask(cluster, "/away")
    assert json.loads(answer.node["outputs"]["result"])["path"] == "/there"


# ------------------------------------------------------------------------------------------------ plugins


async def offered(tmp_path: Path, *handlers: Handler, times: int = 1) -> list[Answer]:
    """A plugin template is offered to plugins that answer so."""
    places: list[Any] = []
    async with aiohttp.ClientSession() as session, _all(handlers) as ports:
        for number, port in enumerate(ports):
            places.append({"name": f"p{number}", "port": port})
            (tmp_path / f"p{number}").mkdir()
            (tmp_path / f"p{number}" / "token").write_text(f"t{number}")
        order: AgentOrder = {
            "taskSet": "w", "namespace": "ns", "workflow": "uid", "account": "", "own": "", "plugins": places,
        }  # fmt: skip
        tasks = PluginTasks(session, order, tmp_path)
        return [await tasks.execute({"name": "t", "plugin": {"mine": {}}}) for _ in range(times)]


@asynccontextmanager
async def _all(handlers: tuple[Handler, ...]) -> AsyncIterator[list[int]]:
    if not handlers:
        yield []
        return
    async with server(handlers[0]) as port, _all(handlers[1:]) as others:
        yield [port, *others]


def says(reply: Any, status: int = 200, seen: list[Any] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        if seen is not None:
            seen.append((request.path, request.headers["Authorization"], await request.json()))
        return web.json_response(reply, status=status)

    return handler


@pytest.mark.spec("AGENT-5", "TMPL-10")
async def test_a_plugin_is_asked_by_upstreams_protocol(tmp_path: Path) -> None:
    seen: list[Any] = []
    node = {"phase": "Succeeded", "message": "hello", "outputs": {"result": "r"}}
    (answer,) = await offered(tmp_path, says({"node": node}, seen=seen))
    assert answer == Answer(node, None)
    told = {"workflow": {"metadata": {"name": "w", "namespace": "ns", "uid": "uid"}}}
    assert seen == [(METHOD, "Bearer t0", {**told, "template": {"name": "t", "plugin": {"mine": {}}}})]


@pytest.mark.spec("AGENT-5")
async def test_who_says_nothing_passes_it_on_and_who_knows_no_method_is_not_asked_again(tmp_path: Path) -> None:
    unknown: list[Any] = []
    third = says({"node": {"phase": "Running"}, "requeue": "10s"})
    answers = await offered(tmp_path, says({}), says({}, 404, unknown), third, times=3)
    assert {answer.again_s for answer in answers} == {10.0}
    assert len(unknown) == 1


@pytest.mark.spec("AGENT-5")
async def test_nobody_taking_it_is_an_error_and_nobody_there_yet_is_not(tmp_path: Path) -> None:
    (answer,) = await offered(tmp_path, says({}))
    assert (answer.node["phase"], answer.again_s) == ("Error", None)
    (tmp_path / "second").mkdir()
    (answer,) = await offered(tmp_path / "second", says({}, 503))
    assert (answer.node["phase"], answer.again_s) == ("Pending", 2.0)


@pytest.mark.spec("AGENT-5")
@pytest.mark.parametrize(
    "reply",
    [
        ["node"], {"node": "Succeeded"}, {"node": {}}, {"node": {"phase": 1}},
        {"node": {"phase": "Succeeded", "outputs": "r"}},
        {"node": {"phase": "Succeeded", "outputs": {"parameters": "p"}}},
        {"node": {"phase": "Succeeded", "outputs": {"parameters": [{"value": "v"}]}}},
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_an_error_that_names_the_plugin(tmp_path: Path, reply: Any) -> None:
    with pytest.raises(RuntimeError, match="plugin p0 does not keep to the protocol"):
        await offered(tmp_path, says(reply))
