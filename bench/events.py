"""Events per second from a socket to a mind: a server that lists pods and then sends what changes as fast as it can.

The server is a process of its own, with everything it sends encoded beforehand; the client side is the real way of an
event: HTTP client, watch, store, router, mailbox, scheduler, mind.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio

from runtime.actor import Room, Watch
from runtime.client import HttpApi
from runtime.credentials import Access
from runtime.messages import Address, Command, Message, Observed
from runtime.objects import PODS, Object
from runtime.system import Settings, System
from tiphys.controller.shapes import shapes

PODS_CACHED = 10_000
EVENTS = 50_000
PAGE = 500


def pod(number: int, version: int, phase: str = "Running") -> Object:
    """A pod as a workflow's are: about 5 KB, a quarter of it managedFields."""
    env = [{"name": f"VARIABLE_{n}", "value": "x" * 40} for n in range(20)]
    fields = {f"f:field{n}": {"f:name": {}, "f:value": {}} for n in range(30)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"pod-{number}",
            "namespace": "default",
            "uid": f"uid-{number}",
            "resourceVersion": str(version),
            "labels": {"workflows.argoproj.io/workflow": "w", "workflows.argoproj.io/completed": "false"},
            "annotations": {"workflows.argoproj.io/node-id": f"w-{number}", "workflows.argoproj.io/node-name": "w.a"},
            "managedFields": [{"manager": "controller", "operation": "Update", "fieldsV1": fields}],
        },
        "spec": {
            "containers": [
                {"name": name, "image": "alpine:3", "command": ["sh"], "env": env} for name in ("main", "wait")
            ],
            "nodeName": "node-1",
            "tolerations": [{"key": f"k{n}", "operator": "Exists", "effect": "NoExecute"} for n in range(4)],
        },
        "status": {
            "phase": phase,
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "Initialized", "PodScheduled")],
            "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {"startedAt": "now"}}}],
        },
    }


def serve(port: Connection, events: int) -> None:
    """The server's process."""
    asyncio.run(_serve(port, events))


async def _serve(port: Connection, events: int) -> None:
    items = [pod(number, number + 1) for number in range(PODS_CACHED)]
    pages = []
    for start in range(0, PODS_CACHED, PAGE):
        more = str(start + PAGE) if start + PAGE < PODS_CACHED else ""
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "10000", "continue": more}}
        pages.append(json.dumps({**body, "items": items[start : start + PAGE]}).encode())
    lines = [
        json.dumps({"type": "MODIFIED", "object": pod(number % PODS_CACHED, PODS_CACHED + number + 1)}).encode() + b"\n"
        for number in range(events)
    ]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return  # it has hung up
            target = head.split(b" ", 2)[1].decode()
            if "watch=true" in target:
                await _stream(writer, lines)
                continue
            at = int(target.partition("continue=")[2].partition("&")[0] or 0) // PAGE
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(pages[at])
            )
            writer.write(pages[at])
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


async def _stream(writer: asyncio.StreamWriter, lines: list[bytes]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(1.0)  # until every actor is born
    for start in range(0, len(lines), 16):
        chunk = b"".join(lines[start : start + 16])
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        await writer.drain()
    await asyncio.sleep(3600)


class Counting:
    """Counts the events; each pod has an actor of its own."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.version = 0
        self.first = self.last = 0.0
        self.done = anyio.Event()

    def birth(self, address: Address, argument: Any) -> None:
        return None

    def receive(self, state: None, message: Message, now: float) -> Iterable[Command]:
        if message.__class__ is Observed:
            version = int(message.object["metadata"]["resourceVersion"])  # type: ignore[union-attr]  # just compared
            if version > PODS_CACHED:
                self.first = self.first or time.process_time()
                if version == self.wanted:
                    self.last = time.process_time()
                    self.done.set()
        return ()

    def waiting(self, state: None) -> str:
        return "for events"


def route(thing: Object) -> Address:
    """A pod's own actor."""
    meta = thing["metadata"]
    return Address("pods", meta["namespace"], meta["name"], meta["uid"])


async def _run(port: int, events: int) -> float:
    async def headers() -> dict[str, str]:
        return {}

    mind = Counting(PODS_CACHED + events)
    room = Room("pods", mind, (Watch(PODS, route, wakes=True),))
    async with HttpApi(Access(f"http://127.0.0.1:{port}", None, headers)) as api:
        api.shapes = shapes()
        system = System(api, [room], settings=Settings(collect=True))
        async with anyio.create_task_group() as tasks:
            await tasks.start(system.run)
            await mind.done.wait()
            tasks.cancel_scope.cancel()
    return events / (mind.last - mind.first)


def parse_us() -> float:
    """What one event costs whoever parses it whole: how quick this machine is, today."""
    import orjson  # noqa: PLC0415  # only for comparison

    line = json.dumps({"type": "MODIFIED", "object": pod(1, 2)}).encode()
    kept: list[Any] = [None] * 1000  # as in a cache, the older one is freed when the newer has come
    begun = time.process_time()
    for number in range(20_000):
        kept[number % 1000] = orjson.loads(line)
    return (time.process_time() - begun) / 20_000 * 1e6


def events_per_s(events: int = EVENTS) -> float:
    """From the first event that a mind has read to the last."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, events), daemon=True)
    server.start()
    try:
        return anyio.run(_run, here.recv(), events, backend_options={"use_uvloop": True})
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    sys.stdout.write(f"{events_per_s():,.0f} events/s\n")
