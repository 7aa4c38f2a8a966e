"""A small world in virtual time: the in-process API, the controllers, and a player that runs pods as a test says.

The player is a node without processes: it binds every pod, lets it run and ends it, with the outcome a function of the
pod gives; results travel in the same frames that the real program in a pod writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import yaml

from actors.contract import frame, paths
from actors.contract.documents import Content
from actors.messages import EXECUTABLE
from actors.names import labels
from actors.workflow.gather import CLUSTER_TEMPLATES, TEMPLATES
from actors.workflow.state import WORKFLOWS
from runtime.api import Api, ApiError, Gone
from runtime.objects import PODS, Object, Reference, reference
from runtime.system import Settings, System
from tests.definitions import serve_our_kinds
from tests.upstream_view import deviations
from tests.virtual_time import VirtualClock
from tests.world.databases import MemoryDatabase
from tiphys.controllers import ControllerSettings, rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer


@dataclass(frozen=True)
class Outcome:
    """How a pod ends: after `delay_s`, with an exit code and outputs. `vanishes`: it is deleted while it runs."""

    code: int = 0
    delay_s: float = 1.0
    result: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    vanishes: bool = False
    never_ready: bool = False
    pending_s: float = 0.05  # before it runs
    artifacts: list[dict[str, Any]] = field(default_factory=list)  # what its `wait` has saved
    undeleted: dict[str, str] | None = None  # of a collector's pod: what it could not delete
    error: str = ""  # what the program in front of the container has to say of outputs it could not read


Script = Callable[[str, Object], Outcome]
"""Node name and pod -> how it ends."""


@dataclass
class World:
    """What a test works with."""

    api: Api
    script: Script
    dice: Random
    created: list[str] = field(default_factory=list)  # names of all pods that ever were, in order
    running: set[str] = field(default_factory=set)
    most_running: int = 0
    deaths: int = 0
    workflows = WORKFLOWS
    templates = TEMPLATES
    cluster_templates = CLUSTER_TEMPLATES
    life: anyio.CancelScope | None = None  # of the controllers
    settings: ControllerSettings = field(default_factory=ControllerSettings)
    system: System | None = None  # the controllers' present life
    replaced: bool = False  # a test has put others in their place
    database: MemoryDatabase | None = None  # what the rooms' questions go to

    async def submit(self, text: str, name: str = "w") -> Reference:
        """Create a workflow from YAML."""
        thing = yaml.safe_load(text)
        thing.setdefault("apiVersion", "argoproj.io/v1alpha1")
        thing.setdefault("kind", "Workflow")
        thing.setdefault("metadata", {}).setdefault("name", name)
        thing["metadata"].setdefault("namespace", "default")
        return reference(WORKFLOWS, await self.api.create(WORKFLOWS, thing))

    async def end_of(self, ref: Reference, limit_s: float = 3600.0) -> Object:
        """The workflow once it has finished."""
        with anyio.fail_after(limit_s):
            found = await self.api.list(WORKFLOWS)
            version, thing = found.resource_version, await self.api.get(ref)
            while not finished(thing):
                async with self.api.watch(WORKFLOWS, resource_version=version) as events:
                    async for event in events:
                        version = event.object["metadata"]["resourceVersion"]
                        if event.type == "MODIFIED" and event.object["metadata"]["uid"] == ref.uid:
                            thing = event.object
                        if finished(thing):
                            break
        assert_whole(thing)
        return thing

    def die(self) -> None:
        """Kill the controllers where they stand; others take their place."""
        assert self.life is not None
        self.life.cancel()

    @asynccontextmanager
    async def instead(self, system: System) -> AsyncIterator[anyio.abc.TaskGroup]:
        """Have these controllers work, and no others."""
        self.replaced = True
        self.die()
        async with anyio.create_task_group() as tasks:
            await tasks.start(system.run)
            self.system = system
            yield tasks
            tasks.cancel_scope.cancel()

    async def after(self, delay_s: float) -> None:
        """Let time pass."""
        await anyio.sleep(delay_s)

    async def at_rest(self, ref: Reference) -> Object:
        """The workflow when nothing is left to do: no node's actor lives, none crashed, no permit is held."""
        await anyio.sleep(60)
        assert self.system is not None
        left = [f"{address}: {self.system.explain(address)}" for address in self.system.addresses("node")]
        assert not left, left
        assert self.system.statistics().lives.crashes == 0
        thing = await self.api.get(ref)
        assert_whole(thing)
        return thing

    async def pod_refs(self) -> list[tuple[Reference, str]]:
        """All pods and the names of their nodes."""
        pods = (await self.api.list(PODS)).items
        return [(reference(PODS, pod), pod["metadata"]["annotations"][labels.NODE_NAME]) for pod in pods]

    async def settled_pods(self) -> list[Object]:
        """All pods, once the controllers have had time to release them."""
        await anyio.sleep(60)
        return (await self.api.list(PODS)).items

    # -------------------------------------------------------------------------------------- the player

    async def play(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run every pod to its end."""
        async with anyio.create_task_group() as pods:
            start = await self.api.list(PODS)
            task_status.started()
            version = start.resource_version
            while True:
                async with self.api.watch(PODS, resource_version=version) as events:
                    async for event in events:
                        version = event.object["metadata"]["resourceVersion"]
                        if event.type == "ADDED":
                            pods.start_soon(self._run, event.object)

    async def _run(self, pod: Object) -> None:
        ref = reference(PODS, pod)
        self.created.append(ref.name)
        outcome = self.script((pod["metadata"].get("annotations") or {}).get(labels.NODE_NAME, ""), pod)
        try:
            await anyio.sleep(outcome.pending_s)
            await self.api.patch(ref, {"status": up(pod, ready=not outcome.never_ready)}, subresource="status")
            self.running.add(ref.name)
            self.most_running = max(self.most_running, len(self.running))
            await self._until_end(ref, outcome)
        except (Gone, ApiError):
            pass
        finally:
            self.running.discard(ref.name)

    async def _until_end(self, ref: Reference, outcome: Outcome) -> None:
        left = outcome.delay_s
        while left > 0:
            step = min(left, 0.5)
            await anyio.sleep(step)
            left -= step
            pod = await self.api.get(ref)
            if pod["spec"].get("activeDeadlineSeconds") == 1:
                status = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "deadline"}
                await self.api.patch(ref, {"status": status}, subresource="status")
                return
        if outcome.vanishes:
            bare = {"metadata": {"finalizers": None}}
            await self.api.patch(ref, bare)
            await self.api.delete(ref, grace_s=0)
            return
        pod = await self.api.get(ref)
        await self.api.patch(ref, {"status": ended(pod, outcome)}, subresource="status")


def assert_whole(workflow: Object) -> None:
    """What must hold of every finished workflow: its nodes are, point at each other, and are as upstream has them."""
    nodes: dict[str, Object] = workflow["status"].get("nodes") or {}
    for node_id, node in nodes.items():
        about = f"{node['name']}: {node}"
        assert node["id"] == node_id, about
        assert node["phase"] in {"Succeeded", "Failed", "Error", "Skipped", "Omitted"}, about
        assert node.get("finishedAt"), about
        assert node["startedAt"] <= node["finishedAt"], about
        assert not node.get("daemoned"), about
        for other in [*node.get("children", ()), *node.get("outboundNodes", ()), node.get("boundaryID") or node_id]:
            assert other in nodes, f"{about} names {other}"
    counted = [entry.get("progress", "0/0").split("/") for entry in nodes.values() if entry["type"] in EXECUTABLE]
    done, total = (sum(int(pair[i]) for pair in counted) for i in (0, 1))
    assert workflow["status"].get("progress") == f"{done}/{total}"
    assert list(deviations(workflow, nodes)) == []


def finished(workflow: Object) -> bool:
    """Whether a workflow's end is on record."""
    return bool((workflow.get("status") or {}).get("finishedAt"))


def up(pod: Object, *, ready: bool) -> Object:
    """The status of a pod whose containers have started."""
    containers = [
        {"name": entry["name"], "ready": ready, "state": {"running": {}}} for entry in pod["spec"]["containers"]
    ]
    return {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": containers}


def ended(pod: Object, outcome: Outcome) -> Object:
    """The status of a pod whose main container has ended so."""
    content: Content = {"code": outcome.code, "parameters": outcome.parameters}
    if outcome.artifacts:
        content["artifacts"] = outcome.artifacts
    if outcome.undeleted is not None:
        content["undeleted"] = outcome.undeleted
    if outcome.error:
        content["error"] = outcome.error
    if outcome.result is not None:
        content["result"] = outcome.result
    nonce = pod["metadata"]["annotations"].get(paths.NONCE_ANNOTATION, "")
    text, _ = frame.encode(content, nonce, 4000)
    terminated: dict[str, Any] = {
        "exitCode": int(outcome.code),
        "reason": "Completed" if outcome.code == 0 else "Error",
    }
    if nonce:
        terminated["message"] = text
    statuses = [{"name": entry["name"], "state": {"terminated": terminated}} for entry in pod["spec"]["containers"]]
    return {"phase": "Succeeded" if outcome.code == 0 else "Failed", "containerStatuses": statuses}


@asynccontextmanager
async def world(
    script: Script,
    *,
    seed: int = 0,
    deaths_every_s: float | None = None,
    coat: Callable[[Api], Api] | None = None,
    settings: ControllerSettings | None = None,
    database: MemoryDatabase | None = None,
) -> AsyncIterator[World]:
    """A world whose controllers die at random moments when `deaths_every_s` is given, and start again at once; with a
    `coat` they see the API through it."""
    clock = VirtualClock()
    server = ApiServer(now=clock.wall, random=Random(seed))
    server.start()
    api = InProcessApi(server)
    serve_our_kinds(server)
    here = World(api, script, Random(seed), settings=settings or ControllerSettings(), database=database)
    async with anyio.create_task_group() as tasks:
        await tasks.start(here.play)
        await tasks.start(_controllers, here, coat(api) if coat else api, clock, deaths_every_s)
        yield here
        tasks.cancel_scope.cancel()


async def _controllers(
    here: World, api: Api, clock: VirtualClock, deaths_every_s: float | None, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    first = True
    while not here.replaced:
        system = System(
            api, rooms(here.settings, here.database.ask if here.database else None),
            settings=Settings(series=here.settings.series), clock=clock,
            dice=Random(here.dice.random()),
        )  # fmt: skip
        here.system = system
        life_s = here.dice.expovariate(1 / deaths_every_s) if deaths_every_s else float("inf")
        with anyio.move_on_after(life_s) as here.life:
            async with anyio.create_task_group() as tasks:
                await tasks.start(system.run)
                if first:
                    task_status.started()
                    first = False
                await anyio.sleep_forever()
        here.deaths += 1
