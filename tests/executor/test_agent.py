"""What the agent does for one http or plugin template, against servers that really listen."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from actors.contract.documents import AgentOrder
from runtime.objects import SECRETS, Object
from tiphys.devcluster.cluster import DevCluster
from tiphys.executor.agent import Answer
from tiphys.executor.agent_http import BODY_BYTES_MAX, HttpTasks, session
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
    if kind == "circle":
        raise web.HTTPFound("/circle")
    told = {"method": request.method, "path": request.path, "body": await request.text(), "h": dict(request.headers)}
    return web.json_response(told)


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    async with DevCluster() as running:
        yield running


async def ask(cluster: DevCluster, path: str = "/", handler: Handler = echo, **section: Any) -> Answer:
    """The answer to one http template."""
    async with server(handler) as port, session() as requests:
        url = f"http://127.0.0.1:{port}{path}"
        return await HttpTasks(requests, cluster.api, "default").execute({"http": {"url": url, **section}})


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
        ('request.headers["x-mine"][0] == "m" && "X-Hidden" not in request.headers', "Succeeded", None),
        ('request.body == "said" && len(request.bodyBytes) == 0', "Succeeded", None),
        ("response.statusCode == 200", "Failed", "successCondition 'response.statusCode == 200' evaluated false"),
    ],
)
async def test_a_condition_decides_instead_of_the_code(
    cluster: DevCluster, condition: str, phase: str, message: str | None
) -> None:
    hidden = {"name": "X-Hidden", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    await cluster.api.create(SECRETS, secret("k", "canary"))
    headers = [{"name": "x-mine", "value": "m"}, hidden]
    answer = await ask(cluster, "/code/404", successCondition=condition, body="said", headers=headers)
    assert (answer.node["phase"], answer.node.get("message")) == (phase, message)


@pytest.mark.spec("COND-8")
@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("response.nothing(", "response.nothing("),
        ("response.statusCode", "unable to cast expression result '200' to bool"),
        ('int(response.headers["X"][0]) > 1', "unable to evaluate expression 'int(response.headers[\"X\"][0]) > 1': "),
    ],
)
async def test_a_condition_that_is_none_is_a_failure_with_its_reason_and_without_a_result(
    cluster: DevCluster, condition: str, says: str
) -> None:
    answer = await ask(cluster, successCondition=condition)
    assert answer.node["phase"] == "Failed"
    assert says in answer.node["message"]
    assert "outputs" not in answer.node


@pytest.mark.spec("COND-8")
async def test_a_condition_sees_the_bytes_of_a_body_of_bytes(cluster: DevCluster) -> None:
    condition = 'request.body == "" && request.bodyBytes[0] == 114 && len(request.bodyBytes) == 3'
    body = {"bytes": base64.b64encode(b"raw").decode()}
    answer = await ask(cluster, method="POST", bodyFrom=body, successCondition=condition)
    assert answer.node["phase"] == "Succeeded"


def secret(key: str, value: str) -> Object:
    data = {key: base64.b64encode(value.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}, "data": data}


@pytest.mark.spec("AGENT-1")
async def test_a_header_out_of_a_secret_is_sent_and_said_nowhere(cluster: DevCluster) -> None:
    await cluster.api.create(SECRETS, secret("k", CANARY))
    seen: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["X-Token"])
        return web.Response(status=500, text="no")

    header = {"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    answer = await ask(cluster, handler=note, headers=[header])
    assert seen == [CANARY]
    assert CANARY not in json.dumps(answer.node)


@pytest.mark.spec("AGENT-1")
@pytest.mark.parametrize(
    ("name", "key", "says"),
    [("none", "k", 'secrets "none" not found'), ("s", "other", "secret 's' does not have the key 'other'")],
)
async def test_a_secret_that_is_not_there_is_named(cluster: DevCluster, name: str, key: str, says: str) -> None:
    await cluster.api.create(SECRETS, secret("k", "value"))
    header = {"name": "X-Token", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    answer = await ask(cluster, headers=[header])
    assert answer.node["phase"] == "Failed"
    assert answer.node["message"] == says


@pytest.mark.spec("AGENT-1", "TMO-6")
async def test_a_server_that_does_not_answer_in_time_is_a_failure(cluster: DevCluster) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await answer.write(b".")
            await asyncio.sleep(0.02)
        return answer

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return web.Response()

    half = await ask(cluster, handler=drip, timeoutSeconds=0.2)
    none = await ask(cluster, handler=silent, method="POST", timeoutSeconds=0.2)
    assert half.node == {"phase": "Failed", "message": "context deadline exceeded"}
    assert none.node["phase"] == "Failed"
    assert re.fullmatch(r'Post "http://127\.0\.0\.1:\d+/": context deadline exceeded', none.node["message"])


@pytest.mark.spec("AGENT-1", "AGENT-2", "RTY-3")
@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"url": "http://127.0.0.1:9"}, 'Get "http://127.0.0.1:9": dial tcp 127.0.0.1:9: connect: connection refused'),
        ({"url": "http://x.invalid"}, 'Get "http://x.invalid": dial tcp: lookup x.invalid: no such host'),
        ({"url": "ftp://x/"}, 'Get "ftp://x/": unsupported protocol scheme "ftp"'),
        ({"url": "no url"}, 'Get "no url": unsupported protocol scheme ""'),
        ({"url": "http:///x"}, 'Get "http:///x": http: no Host in request URL'),
        ({"url": "http://h/", "method": "G T"}, 'net/http: invalid method "G T"'),
        (
            {"url": "http://h/", "headers": [{"name": "X", "value": "two\nlines"}]},
            'Get "http://h/": net/http: invalid header field value for "X"',
        ),
        (
            {"url": "http://h/", "headers": [{"name": "a b", "value": ""}]},
            'Get "http://h/": net/http: invalid header field name "a b"',
        ),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_made_is_a_failure_in_the_words_of_gos_client(
    section: dict[str, Any], says: str
) -> None:
    nobody: Any = None  # no Secret is asked for
    async with session() as requests:
        answer = await HttpTasks(requests, nobody, "default").execute({"http": section})
    assert answer.node == {"phase": "Failed", "message": says}


@pytest.mark.spec("AGENT-2")
async def test_who_redirects_for_ever_is_a_failure(cluster: DevCluster) -> None:
    answer = await ask(cluster, "/circle")
    assert answer.node["phase"] == "Failed"
    assert answer.node["message"].endswith('/circle": stopped after 10 redirects')


@pytest.mark.spec("AGENT-1")
async def test_an_address_is_asked_for_as_it_is_written(cluster: DevCluster) -> None:
    async def raw(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.raw_path)

    path = "/a%2Fb%7e?q=%2C%27+%20x&r=a/b"
    assert (await ask(cluster, path, handler=raw)).node["outputs"]["result"] == path
    assert (await ask(cluster, "/a b", handler=raw)).node["outputs"]["result"] == "/a%20b"


@pytest.mark.spec("AGENT-1")
async def test_a_cookie_of_one_task_is_no_other_tasks(cluster: DevCluster) -> None:
    async def bake(request: web.Request) -> web.StreamResponse:
        answer = web.Response(text=str(sorted(request.cookies)))
        answer.set_cookie("who", "me")
        return answer

    async with server(bake) as port, session() as requests:
        tasks = HttpTasks(requests, cluster.api, "default")
        said = [await tasks.execute({"http": {"url": f"http://localhost:{port}/"}}) for _ in range(2)]
    assert [answer.node["outputs"]["result"] for answer in said] == ["[]", "[]"]


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
    async with session() as requests, _all(handlers) as ports:
        for number, port in enumerate(ports):
            places.append({"name": f"p{number}", "port": port})
            (tmp_path / f"p{number}").mkdir()
            (tmp_path / f"p{number}" / "token").write_text(f"t{number}")
        order: AgentOrder = {
            "taskSet": "w", "namespace": "ns", "workflow": "uid", "account": "", "own": "", "plugins": places,
        }  # fmt: skip
        tasks = PluginTasks(requests, order, tmp_path, pauses_s=(0.01,) * 4)
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
@pytest.mark.parametrize(
    ("handlers", "says"),
    [
        ((), "no plugin executed the template"),
        ((says({}),), "no plugin executed the template"),
        ((says({}, 404),), "no plugin executed the template"),
        ((says({"no": 1}, 500),), '500 Internal Server Error: {"no": 1}'),
        ((says({}, 429),), "429 Too Many Requests: {}"),
    ],
)
async def test_what_no_plugin_takes_or_one_refuses_is_a_failure(
    handlers: tuple[Handler, ...], says: str, tmp_path: Path
) -> None:
    (answer,) = await offered(tmp_path, *handlers)
    assert answer == Answer({"phase": "Failed", "message": says})


@pytest.mark.spec("AGENT-5")
async def test_a_plugin_that_is_not_there_yet_is_asked_five_times(tmp_path: Path) -> None:
    seen: list[Any] = []
    (answer,) = await offered(tmp_path, says({"not": "yet"}, 503, seen))
    assert answer == Answer({"phase": "Failed", "message": '{"not": "yet"}'})
    assert len(seen) == 5


@pytest.mark.spec("AGENT-5")
async def test_a_plugin_that_nobody_serves_is_a_failure_in_the_end(tmp_path: Path) -> None:
    order: Any = {"taskSet": "w", "namespace": "n", "workflow": "u", "plugins": [{"name": "p", "port": 9}]}
    async with session() as requests:
        answer = await PluginTasks(requests, order, tmp_path, pauses_s=(0.01,) * 4).execute({"plugin": {"p": {}}})
    assert answer.node["phase"] == "Failed"
    assert answer.node["message"].endswith("dial tcp 127.0.0.1:9: connect: connection refused")


@pytest.mark.spec("AGENT-5", "AGENT-7")
@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ({"node": {"phase": "Running"}, "requeue": "1m30s"}, Answer({"phase": "Running"}, 90.0)),
        ({"node": {}, "requeue": "2s"}, Answer({}, 2.0)),
        ({"node": {"phase": "Succeeded"}, "requeue": "2s"}, Answer({"phase": "Succeeded"}, None)),
    ],
)
async def test_a_plugin_says_when_it_is_to_be_asked_again_and_not_after_a_success(
    reply: Any, answer: Answer, tmp_path: Path
) -> None:
    assert await offered(tmp_path, says(reply)) == [answer]


@pytest.mark.spec("AGENT-5")
@pytest.mark.parametrize(
    "reply",
    [
        ["node"], {"node": "Succeeded"}, {"node": {}}, {"node": {"phase": 1}},
        {"node": {"phase": "Running"}, "requeue": "soon"},
        {"node": {"phase": "Succeeded", "outputs": "r"}},
        {"node": {"phase": "Succeeded", "outputs": {"parameters": "p"}}},
        {"node": {"phase": "Succeeded", "outputs": {"parameters": [{"value": "v"}]}}},
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_a_failure_that_names_the_plugin(tmp_path: Path, reply: Any) -> None:
    (answer,) = await offered(tmp_path, says(reply))
    assert answer.node["phase"] == "Failed"
    assert answer.node["message"].startswith("plugin p0 does not keep to the protocol: ")
