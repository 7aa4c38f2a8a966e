"""Streams that lie, servers that forget, credentials that expire: what is seen becomes true again by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from runtime.api import Unavailable, WatchEvent
from runtime.client import HttpApi
from runtime.credentials import Access
from runtime.messages import Address
from runtime.objects import CONFIGMAPS, PODS, Reference
from runtime.store import Store
from runtime.watch import Broke, Heard, Listing, Watching, step
from tiphys.controller.shapes import shapes

DICE = Random(1)


def event(kind: str, version: str) -> WatchEvent:
    return WatchEvent(kind, {"metadata": {"name": "a", "uid": "u", "resourceVersion": version}})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ADDED", "BOOKMARK"])
def test_a_server_that_comes_back_with_lower_versions_is_listed_anew(kind: str):
    """Restored from a backup, it would keep silent until its versions overtake ours."""
    assert step(Watching("500"), Heard(event(kind, "17")), DICE) == (Listing(), None)
    assert step(Watching("500"), Heard(event("BOOKMARK", "500")), DICE).state == Watching("500", heard=True)
    assert step(Watching("abc"), Heard(event("BOOKMARK", "17")), DICE).state == Watching("17", heard=True)


def test_a_server_that_has_not_come_so_far_is_listed_anew_at_once():
    error = Unavailable("Timeout: Too large resource version: 500, current: 17", code=504)
    assert step(Watching("500"), Broke(error), DICE).state == Listing(failures=1)


def test_the_same_version_of_another_history_is_told():
    store = Store(CONFIGMAPS, lambda thing: (Address("a", "", thing["metadata"]["name"], ""),))
    old, new = ({"metadata": {"name": "a", "uid": uid, "resourceVersion": "7"}} for uid in "12")
    assert [type(change.message).__name__ for (change,) in store.replace([old])] == ["Observed"]
    assert list(store.replace([old])) == []
    assert [type(change.message).__name__ for changes in store.replace([new]) for change in changes] == [
        "Gone",
        "Observed",
    ]


# ---------------------------------------------------------------------------------------------- over HTTP


Answer = Callable[[str, dict[str, str]], tuple[int, bytes]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """A server that answers each request by a function of its target and headers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
                await reader.readexactly(int(headers.get("content-length", 0)))
                code, body = answer(first.split()[1], headers)
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (code, len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_expired_token_is_renewed_and_what_was_asked_for_is_done():
    tokens = ["old"]
    seen: list[str] = []

    def answer(target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        seen.append(headers["authorization"])
        if headers["authorization"] != "Bearer new":
            return 401, b'{"kind": "Status", "message": "Unauthorized"}'
        return 200, json.dumps({"metadata": {"name": "p", "uid": "u"}}).encode()

    async def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens[-1]}"}

    async with serving(answer) as url, HttpApi(Access(url, None, headers, renew=lambda: tokens.append("new"))) as api:
        assert (await api.get(Reference(PODS, "n", "p")))["metadata"]["uid"] == "u"
    assert seen == ["Bearer old", "Bearer new"]


async def test_credentials_that_stay_refused_are_weather_and_no_verdict():
    """A workflow must not fail because our token has: the command is tried again, not given up."""

    def answer(target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        return 401, b'{"kind": "Status", "message": "token expired"}'

    async def headers() -> dict[str, str]:
        return {}

    async with serving(answer) as url, HttpApi(Access(url, None, headers)) as api:
        with pytest.raises(Unavailable, match="token expired"):
            await api.get(Reference(PODS, "n", "p"))
        with pytest.raises(Unavailable, match="token expired"):
            async with api.watch(PODS, resource_version="1"):
                pass


# ------------------------------------------------------------------------------------------ trimmed objects


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "uid": "u", "resourceVersion": "3", "managedFields": [{"manager": "kubelet"}]},
    "spec": {
        "nodeName": "n1",
        "volumes": [{"name": "v"}],
        "containers": [{"name": "main", "env": [{"name": "A"}], "resources": {"limits": {"cpu": "1"}}}],
    },
    "status": {
        "phase": "Running",
        "podIPs": [{"ip": "10.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "False", "lastProbeTime": None, "reason": "NotReady"}],
        "initContainerStatuses": None,
        "containerStatuses": [
            {
                "name": "main",
                "ready": False,
                "imageID": "sha256:1",
                "state": {"terminated": {"exitCode": 3, "message": "m", "containerID": "c", "startedAt": None}},
                "lastState": {},
            }
        ],
    },
}


def test_listed_and_watched_pods_keep_what_decisions_are_made_from():
    shape = shapes()[PODS]
    kind, pod = shape.event(json.dumps({"type": "MODIFIED", "object": POD}).encode())
    assert kind == "MODIFIED"
    assert pod["metadata"] == {"name": "p", "uid": "u", "resourceVersion": "3"}
    assert pod["spec"] == {"nodeName": "n1", "containers": [{"name": "main", "resources": {"limits": {"cpu": "1"}}}]}
    assert pod["status"] == {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "reason": "NotReady"}],
        "initContainerStatuses": None,
        "containerStatuses": [
            {
                "name": "main",
                "ready": False,
                "state": {"terminated": {"exitCode": 3, "message": "m", "startedAt": None}},
                "lastState": {},
            }
        ],
    }
    listed = shape.list(json.dumps({"metadata": {"resourceVersion": "9", "continue": "c"}, "items": [POD]}).encode())
    assert listed["items"] == [pod]
    assert listed["metadata"] == {"resourceVersion": "9", "continue": "c"}


@pytest.mark.parametrize("changed", range(4), ids=["nothing new", "one new", "two new", "all new"])
def test_a_list_makes_only_the_objects_that_are_not_known(changed: int):
    """And says the same as one that makes all; another uid under a name is another object."""
    shape = shapes()[PODS]
    pods = [{**POD, "metadata": {**POD["metadata"], "name": name, "namespace": "n"}} for name in "abc"]
    known = {pod["metadata"]["name"]: pod for pod in shape.list(listed(pods))["items"]}
    for pod, (field, value) in zip(
        pods[:changed], [("uid", "v"), ("resourceVersion", "4"), ("name", "d")], strict=False
    ):
        pod["metadata"][field] = value

    found = shape.list(listed(pods), lambda namespace, name: known.get(name) if namespace == "n" else None)
    assert found == shape.list(listed(pods))
    same = [thing is known.get(thing["metadata"]["name"]) for thing in found["items"]]
    assert same == [False] * changed + [True] * (3 - changed) if changed < 2 else [False] * 3


def listed(pods: list[dict[str, Any]]) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "9", "continue": "c"}, "items": pods}).encode()


def test_what_does_not_fit_a_shape_is_kept_whole():
    shape = shapes()[PODS]
    odd: dict[str, Any] = {**POD, "metadata": {"name": 7}}
    assert shape.event(json.dumps({"type": "ADDED", "object": odd}).encode()) == ("ADDED", odd)
    status = {"kind": "Status", "code": 410, "reason": "Expired", "details": {"retryAfterSeconds": 1}}
    assert shape.event(json.dumps({"type": "ERROR", "object": status}).encode()) == ("ERROR", status)
    assert shape.list(json.dumps({"metadata": {}, "items": [odd]}).encode())["items"] == [odd]
