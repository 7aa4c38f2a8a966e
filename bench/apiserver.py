"""How fast the dev cluster's API server is: in process, and over HTTPS from another process.

    python bench/apiserver.py [--objects 10000] [--watchers 20] [--http-requests 10000]

CPU seconds of the serving process are counted, not wall time: a shared machine would lie. The loop is uvloop, as in
`tiphys dev`. Over HTTPS the server runs in a process of its own, and its clients' work is not counted. `rss` is the
growth of the resident set per object (its decoded form, its JSON and its place in the history).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio
import anyio.lowlevel

from runtime.credentials import from_kubeconfig
from runtime.objects import CONFIGMAPS, PODS, Object, Reference
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

CONNECTIONS = 16
REPEATS = 3  # in process the best counts; a shared machine only ever makes it slower


def config(name: str) -> Object:
    """A small object."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"k": "v"},
    }


def pod(name: str) -> Object:
    """A pod such as a workflow's."""
    container = {
        "name": "main",
        "image": "busybox",
        "command": ["sh", "-c", "true"],
        "env": [{"name": "A", "value": "b"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"workflows.argoproj.io/workflow": "w"}},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }


def say(what: str, number: float, unit: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{what:<46}{number:>12,.1f} {unit}\n")
    sys.stdout.flush()


def resident() -> int:
    """Bytes of memory in use by this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Timer:
    """CPU seconds inside a `with`."""

    def __enter__(self) -> Timer:
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._began


# ------------------------------------------------------------------------------------------------ in process


async def in_process(objects: int, watchers: int) -> None:
    """Creates, lists, patches and watches without a socket."""
    for resource, make in ((CONFIGMAPS, config), (PODS, pod)):
        created = listed = float("inf")
        for _ in range(REPEATS):
            async with DevCluster(Settings()) as cluster:
                with Timer() as timer:
                    for number in range(objects):
                        await cluster.api.create(resource, make(f"o-{number:06}"))
                created = min(created, timer.seconds)
                with Timer() as timer:
                    found = await cluster.api.list(resource)
                listed = min(listed, timer.seconds)
                assert len(found.items) >= objects
                del found
        say(f"in process: create {resource.kind}", objects / created, "/s")
        say(f"in process: list {objects:,} {resource.kind}s", listed * 1000, "ms")
    async with DevCluster(Settings()) as cluster:
        await cluster.api.create(CONFIGMAPS, config("a"))
        ref = Reference(CONFIGMAPS, "default", "a")
        with Timer() as timer:
            for number in range(objects):
                await cluster.api.patch(ref, {"data": {"k": str(number)}})
        say("in process: merge patch", objects / timer.seconds, "/s")
        await fan_out(cluster, objects // 10, watchers)


async def memory(kind: str, objects: int) -> None:
    """What an object takes, in a process that has done nothing before."""
    resource, make = {"ConfigMap": (CONFIGMAPS, config), "Pod": (PODS, pod)}[kind]
    async with DevCluster(Settings()) as cluster:
        gc.collect()
        before = resident()
        for number in range(objects):
            await cluster.api.create(resource, make(f"o-{number:06}"))
        gc.collect()
        say(f"memory of a {kind}", (resident() - before) / objects, "bytes rss")


async def fan_out(cluster: DevCluster, changes: int, watchers: int) -> None:
    """One object changes, and many watch."""
    version = (await cluster.api.list(CONFIGMAPS)).resource_version

    async def watch() -> None:
        async with cluster.api.watch(CONFIGMAPS, resource_version=version) as events:
            for _ in range(changes):
                await anext(events)

    ref = Reference(CONFIGMAPS, "default", "a")
    with Timer() as timer:
        async with anyio.create_task_group() as tasks:
            for _ in range(watchers):
                tasks.start_soon(watch)
            await anyio.lowlevel.checkpoint()
            for number in range(changes):
                await cluster.api.patch(ref, {"data": {"n": str(number)}})
    say(f"in process: watch events, {watchers} watchers", changes * watchers / timer.seconds, "/s")


# ------------------------------------------------------------------------------------------------ over HTTPS


class Client:
    """A connection that writes requests and reads answers with as little work as possible."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: str) -> None:
        self._reader = reader
        self._writer = writer
        self._headers = headers

    def send(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> None:
        """Write one request."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)

    async def answer(self) -> bytes:
        """The body of the next answer. Raises RuntimeError for a failure."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        if head.split(b" ", 2)[1][:1] != b"2":
            raise RuntimeError(head + body)
        return body

    async def request(self, *request: Any) -> bytes:
        """Write one request and read its answer."""
        self.send(*request)
        return await self.answer()

    async def count_lines(self, lines: int) -> None:
        """Read a stream until so many lines came."""
        await self._reader.readuntil(b"\r\n\r\n")
        while lines > 0:
            lines -= (await self._reader.read(1 << 18)).count(b"}\n")


async def connect(kubeconfig: Path) -> Client:
    """A new connection."""
    access = from_kubeconfig(str(kubeconfig))
    host, port = access.url.removeprefix("https://").split(":")
    tls = access.tls or ssl.create_default_context()
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, limit=1 << 26)
    headers = "".join(f"{k}: {v}\r\n" for k, v in (await access.headers()).items())
    return Client(reader, writer, f"Host: {host}:{port}\r\n{headers}")


async def cpu_of(client: Client) -> float:
    """CPU seconds that the server has used."""
    text = (await client.request("GET", "/metrics")).decode()
    return float(text.partition("\nprocess_cpu_seconds_total ")[2].split()[0])


async def measured(what: str, client: Client, count: int, work: Callable[[], Any], unit: str = "/s") -> None:
    """Say how many the server does in a second of its CPU."""
    before, began = await cpu_of(client), time.perf_counter()
    await work()
    wall, cpu = time.perf_counter() - began, await cpu_of(client) - before
    say(what, count / cpu, f"{unit}  (wall {count / wall:,.0f}/s)")


async def over_https(folder: Path, requests: int, watchers: int) -> None:
    """Creates, gets, lists and watches over TLS."""
    path = folder / "config"
    clients = [await connect(path) for _ in range(CONNECTIONS)]
    first, url = clients[0], "/api/v1/namespaces/default/configmaps"

    async def each(method: str, make: Callable[[int], tuple[str, bytes]]) -> None:
        async def some(client: Client, start: int) -> None:
            for number in range(start, requests, CONNECTIONS):
                target, body = make(number)
                await client.request(method, target, body)

        async with anyio.create_task_group() as tasks:
            for index, client in enumerate(clients):
                tasks.start_soon(some, client, index)

    def created(number: int) -> tuple[str, bytes]:
        return url, json.dumps(config(f"h-{number:06}")).encode()

    await measured("https: create ConfigMap", first, requests, lambda: each("POST", created))
    await measured("https: get", first, requests, lambda: each("GET", lambda n: (f"{url}/h-{n:06}", b"")))

    await watched(path, clients, url, watchers)
    await lists(first, url, "ConfigMaps", requests)
    url = "/api/v1/namespaces/default/pods"
    await measured(
        "https: create Pod",
        first,
        requests,
        lambda: each("POST", lambda n: (url, json.dumps(pod(f"h-{n:06}")).encode())),
    )
    await lists(first, url, "Pods", requests)


async def lists(client: Client, url: str, kind: str, objects: int) -> None:
    """Say what one list of all objects costs, as it would be of 10,000."""
    before, began = await cpu_of(client), time.perf_counter()
    for _ in range(REPEATS):
        await client.request("GET", url)
    wall, cpu = time.perf_counter() - began, await cpu_of(client) - before
    share = 10_000 / objects / REPEATS * 1000
    say(f"https: list 10,000 {kind}", cpu * share, f"ms  (wall {wall * share:,.0f} ms)")


async def watched(path: Path, clients: list[Client], url: str, watchers: int) -> None:
    """Objects change, and many watch all of them over connections of their own."""
    first, each = clients[0], 100
    changes = each * len(clients)
    version = json.loads(await first.request("GET", url + "?limit=1"))["metadata"]["resourceVersion"]
    followers = [await connect(path) for _ in range(watchers)]
    for follower in followers:
        follower.send("GET", f"{url}?watch=1&resourceVersion={version}")

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            for follower in followers:
                tasks.start_soon(follower.count_lines, changes)
            for index, client in enumerate(clients):
                tasks.start_soon(change, client, index)

    async def change(client: Client, index: int) -> None:
        for number in range(each):
            body = json.dumps({"data": {"n": str(number)}}).encode()
            client.send("PATCH", f"{url}/h-{index:06}", body, "application/merge-patch+json")
        for _ in range(each):
            await client.answer()

    await measured(f"https: watch events, {watchers} watchers", first, changes * watchers, work)


async def serve(folder: Path, store: Path | None) -> None:
    """The serving process."""
    async with DevCluster(Settings(serving=Serving(kubeconfig=folder / "config"), store=store)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--watchers", type=int, default=20)
    parser.add_argument("--http-requests", type=int, default=10_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help="serve from this SQLite file instead of memory")
    chosen = parser.parse_args()
    if chosen.serve is not None:
        anyio.run(serve, chosen.serve, chosen.store, backend_options={"use_uvloop": True})
        return
    if chosen.memory is not None:
        anyio.run(memory, chosen.memory, chosen.objects)
        return
    for kind in ("ConfigMap", "Pod"):
        argv = [sys.executable, __file__, "--memory", kind, "--objects", str(chosen.objects)]
        subprocess.run(argv, check=True)  # noqa: S603 - this very file
    anyio.run(in_process, chosen.objects, chosen.watchers, backend_options={"use_uvloop": True})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        argv = [sys.executable, __file__, "--serve", name] + (["--store", str(chosen.store)] if chosen.store else [])
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:  # noqa: S603 - this very file
            assert server.stdout is not None
            server.stdout.readline()
            try:
                anyio.run(over_https, folder, chosen.http_requests, chosen.watchers)
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
