"""A cluster that is reached through the proxy of its kubeconfig: another transport, and the same promises."""

from __future__ import annotations

import json

import pytest

from runtime.api import Gone, Unavailable
from runtime.client import HttpApi
from runtime.credentials import Access, bearer
from runtime.objects import CONFIGMAPS, PODS, Object, Reference
from tests.kernel.test_healing import serving

CLUSTER = "http://cluster.invalid:6443"
NAME = Reference(PODS, "n", "p")
LINES = [{"type": "ADDED", "object": {"metadata": {"name": name, "resourceVersion": "7"}}} for name in "ab"]


def at(proxy: str, token: str = "t") -> HttpApi:
    return HttpApi(Access(CLUSTER, None, bearer(lambda: token), proxy=proxy))


async def test_every_request_and_every_stream_goes_through_the_proxy_with_our_credentials():
    asked: list[tuple[str, str]] = []

    def answer(target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        asked.append((target.removeprefix(CLUSTER), headers["authorization"]))
        if "watch=true" in target:
            return 200, b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
        return 200, json.dumps({"metadata": {"name": "p", "uid": "u"}}).encode()

    async with serving(answer) as url, at(url) as api:
        assert (await api.get(NAME))["metadata"]["uid"] == "u"
        large: Object = {"metadata": {"name": "p", "namespace": "n"}, "data": {"text": "x" * 2**21}}
        assert (await api.create(CONFIGMAPS, large))["metadata"]["uid"] == "u"
        async with api.watch(PODS, resource_version="1", timeout_s=5) as events:
            found = [event async for event in events]
        assert await api.text("/metrics") == '{"metadata": {"name": "p", "uid": "u"}}'

    assert [event.object["metadata"]["name"] for event in found] == ["a", "b"]
    paths = [target.partition("?")[0] for target, _ in asked]
    assert paths == ["/api/v1/namespaces/n/pods/p", "/api/v1/namespaces/n/configmaps", "/api/v1/pods", "/metrics"]
    assert {token for _, token in asked} == {"Bearer t"}


async def test_errors_say_the_same_as_without_a_proxy():
    def answer(target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        del headers
        return (404, b'{"kind": "Status", "reason": "NotFound"}') if "/pods/p" in target else (503, b"away")

    async with serving(answer) as url, at(url) as api:
        with pytest.raises(Gone):
            await api.get(NAME)
        with pytest.raises(Unavailable, match="away"):
            async with api.watch(PODS, resource_version="1"):
                pass


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9"], ids=["direct", "proxied"])
async def test_a_server_or_a_proxy_that_is_not_there_is_weather(proxy: str):
    async with HttpApi(Access("http://127.0.0.1:9", None, bearer(lambda: ""), proxy=proxy)) as api:
        with pytest.raises(Unavailable, match="GET /api/v1/namespaces/n/pods/p"):
            await api.get(NAME)
        with pytest.raises(Unavailable, match="GET /api/v1/pods"):
            async with api.watch(PODS, resource_version="1"):
                pass
