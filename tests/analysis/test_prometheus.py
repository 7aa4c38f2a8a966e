"""Prometheus metrics against small servers that answer as Prometheus does, and against a real one where it is."""

from __future__ import annotations

import math
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from actors.analysis.conditions import verdict
from actors.analysis.query import Answer
from tests.analysis.servers import NOW, query, serving
from tests.machine import prometheus_program
from tiphys.providers import aws
from tiphys.providers.measure import measure


async def ask(address: str | None, hidden: tuple[str, ...] = (), **settings: Any) -> Answer:
    settings = {"query": "up", **({"address": address} if address is not None else {}), **settings}
    return await measure(query({"prometheus": settings}, hidden=hidden))


def success(kind: str, result: Any, **fields: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **fields}


def vector(*values: str) -> dict[str, Any]:
    return success("vector", [{"metric": {"n": str(n)}, "value": [NOW, value]} for n, value in enumerate(values)])


@pytest.mark.spec("RO-PR-1")
@pytest.mark.parametrize(("content", "value", "text"), [
    (vector("1", "0.25"), [1.0, 0.25], "[1,0.25]"),
    (vector(), [], "[]"),
    (vector("1e-07"), [1e-07], "[0.0000001]"),
    (vector("+Inf", "-Inf"), [math.inf, -math.inf], "[+Inf,-Inf]"),
    (success("scalar", [NOW, "3"]), 3.0, "3"),
    (success("matrix", [{"metric": {}, "values": [[1, "1"], [2, "2"]]}, {"metric": {}, "values": [[1, "3"]]}]),
     [1.0, 2.0, 3.0], "[1,2,3]"),
])  # fmt: skip
async def test_samples_are_a_list_of_numbers_and_a_scalar_is_one(content, value, text):
    async with serving(content) as server:
        answer = await ask(server.url)

        assert (answer.phase, answer.value, answer.text) == ("", value, text)


async def test_an_instant_query_is_posted_with_its_time():
    async with serving(vector("1")) as server:
        await ask(f"{server.url}/prefix/", query='sum(rate(x{a="b"}[5m]))', headers=[{"key": "X-Scope", "value": "t"}])

        [heard] = server.heard
        assert (heard.method, heard.path) == ("POST", "/prefix/api/v1/query")
        assert heard.body == "query=sum%28rate%28x%7Ba%3D%22b%22%7D%5B5m%5D%29%29&time=1767225600.000"
        assert heard.headers["x-scope"] == "t"


async def test_a_range_query_has_times_that_are_expressions():
    times = {"start": 'now() - duration("5m")', "end": "now()", "step": "1m30s"}
    async with serving(success("matrix", [])) as server:
        await ask(server.url, rangeQuery=times)

        [heard] = server.heard
        assert heard.path == "/api/v1/query_range"
        assert heard.body == "query=up&start=1767225300.000&end=1767225600.000&step=90"


@pytest.mark.parametrize(("times", "message"), [
    ({"start": "1 + 1", "end": "now()", "step": "1m"},
     "failed to parse rangeQuery.start as time: expected time.Time, but got int"),
    ({"start": "now()", "end": "now(", "step": "1m"}, "failed to parse rangeQuery.end as time: unexpected token EOF"),
    ({"start": "now()", "end": "now()", "step": "x"},
     'failed to parse rangeQuery.step as duration: time: invalid duration "x"'),
])  # fmt: skip
async def test_a_range_that_is_no_range_is_an_error(times, message):
    answer = await ask("http://127.0.0.1:9", rangeQuery=times)

    assert answer == Answer(phase="Error", message=message)


async def test_a_server_that_takes_only_get_is_asked_so():
    async with serving(lambda heard: vector("1") if heard.method == "GET" else (405, "")) as server:
        answer = await ask(server.url)

        assert answer.value == [1.0]
        assert server.heard[-1].query == {"query": "up", "time": "1767225600.000"}


async def test_warnings_are_shown_with_the_measurement():
    async with serving({**vector("1"), "warnings": ["one", "two"]}) as server:
        answer = await ask(server.url)

        assert answer.metadata == {"warnings": '"one", "two"'}


# ---------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(("reply", "message"), [
    ((400, {"status": "error", "errorType": "bad_data", "error": "parse error"}), "bad_data: parse error"),
    ((503, "<html>no</html>"), "server_error: server error: 503"),
    ((404, "404 page not found"), "client_error: client error: 404"),
    ("<html>login</html>", "bad_response: the answer is no JSON"),
    ({"status": "success", "data": None}, "Prometheus metric type not supported"),
    (success("string", [NOW, "x"]), "Prometheus metric type not supported"),
    (success("vector", [{"metric": {}}]), "bad_response: a sample has no value"),
    (success("vector", [{"value": [1, "abc"]}]), "bad_response: a sample has no value"),
    ({"hello": 1}, "bad_response: the answer is not Prometheus'"),
    ([], "bad_response: the answer is not Prometheus'"),
])  # fmt: skip
async def test_whatever_is_no_result_is_an_error(reply, message):
    async with serving(reply) as server:
        answer = await ask(server.url)

        assert answer.phase == "Error"
        assert answer.message.startswith(message)


@pytest.mark.parametrize(("values", "condition", "phase"), [
    ((), "result[0] < 0.05", "Error"),
    ((), "len(result) == 0 || result[0] < 0.05", "Successful"),
    (("NaN",), "result[0] < 0.05", "Failed"),
    (("NaN",), "isNaN(result[0]) || result[0] < 0.05", "Successful"),
    (("0.01", "0.9"), "all(result, # < 0.05)", "Failed"),
])  # fmt: skip
async def test_empty_vectors_and_nan_are_judged_as_upstream_judges(values, condition, phase):
    async with serving(vector(*values)) as server:
        answer = await ask(server.url)

        assert verdict({"successCondition": condition}, answer.value, NOW).phase == phase


@pytest.mark.parametrize(("address", "message"), [
    (None, "prometheus address is not configured"),
    ("localhost:9090", "prometheus address is not is url format"),
    ("nonsense", "prometheus address is not is url format"),
])  # fmt: skip
async def test_an_address_is_needed(address, message):
    assert await ask(address) == Answer(phase="Error", message=message)


async def test_the_address_may_come_from_the_environment(monkeypatch):
    async with serving(vector("1")) as server:
        monkeypatch.setenv("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", server.url)
        assert (await ask(None)).value == [1.0]


@pytest.mark.parametrize(("login", "message"), [
    ({"username": "u"}, "missing mandatory parameter in metric for basic auth setup: password"),
    ({"password": "p"}, "missing mandatory parameter in metric for basic auth setup: username"),
])  # fmt: skip
async def test_half_a_login_is_an_error(login, message):
    answer = await ask("http://127.0.0.1:9", authentication={"basicAuth": login})

    assert answer == Answer(phase="Error", message=message)


async def test_a_login_and_a_token_are_sent():
    def reply(heard: Any) -> Any:
        return {"access_token": "t"} if heard.path == "/token" else vector("1")

    async with serving(reply) as server:
        await ask(server.url, authentication={"basicAuth": {"username": "u", "password": "p"}})
        oauth2 = {"tokenUrl": f"{server.url}/token", "clientId": "i", "clientSecret": "s"}
        await ask(server.url, authentication={"oauth2": oauth2})

        assert server.heard[0].login == "u:p"
        assert server.heard[-1].headers["authorization"] == "Bearer t"


async def test_a_negative_timeout_is_an_error():
    answer = await ask("http://127.0.0.1:9", timeout=-1)

    assert answer.message == "prometheus timeout should not be negative"


async def test_requests_to_amazons_service_are_signed(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    aws._kept.clear()
    async with serving(vector("1")) as server:
        address = f"{server.url}/aps-workspaces/ws-1"
        answer = await ask(address, authentication={"sigv4": {"region": "eu-west-1"}})

        assert answer.value == [1.0]
        given = server.heard[0].headers["authorization"]
        assert given.startswith("AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/aps/aws4_request, ")
        assert "SignedHeaders=content-type;host;x-amz-date" in given


# ------------------------------------------------------------------------------------------ the real thing

PROMETHEUS = prometheus_program("prometheus")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scrapes itself every second."""
    if not PROMETHEUS:
        pytest.skip("no prometheus on this machine: install Debian's package, or name its folder in TIPHYS_PROMETHEUS")
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = Path(folder, "prometheus.yml")
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder}/d",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
async def real(started: str) -> str:
    """The same, with something to tell."""
    await _scraped(started)
    return started


async def _scraped(url: str) -> None:
    """Wait until it has scraped itself once."""
    with anyio.fail_after(60):
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{url}/api/v1/query", params={"query": "up"}) as answer:
                        if (await answer.json())["data"]["result"]:
                            return
                except (aiohttp.ClientError, KeyError):
                    pass
                await anyio.sleep(0.2)


@pytest.mark.parametrize(("text", "condition", "value"), [
    ("up", "result[0] == 1", "[1]"),
    ("scalar(up) * 2", "result == 2", "2"),
    ("absent_metric", "len(result) == 0", "[]"),
    ("0 / (up - 1)", "isNaN(result[0])", "[NaN]"),
    ("up / (up - 1)", "isInf(result[0])", "[+Inf]"),
])  # fmt: skip
async def test_a_real_prometheus_answers_an_instant_query(real, text, condition, value):
    answer = await measure(query({"prometheus": {"address": real, "query": text}}, now=time.time()))

    assert answer.text == value, answer.message
    assert verdict({"successCondition": condition}, answer.value, NOW).phase == "Successful"


async def test_a_real_prometheus_answers_a_range_query(real):
    times = {"start": 'now() - duration("10s")', "end": "now()", "step": "1s"}
    settings = {"address": real, "query": "up", "rangeQuery": times}
    answer = await measure(query({"prometheus": settings}, now=time.time()))

    assert verdict({"successCondition": "all(result, # == 1) && len(result) > 0"}, answer.value, NOW).phase == (
        "Successful"
    ), answer


async def test_a_real_prometheus_refuses_a_query_that_cannot_be_read(real):
    answer = await measure(query({"prometheus": {"address": real, "query": "sum("}}))

    assert answer.phase == "Error"
    assert answer.message.startswith("bad_data: ")
