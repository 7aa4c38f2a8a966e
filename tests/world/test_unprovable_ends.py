"""What only this life has seen of a pod that is no more is on record before anything is begun upon it.

A next life would find nothing of that pod and make it again, beside what had followed it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from actors.names import ids, labels
from actors.workflow.state import WORKFLOWS
from runtime.api import Refused
from runtime.objects import PODS, Object, Resource
from tests.kernel.coat import Coat
from tests.world.flows import flow, named
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time

STEPS = flow("""
  - name: main
    steps:
    - [{name: a, template: leaf, continueOn: {error: true, failed: true}}]
    - [{name: b, template: leaf}]
""")
RETRY = flow("""
  - name: main
    retryStrategy: {limit: "2", retryPolicy: Always}
    container: {image: busybox, command: [echo]}
""")
LIMIT = flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, continueOn: {error: true}}
      - {name: b, template: leaf}
""", parallelism=1)  # fmt: skip


SPEC = {"containers": [{"name": "main", "image": "busybox"}]}


class Chronicle:
    """When, by version, a node's end was on record, and when a pod was there."""

    def __init__(self) -> None:
        self.ended: dict[str, int] = {}
        self.made: dict[str, int] = {}

    def workflow(self, thing: Object) -> None:
        for name, node in named(thing if thing.get("status") else {"status": {}}).items():
            if node["phase"] in ("Failed", "Error", "Succeeded"):
                self.ended.setdefault(name, int(thing["metadata"]["resourceVersion"]))

    def pod(self, thing: Object) -> None:
        name = thing["metadata"]["annotations"][labels.NODE_NAME]
        self.made.setdefault(name, int(thing["metadata"]["resourceVersion"]))


@asynccontextmanager
async def chronicled(here: World) -> AsyncIterator[Chronicle]:
    told = Chronicle()

    async def follow(resource: Resource, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        version = (await here.api.list(resource)).resource_version
        async with here.api.watch(resource, resource_version=version) as events:
            task_status.started()
            async for event in events:
                if event.type != "BOOKMARK":
                    (told.pod if resource == PODS else told.workflow)(event.object)

    async with anyio.create_task_group() as tasks:
        await tasks.start(follow, PODS)
        await tasks.start(follow, WORKFLOWS)
        yield told
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("text", "lost", "then"),
    [(STEPS, "w[0].a", "w[1].b"), (RETRY, "w(0)", "w(1)"), (LIMIT, "w[0].a", "w[0].b")],
    ids=["the next step", "the next attempt", "who waited for its place"],
)
async def test_nothing_follows_a_deleted_pod_before_that_is_on_record(text: str, lost: str, then: str) -> None:
    def script(name: str, pod: Object) -> Outcome:
        del pod
        return Outcome(vanishes=name == lost)

    async with world(script) as here, chronicled(here) as told:
        done = await here.end_of(await here.submit(text))

    assert named(done)[lost]["message"] == "pod deleted"
    assert told.ended[lost] < told.made[then]


async def test_nothing_follows_a_refused_pod_before_that_is_on_record() -> None:
    first = [ids.pod_name("w", "w(0)", "main")]

    def fault(verb: str, subject: Any) -> Refused | None:
        return Refused("a webhook denied the request", code=403) if (verb, [subject]) == ("create", first) else None

    refusing = world(lambda name, pod: Outcome(), coat=lambda api: Coat(api, fault=fault))
    async with refusing as here, chronicled(here) as told:
        done = await here.end_of(await here.submit(RETRY))

    assert named(done)["w(0)"]["message"] == "a webhook denied the request"
    assert told.ended["w(0)"] < told.made["w(1)"]


async def test_nothing_follows_a_pod_whose_name_somebody_has_before_that_is_on_record() -> None:
    meta = {
        "name": ids.pod_name("w", "w(0)", "main"),
        "namespace": "default",
        "annotations": {labels.NODE_NAME: "other"},
    }
    other = {"metadata": meta, "spec": SPEC}
    async with world(lambda name, pod: Outcome()) as here:
        await here.api.create(PODS, other)
        async with chronicled(here) as told:
            done = await here.end_of(await here.submit(RETRY))

    assert "exists already and belongs to nobody" in named(done)["w(0)"]["message"]
    assert told.ended["w(0)"] < told.made["w(1)"]
