"""A cluster for one test: the in-process API, one node, the scheduler; and the verbs that the tests speak in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from runtime.api import Api, Gone, LogOptions, Selection
from runtime.objects import PODS, Object, Reference, Resource
from tests.machine import skip_where_plain
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.node import Node, NodeSettings
from tiphys.devcluster.scheduler import Scheduler
from tiphys.devcluster.server import ApiServer

PATIENCE_S = 20.0


def pod(name: str, *command: str, spec: Object | None = None, meta: Object | None = None, **container: Any) -> Object:
    """A pod of one container "main" that runs `command` and is not restarted."""
    main: Object = {"name": "main", "image": "busybox", **container}
    if command:
        main["command"] = list(command)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", **(meta or {})},
        "spec": {"restartPolicy": "Never", "containers": [main], **(spec or {})},
    }


def shell(name: str, script: str, **rest: Any) -> Object:
    """A pod that runs a shell script."""
    return pod(name, "sh", "-c", script, **rest)


def state(thing: Object, name: str = "main", field: str = "state") -> Object:
    """The state of one container of a pod."""
    status = thing["status"]
    entries = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    found: Object = next(entry for entry in entries if entry["name"] == name)[field]
    return found


def current(thing: Object) -> Object:
    """The state of the pod's first main container; empty when it has none yet."""
    entries = (thing.get("status") or {}).get("containerStatuses")
    found: Object = entries[0]["state"] if entries else {}
    return found


def restarts(thing: Object) -> int:
    """How often the pod's first main container was restarted."""
    entries = (thing.get("status") or {}).get("containerStatuses")
    return entries[0]["restartCount"] if entries else 0


def hindered(thing: Object) -> bool:
    """The pod's first main container waits, and says why in a sentence."""
    entries = (thing.get("status") or {}).get("containerStatuses")
    return bool(entries and entries[0]["state"].get("waiting", {}).get("message"))


def over(thing: Object) -> bool:
    """The pod has ended."""
    return (thing.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def running(thing: Object) -> bool:
    """All containers of the pod are ready."""
    conditions = (thing.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


async def eventually(good: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
    """Wait until something outside the loop (processes, files) is as wished."""
    with anyio.fail_after(patience_s):
        while not good():  # noqa: ASYNC110 - nobody could set an event
            await anyio.sleep(0.005)


def command_lines() -> list[str]:
    """Of every process of the machine; arguments end with a NUL."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                lines.append((entry / "cmdline").read_text())
            except OSError:
                continue
    return lines


async def no_process(part: str) -> None:
    """Wait until no process with `part` in its command line is left on the machine."""
    await eventually(lambda: not any(part in line for line in command_lines()))


class Cluster:
    """The API and the node of one test."""

    def __init__(self, api: Api, node: Node, patience_s: float = PATIENCE_S) -> None:
        self.api = api
        self.patience_s = patience_s
        self.node = node

    async def create(self, thing: Object, resource: Resource = PODS) -> Object:
        """Create an object in its namespace, or the default one."""
        thing["metadata"].setdefault("namespace", "default")
        return await self.api.create(resource, thing)

    async def until(self, name: str, good: Callable[[Object], bool]) -> Object:
        """The pod once it is as wished; fails with its last state otherwise."""
        last: Object = {}
        with anyio.move_on_after(self.patience_s):
            selection = Selection("default", fields=f"metadata.name={name}")
            async with self.api.watch(PODS, selection, resource_version="0") as events:
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    last = event.object
                    if good(last):
                        return last
        raise AssertionError(f"pod {name} did not come to be as wished: {last.get('status')}")

    async def gone(self, name: str) -> None:
        """Wait until the pod's object is gone."""
        with anyio.fail_after(self.patience_s):
            while True:
                try:
                    await self.api.get(Reference(PODS, "default", name))
                except Gone:
                    return
                await anyio.sleep(0.005)

    async def run(self, thing: Object) -> Object:
        """Create a pod and wait for its end."""
        await self.create(thing)
        return await self.until(thing["metadata"]["name"], over)

    async def log(self, name: str, container: str = "main", **options: Any) -> str:
        """A container's log as text."""
        ref = Reference(PODS, "default", name)
        async with self.api.log(ref, LogOptions(container=container, **options)) as chunks:
            return b"".join([chunk async for chunk in chunks]).decode()

    async def output(self, thing: Object) -> str:
        """Run a pod that must succeed; what it printed."""
        ended = await self.run(thing)
        name = thing["metadata"]["name"]
        text = await self.log(name)
        assert ended["status"]["phase"] == "Succeeded", (ended["status"], text)
        return text

    async def until_log(self, name: str, text: str) -> None:
        """Wait until the pod's container has printed `text`."""
        await self.until(name, lambda p: over(p) or "running" in (current(p)))
        with anyio.fail_after(self.patience_s):
            while text not in await self.log(name):  # noqa: ASYNC110 - the log is in files
                await anyio.sleep(0.005)

    async def delete(self, name: str, grace_s: int | None = None) -> None:
        """Delete a pod."""
        await self.api.delete(Reference(PODS, "default", name), grace_s=grace_s)


@asynccontextmanager
async def cluster(
    root: Path, mode: str, *, clock: Callable[[], float] = time.time, **settings: Any
) -> AsyncIterator[Cluster]:
    """A cluster whose node runs in `mode`; afterwards nothing of it is left."""
    server = ApiServer(now=clock)
    server.start()
    api = InProcessApi(server)
    node = Node(api, NodeSettings(root=root, mode=mode, **settings), clock=clock)  # type: ignore[arg-type]
    server.logs = node
    async with anyio.create_task_group() as tasks:
        await tasks.start(node.run)
        await tasks.start(Scheduler(api, clock).run)
        yield Cluster(api, node, PATIENCE_S if clock is time.time else 1e6)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def isolated_cluster(root: Path, **settings: Any) -> AsyncIterator[Cluster]:
    """A cluster whose pods have roots of their own; skips, saying why, where the machine refuses that.

    The skip is raised when the node has ended: a task group would wrap it, and then it is no skip any more."""
    async with cluster(root, "auto", **settings) as built:
        if built.node.mode == "process":
            yield built
            return
    skip_where_plain(built.node.mode_reason)
