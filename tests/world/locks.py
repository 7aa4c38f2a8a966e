"""What the tests of locks share: workflows that want one, the limit of a semaphore, and who looks on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from actors.lock_messages import holdings
from actors.workflow.state import WORKFLOWS
from runtime.api import Gone
from runtime.objects import CONFIGMAPS, Object, Reference
from tests.world.world import Outcome, Script, World, world

MUTEX = "synchronization: {mutexes: [{name: m}]}"
SEMAPHORE = "synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: k}}]}"
FAN = """
  - name: main
    steps:
    - - {name: a, template: leaf, withItems: [0, 1, 2, 3, 4]}
"""


def leaf(lock: str, more: str = "") -> str:
    return f"{{name: leaf, {lock}, {more}container: {{image: busybox, command: [echo]}}}}"


def workflow(templates: str, locked: str, **spec: object) -> str:
    more = "".join(f"\n  {key}: {value}" for key, value in spec.items())
    return f"spec:\n  entrypoint: main{more}\n  templates:\n  - {locked}\n{templates}"


def single(lock: str, **spec: object) -> str:
    """A workflow whose own lock is wanted, with one pod."""
    main = "{name: main, container: {image: busybox, command: [echo]}}"
    more = "".join(f"\n  {key}: {value}" for key, value in spec.items())
    return f"spec:\n  entrypoint: main\n  {lock}{more}\n  templates:\n  - {main}\n"


async def set_limit(here: World, limit: str | None, key: str = "k") -> None:
    ref = Reference(CONFIGMAPS, "default", "limits")
    data = {} if limit is None else {key: limit}
    try:
        await here.api.patch(ref, {"data": data})
    except Gone:
        thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits", "namespace": "default"}}
        await here.api.create(CONFIGMAPS, {**thing, "data": data})


@asynccontextmanager
async def locked_world(script: Script, limit: str = "2", **more: Any) -> AsyncIterator[World]:
    async with world(script, **more) as here:  # seed, deaths and what the controllers see the API through
        await set_limit(here, limit)
        yield here


async def overseer(here: World, limit: int, seen: list[int]) -> None:
    """The most that the records ever said to hold the one lock there is; must never pass the limit."""
    version = (await here.api.list(WORKFLOWS)).resource_version
    held: dict[str, int] = {}
    while True:
        async with here.api.watch(WORKFLOWS, resource_version=version) as events:
            async for event in events:
                version = event.object["metadata"]["resourceVersion"]
                if event.type != "BOOKMARK":
                    name = event.object["metadata"]["name"]
                    held[name] = 0 if event.type == "DELETED" else len(holdings(event.object.get("status") or {}))
                    seen.append(sum(held.values()))
                    assert sum(held.values()) <= limit


def quick(name: str, pod: Object) -> Outcome:
    return Outcome(delay_s=5.0)
