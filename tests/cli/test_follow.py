"""What is followed is seen from its present state to its end, through every ordinary interruption."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from runtime.api import Expired, LogOptions, ObjectList, Selection, Unavailable, WatchEvent
from runtime.objects import CONFIGMAPS, PODS, Object, Reference, Resource
from tiphys.cli import creation, failures, logs
from tiphys.cli.creation import Creation
from tiphys.cli.documents import parse
from tiphys.cli.follow import changes
from tiphys.cli.problems import InputError
from tiphys.cli.screen import Screen
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

HERE = Selection("default")


@pytest.fixture
async def api() -> InProcessApi:
    server = ApiServer()
    server.start()
    return InProcessApi(server)


def configmap(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


class Interrupted:
    """An API whose watches break as told, one error each; everything else is the real one's."""

    def __init__(self, api: InProcessApi, *errors: Exception) -> None:
        self._api = api
        self._errors = list(errors)
        self.lists = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def list(self, resource: Resource, selection: Selection, **options: Any) -> ObjectList:
        self.lists += 1
        return await self._api.list(resource, selection, **options)

    @asynccontextmanager
    async def watch(self, *arguments: Any, **options: Any) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        if self._errors:
            raise self._errors.pop(0)
        async with self._api.watch(*arguments, **options) as events:
            yield events


async def test_the_present_state_comes_first_and_then_every_change(api: InProcessApi) -> None:
    await api.create(CONFIGMAPS, configmap("a", x="1"))
    seen = []
    async with aclosing(changes(api, CONFIGMAPS, HERE)) as events:
        async for event in events:
            if event.object["metadata"]["name"] != "a":
                continue
            seen.append((event.type, event.object["data"]["x"]))
            if len(seen) == 1:
                await api.patch(Reference(CONFIGMAPS, "default", "a"), {"data": {"x": "2"}})
            elif len(seen) == 2:
                await api.delete(Reference(CONFIGMAPS, "default", "a"))
            else:
                break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


@pytest.mark.parametrize("error", [Expired("too old"), Unavailable("gone for a moment")])
async def test_what_vanished_during_a_gap_is_told(api: InProcessApi, error: Exception) -> None:
    await api.create(CONFIGMAPS, configmap("a"))
    broken = Interrupted(api, error)
    seen = []
    async with aclosing(changes(broken, CONFIGMAPS, HERE)) as events:  # type: ignore[type-var, arg-type]
        async for event in events:
            if event.object["metadata"]["name"] == "a":
                seen.append(event.type)
                if event.type == "DELETED":
                    break
                await api.delete(Reference(CONFIGMAPS, "default", "a"))
    assert seen == ["ADDED", "DELETED"]
    assert broken.lists == 2


async def test_definitions_are_created_before_workflows_and_replaced_when_they_exist(api: InProcessApi) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {x: new}\n---\n"
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"
    )
    await api.create(CONFIGMAPS, configmap("c", x="old"))
    await creation.create_all(api, parse(text, "f"), Creation("default"))
    stored = await api.get(Reference(CONFIGMAPS, "default", "c"))
    assert stored["data"] == {"x": "new"}


async def test_what_the_server_refuses_names_the_document(api: InProcessApi) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not A Name}\n"
    with pytest.raises(InputError, match=r"f\.yaml:1: ConfigMap/Not A Name: "):
        await creation.create_all(api, parse(text, "f.yaml"), Creation("default"))


class Logs:
    """A node that serves the logs it was given."""

    def __init__(self, **pods: list[bytes]) -> None:
        self._pods = pods

    async def stream(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        del namespace, options
        for chunk in self._pods[pod.replace("-", "_")]:
            yield chunk


async def with_pods(api: InProcessApi, **pods: list[bytes]) -> dict[str, Any]:
    """Pods named w-t-…, their logs, and the workflow they belong to."""
    api._server.logs = Logs(**pods)
    nodes = {}
    for name in pods:
        container = {"name": "main", "image": "x"}
        meta = {"name": name.replace("_", "-"), "namespace": "default"}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"nodeName": "n", "containers": [container]},
        }
        await api.create(PODS, pod)
        nodes[name] = {"id": name, "name": meta["name"], "type": "Pod", "phase": "Failed", "message": "main: Error"}
    meta = {"name": next(iter(pods)).replace("_", "-"), "namespace": "default"}
    return {"metadata": meta, "status": {"nodes": nodes}}


async def test_logs_come_in_lines_with_times_taken_off(api: InProcessApi) -> None:
    chunks = [b"2026-01-01T00:00:00.5Z fir", b"st\n2026-01-01T00:00:01Z second\nno stamp", b" here"]
    workflow = await with_pods(api, w=chunks)
    lines = await logs.present(api, workflow, logs.Wishes())
    assert [(line.time, line.text) for line in lines] == [
        ("2026-01-01T00:00:00.5Z", "first"),
        ("2026-01-01T00:00:01Z", "second"),
        ("2026-01-01T00:00:01Z", "no stamp here"),
    ]
    assert [line.text for line in await logs.present(api, workflow, logs.Wishes(grep="^s"))] == ["second"]


async def test_a_failure_shows_the_end_of_its_log(api: InProcessApi) -> None:
    workflow = await with_pods(api, w=[b"".join(b"line %d\n" % number for number in range(50))])
    (failure,) = await failures.read(api, workflow)
    assert failure.log[-1] == "line 49"
    assert len(failure.log) == failures.LINES_SHOWN
    shown = failures.lines([failure], 2, Screen())
    assert shown[1] == "✖ w (w)"
    assert shown[-1] == "  2 more failed"


@pytest.mark.parametrize(
    ("message", "names", "whose"),
    [
        ("main: Error (exit code 1)", [], "main"),
        ("b: Error (exit code 3)", ["a", "b", "c"], "b"),
        ("main: Error (exit code 3)", ["a", "main", "c"], "main"),
        ("Evicted", ["a", "b"], "b"),
        ("Evicted", ["main", "b"], "main"),
    ],
)
def test_of_a_container_set_the_log_of_who_is_blamed_is_shown(message: str, names: list[str], whose: str) -> None:
    assert failures.blamed(message, names) == whose


async def test_a_pod_that_is_gone_is_said_to_be_gone(api: InProcessApi) -> None:
    lines = await failures.last_lines(api, Reference(PODS, "default", "gone"))
    assert lines == ["(the pod is gone, and its log with it)"]


async def test_a_grep_that_is_no_expression_is_said(api: InProcessApi) -> None:
    with pytest.raises(InputError, match="--grep '\\['"):
        await logs.present(api, {"metadata": {"name": "w", "namespace": "default"}}, logs.Wishes(grep="["))
