"""Web metrics, and the client that all providers share, against real small servers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from aiohttp import web

from actors.analysis.conditions import verdict
from actors.analysis.query import Answer, ProviderError
from tests.analysis.servers import query, serving
from tiphys.devcluster.pki import new_identity, server_context
from tiphys.providers import http
from tiphys.providers.measure import measure
from tiphys.providers.web import value_in


async def ask(url: str, hidden: tuple[str, ...] = (), **settings: Any) -> Answer:
    return await measure(query({"web": {"url": url, **settings}}, hidden=hidden))


@pytest.mark.spec("RO-PR-2")
@pytest.mark.parametrize(("path", "value", "text"), [
    ("{$.a.b}", 5.0, "5"),
    ("{$.list[1]}", "two", '"two"'),
    ("{$.list}", ["one", "two"], '["one","two"]'),
    ("{$.a}", {"b": 5.0, "c": True}, '{"b":5,"c":true}'),
    ("{$.none}", None, "null"),
    ("{.items[?(@.n=='y')].v}", 2.0, "2"),
    ("$.a.b", "$.a.b", '"$.a.b"'),
    (None, None, None),
])  # fmt: skip
async def test_the_value_is_what_the_path_finds(path, value, text):
    content = {"a": {"b": 5, "c": True}, "list": ["one", "two"], "none": None,
               "items": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]}  # fmt: skip
    async with serving(content) as server:
        answer = await ask(server.url, **({"jsonPath": path} if path else {}))

        if path is None:
            assert answer.value["list"] == ["one", "two"]
        else:
            assert (answer.value, answer.text) == (value, text)
        assert answer.phase == ""


async def test_what_is_no_json_is_the_value_itself():
    async with serving("It worked!") as server:
        answer = await ask(server.url)

        assert (answer.value, answer.text) == ("It worked!", "It worked!")


async def test_html_is_text_that_no_condition_holds_for():
    async with serving("<html>down for maintenance</html>") as server:
        answer = await ask(server.url, jsonPath="{$.ok}")

        judged = verdict({"successCondition": "asFloat(result) > 0.9"}, answer.value, 0)
        assert judged.phase == "Error"


@pytest.mark.parametrize("path", ["{$.nope}", "{$.list[7]}"])
async def test_a_path_that_leads_nowhere_is_an_error(path):
    async with serving({"list": [1]}) as server:
        answer = await ask(server.url, jsonPath=path)

        assert answer.phase == "Error"
        assert answer.message.startswith("Could not find JSONPath in body: ")


def test_the_name_that_is_not_there_is_told_in_upstreams_words():
    with pytest.raises(ProviderError, match=r"^Could not find JSONPath in body: nope is not found$"):
        value_in('{"value": 1}', "{$.nope}")


@pytest.mark.parametrize("status", [199 + 5, 301, 404, 500, 503])
async def test_an_answer_that_is_not_2xx_is_an_error(status):
    async with serving((status, "{}")) as server:
        answer = await ask(server.url)

        if status == 204:
            assert answer.phase == ""
        else:
            assert answer == Answer(phase="Error", message=f"received non 2xx response code: {status}")


async def test_headers_method_and_body_are_sent():
    async with serving(lambda heard: {"ok": True}) as server:
        headers = [{"key": "X-One", "value": "1"}, {"key": "content-type", "value": "text/plain"}]
        await ask(server.url, method="POST", headers=headers, body="hello")
        await ask(server.url, method="PUT", headers=headers, jsonBody={"a": [1, "x"]})

        first, second = server.heard
        assert (first.method, first.headers["x-one"], first.headers["content-type"], first.body) == (
            "POST", "1", "text/plain", "hello",
        )  # fmt: skip
        assert (second.method, second.headers["content-type"], second.body) == (
            "PUT", "application/json", '{"a":[1,"x"]}',
        )  # fmt: skip


async def test_a_login_of_the_url_is_sent_unless_there_is_a_header():
    async with serving({"ok": True}) as server:
        url = server.url.replace("http://", "http://me:p%40ss@")
        await ask(url)
        await ask(url, headers=[{"key": "authorization", "value": "Bearer t"}])

        assert server.heard[0].login == "me:p@ss"
        assert server.heard[1].headers["authorization"] == "Bearer t"


async def test_the_environments_proxy_is_used(monkeypatch):
    async with serving({"v": 7}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        answer = await ask("http://metrics.example/x", jsonPath="{$.v}")

        assert answer.value == 7.0
        assert proxy.heard[0].headers["host"] == "metrics.example"


@pytest.mark.parametrize(("settings", "message"), [
    ({"method": "POST", "body": "a", "jsonBody": {}},
     "use either Body or JSONBody; both cannot exists for WebMetric payload"),
    ({"body": "a"}, "Body/JSONBody can only be used with POST or PUT WebMetric Method types"),
    ({"jsonBody": {}}, "Body/JSONBody can only be used with POST or PUT WebMetric Method types"),
    ({"url": "ftp://x/"}, '"ftp://x/" is no http or https URL'),
    ({"url": ""}, '"://" is no http or https URL'),
    ({"url": "http://[::1"}, '"(a URL that cannot be read)" is no http or https URL'),
])  # fmt: skip
async def test_settings_that_contradict_each_other_are_an_error(settings, message):
    answer = await measure(query({"web": {"url": "http://127.0.0.1:9", **settings}}))

    assert answer == Answer(phase="Error", message=message)


async def test_a_server_that_hangs_is_an_error_when_the_time_is_over():
    async def hang(heard: Any) -> Any:
        await anyio.sleep(30)

    async with serving(hang) as server:
        answer = await ask(f"{server.url}/slow?token=abc", timeoutSeconds=0.2)

        assert answer.phase == "Error"
        assert answer.message == f"GET {server.url}/slow: no answer within 0.2 s"


async def test_a_server_that_trickles_for_ever_is_an_error_when_the_time_is_over():
    async def trickle(stream: Any) -> None:
        async with stream:
            with contextlib.suppress(anyio.BrokenResourceError):
                await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while True:
                    await stream.send(b" ")
                    await anyio.sleep(0.05)

    async with talking(trickle) as url:
        answer = await ask(url, timeoutSeconds=0.2)

    assert "no answer within 0.2 s" in answer.message


async def test_a_host_that_hangs_holds_up_no_other(monkeypatch):
    monkeypatch.setattr(http, "HOST_CONCURRENCY", 2)
    monkeypatch.setattr(http, "HOST_PATIENCE_S", 0.1)
    answers: list[Answer] = []

    async def keep(url: str) -> None:
        answers.append(await ask(url, timeoutSeconds=0.4))

    async def hang(heard: Any) -> Any:
        await anyio.sleep(30)

    async with serving(hang) as stuck, serving({"ok": True}) as well:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(keep, stuck.url)
            await anyio.sleep(0.05)
            assert (await ask(well.url)).phase == ""
        turned_away = [each.message for each in answers if "without an answer" in each.message]
        assert len(turned_away) == 2
        assert "2 questions to 127.0.0.1:" in turned_away[0]
        assert sum(1 for each in answers if "no answer within 0.4 s" in each.message) == 2


async def test_an_answer_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(http, "BODY_MAX", 10_000)
    async with serving("x" * 20_000) as server:
        answer = await ask(server.url)

        assert "the answer has more than 10000 bytes" in answer.message


async def test_nobody_there_is_an_error_without_the_secret_of_the_url():
    answer = await ask("http://user:hunter2@127.0.0.1:9/x?token=abc")

    assert answer == Answer(phase="Error", message="GET http://127.0.0.1:9/x: cannot connect: Connection refused")


@pytest.mark.parametrize("said", [b"220 smtp ready\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_what_is_no_whole_answer_is_an_error(said):
    async def talk(stream: Any) -> None:
        async with stream:
            await stream.receive()
            if said:
                await stream.send(said)

    async with talking(talk) as url:
        answer = await ask(url)

    assert answer.phase == "Error"
    assert answer.message.startswith(f"GET {url}/: ") or answer.message.startswith(f"GET {url}: ")


@asynccontextmanager
async def talking(talk: Any) -> AsyncIterator[str]:
    """A server that knows nothing of HTTP."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, talk)
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


# ---------------------------------------------------------------------------------------------- redirects


async def test_redirects_are_followed_and_another_host_hears_no_headers_of_the_user():
    async with serving({"v": 1}) as target:

        def reply(heard: Any) -> Any:
            if heard.path == "/here":
                return {"v": 2}
            return web.Response(status=302, headers={"Location": "/here" if heard.path == "/a" else target.url})

        async with serving(reply) as server:
            headers = [{"key": "X-Token", "value": "hunter2"}, {"key": "Accept", "value": "application/json"}]
            same = await ask(f"{server.url}/a", headers=headers, jsonPath="{$.v}")
            other = await ask(f"{server.url}/b", headers=headers, jsonPath="{$.v}")

            assert (same.value, other.value) == (2.0, 1.0)
            assert server.heard[1].headers["x-token"] == "hunter2"
            assert "x-token" not in target.heard[0].headers
            assert target.heard[0].headers["accept"] == "application/json"


async def test_a_circle_of_redirects_is_an_error():
    async with serving(lambda heard: web.Response(status=302, headers={"Location": "/"})) as server:
        answer = await ask(server.url)

        assert "stopped after 10 redirects" in answer.message


@pytest.mark.parametrize(("status", "method", "body"), [(303, "GET", ""), (307, "POST", "hello")])
async def test_a_redirected_post_stays_one_only_where_the_server_says_so(status, method, body):
    def reply(heard: Any) -> Any:
        return {"v": 1} if heard.path == "/b" else web.Response(status=status, headers={"Location": "/b"})

    async with serving(reply) as server:
        await ask(f"{server.url}/a", method="POST", body="hello")

        assert (server.heard[-1].method, server.heard[-1].body) == (method, body)


# ------------------------------------------------------------------------------------------------ OAuth 2

CLIENT = {"clientId": "me", "clientSecret": "hunter2", "scopes": ["a", "b"]}


async def test_a_token_is_got_with_the_clients_own_credentials():
    def reply(heard: Any) -> Any:
        return {"access_token": "t0ken", "token_type": "bearer"} if heard.path == "/token" else {"v": 1}

    async with serving(reply) as server:
        auth = {"oauth2": {"tokenUrl": f"{server.url}/token", **CLIENT}}
        answer = await ask(f"{server.url}/v", authentication=auth, jsonPath="{$.v}")

        token, value = server.heard
        assert answer.value == 1.0
        assert (token.login, token.body) == ("me:hunter2", "grant_type=client_credentials&scope=a+b")
        assert value.headers["authorization"] == "Bearer t0ken"


async def test_credentials_go_into_the_form_where_the_header_is_refused():
    def reply(heard: Any) -> Any:
        if heard.path != "/token":
            return {"v": 1}
        return {"access_token": "t"} if "client_secret" in heard.body else (401, "{}")

    async with serving(reply) as server:
        auth = {"oauth2": {"tokenUrl": f"{server.url}/token", **CLIENT}}
        assert (await ask(f"{server.url}/v", authentication=auth, jsonPath="{$.v}")).value == 1.0


@pytest.mark.parametrize(("client", "reply", "message"), [
    ({"clientSecret": ""}, {}, "missing mandatory parameter in metric for OAuth2 setup"),
    ({}, (500, "hunter2"), "/token: no token: the answer is 500"),
    ({}, "<html>", "/token: the answer has no access_token"),
])  # fmt: skip
async def test_no_token_is_an_error(client, reply, message):
    async with serving(reply) as server:
        auth = {"oauth2": {"tokenUrl": f"{server.url}/token", **CLIENT, **client}}
        answer = await ask(f"{server.url}/v", authentication=auth)

        assert answer.phase == "Error"
        assert answer.message.endswith(message)
        assert "hunter2" not in answer.message


# ---------------------------------------------------------------------------------------------------- TLS


async def test_a_certificate_that_nobody_trusts_is_refused_unless_it_is_not_looked_at():
    async with serving({"v": 1}, tls=server_context(new_identity())) as server:
        refused = await ask(server.url)
        taken = await ask(server.url, insecure=True, jsonPath="{$.v}")

    assert refused.phase == "Error"
    assert "certificate" in refused.message
    assert taken.value == 1.0


# ------------------------------------------------------------------------------------------- what is shown


async def test_secrets_are_stars_in_every_message():
    async with serving({"error": "no"}) as server:
        answer = await ask(f"{server.url}/hunter2", hidden=("hunter2",), jsonPath="{$.hunter2}")

        assert "hunter2" not in answer.message


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_conditions_see_what_is_no_number(value):
    assert verdict({"successCondition": "isNaN(result) || isInf(result)"}, value, 0).phase == "Successful"


async def test_a_provider_that_is_not_there_says_what_to_do():
    none = await measure(query({"plugin": {"acme/sample": {}}}))

    assert none.message.startswith("no provider acme/sample is installed")
    assert "tiphys.metric_providers" in none.message
