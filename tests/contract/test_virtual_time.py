"""The API in process costs no time: days of an idle watch pass at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from runtime.objects import CONFIGMAPS, Object
from tiphys.devcluster.answers import Call
from tiphys.devcluster.cluster import DevCluster
from tiphys.devcluster.routes import target
from tiphys.devcluster.streams import WatchStream

pytestmark = pytest.mark.virtual_time


async def test_a_day_of_idle_watches_passes_at_once() -> None:
    async with DevCluster() as cluster:
        version = (await cluster.api.list(CONFIGMAPS)).resource_version
        began = anyio.current_time()
        while anyio.current_time() < began + 86_400:
            async with cluster.api.watch(CONFIGMAPS, resource_version=version) as stream:
                told = [event async for event in stream]
            assert {event.type for event in told} == {"BOOKMARK"}
            version = told[-1].object["metadata"]["resourceVersion"]


@pytest.mark.parametrize("streams", ["in process", "lines"])
@pytest.mark.parametrize("ahead", [True, False])
async def test_what_happens_in_the_moment_a_watch_ends_is_told_by_it_or_by_the_next(streams: str, ahead: bool) -> None:
    """A bookmark, and the end, come only when all before them has been told: who goes on from there misses nothing."""
    async with DevCluster() as cluster, anyio.create_task_group() as tasks:
        version = (await cluster.api.list(CONFIGMAPS)).resource_version
        seen: list[str] = []

        async def write() -> None:
            for number in range(60):
                await anyio.sleep(1)  # and in the very moment of waking, without another turn of the loop:
                kind = cluster.server.catalog.of(CONFIGMAPS)
                cluster.server.rest.create(kind, "default", {"metadata": {"name": f"m{number}"}})

        async def read() -> None:
            nonlocal version
            watch = _events if streams == "in process" else _lines
            while len(seen) < 60:
                async for kind, thing in watch(cluster, version):
                    assert int(thing["metadata"]["resourceVersion"]) >= int(version), "no step back"
                    version = thing["metadata"]["resourceVersion"]
                    seen.extend([thing["metadata"]["name"]] if kind == "ADDED" else [])

        for task in (write, read) if ahead else (read, write):
            tasks.start_soon(task)
        with anyio.move_on_after(200):
            while len(seen) < 60:  # noqa: ASYNC110  virtual time
                await anyio.sleep(10)
        tasks.cancel_scope.cancel()
    assert seen == [f"m{number}" for number in range(60)]


async def _events(cluster: DevCluster, version: str) -> AsyncIterator[tuple[str, Object]]:
    async with cluster.api.watch(CONFIGMAPS, resource_version=version, timeout_s=5) as stream:
        async for event in stream:
            yield event.type, event.object


async def _lines(cluster: DevCluster, version: str) -> AsyncIterator[tuple[str, Object]]:
    found = target(cluster.server.catalog, "/api/v1/configmaps")
    assert found is not None
    call = Call("GET", found, {"timeoutSeconds": "5", "resourceVersion": version, "allowWatchBookmarks": "true"})
    stream = WatchStream(cluster.server, call)
    async for batch in stream.lines():
        for line in batch.splitlines():
            told = json.loads(line)
            yield told["type"], told["object"]
    stream.close()
