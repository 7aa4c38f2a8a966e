"""A world for schedules: it begins at any moment, and its controllers live and die as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

import anyio
import yaml
from anyio.abc import TaskGroup

from actors.cron.child import CRON_WORKFLOWS, WORKFLOWS
from actors.names.timestamps import moment, seconds
from runtime.api import Api, Unavailable
from runtime.objects import Object, Reference, reference
from runtime.system import Settings, System
from tests.definitions import serve_our_kinds
from tests.kernel.coat import Coat as FaultyCoat
from tests.virtual_time import VirtualClock
from tests.world.world import Outcome, Script, World
from tiphys.controllers import ControllerSettings, rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

START = "2026-01-01T00:00:00Z"


def cron(name: str = "c", schedules: str = "* * * * *", **spec: Any) -> Object:
    """A CronWorkflow whose runs are one pod."""
    template = {"name": "m", "container": {"image": "busybox", "command": ["echo"]}}
    metadata = spec.pop("metadata", {})
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {
            "schedules": schedules.split("; "),
            "workflowSpec": {"entrypoint": "m", "templates": [template]},
            **{key: value for key, value in spec.items() if value is not None},
        },
    }


Coat: TypeAlias = Callable[[Api], Api]
"""What the controllers see the API through."""


class Lossy(FaultyCoat):
    """A server of which one answer in eight is lost: half of these calls were made all the same."""

    def __init__(self, api: Api, dice: Random) -> None:
        super().__init__(api)
        self._dice = dice

    async def _pass(self, verb: str, subject: Any, call: Callable[[], Any]) -> Any:
        lost = self._dice.random() < 1 / 8 and verb != "list"
        if lost and self._dice.random() < 1 / 2:
            raise Unavailable("the connection broke before the call")
        answer = await super()._pass(verb, subject, call)
        if lost:
            raise Unavailable("the connection broke before the answer")
        return answer


@dataclass
class CronWorld:
    """What a test works with."""

    api: Api
    clock: VirtualClock
    tasks: TaskGroup
    player: World
    dice: Random
    coat: Coat | None = None
    instance_id: str = ""
    life: anyio.CancelScope | None = None
    system: System | None = None
    seen: dict[str, Object] = field(default_factory=dict)  # every Workflow that ever was, by name, as last seen

    async def start(self) -> None:
        """Give life to the controllers."""
        api = self.coat(self.api) if self.coat else self.api
        settings = Settings()
        chosen = rooms(ControllerSettings(zone="UTC", instance_id=self.instance_id))
        self.system = System(api, chosen, settings=settings, clock=self.clock, dice=Random(self.dice.random()))
        await self.tasks.start(self._live, self.system)

    async def _live(self, system: System, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        with anyio.CancelScope() as self.life:
            async with anyio.create_task_group() as tasks:
                await tasks.start(system.run)
                task_status.started()
                await anyio.sleep_forever()

    def die(self) -> None:
        """Kill the controllers in the midst of whatever they do."""
        assert self.life is not None
        self.life.cancel()

    async def create(self, thing: Object | str) -> Reference:
        """Create a CronWorkflow."""
        made = yaml.safe_load(thing) if isinstance(thing, str) else thing
        made["metadata"].setdefault("namespace", "default")
        return reference(CRON_WORKFLOWS, await self.api.create(CRON_WORKFLOWS, made))

    async def until(self, moment: str) -> None:
        """Let time pass until then."""
        await anyio.sleep(seconds(moment) - self.clock.wall())

    async def edit(self, ref: Reference, **spec: Any) -> None:
        """Change fields of its spec."""
        await self.api.patch(ref, {"spec": spec})

    async def status(self, ref: Reference) -> Object:
        """What the object says of its runs."""
        found: Object = (await self.api.get(ref)).get("status") or {}
        return found

    async def runs(self) -> list[str]:
        """The hours (UTC) of the Workflows that there are, `00:05:00`, by their names."""
        found = (await self.api.list(WORKFLOWS)).items
        return sorted(hour(thing) for thing in found)

    def all_runs(self) -> list[str]:
        """The same of all that ever were."""
        return sorted(hour(thing) for thing in self.seen.values())

    async def _remember(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        version = (await self.api.list(WORKFLOWS)).resource_version
        task_status.started()
        while True:
            async with self.api.watch(WORKFLOWS, resource_version=version) as events:
                async for event in events:
                    version = event.object["metadata"]["resourceVersion"]
                    if event.type == "ADDED":
                        assert event.object["metadata"]["name"] not in self.seen, "made twice"
                    if event.type != "BOOKMARK":
                        self.seen[event.object["metadata"]["name"]] = event.object


def hour(workflow: Object) -> str:
    """The time of day in a run's name."""
    return moment(int(workflow["metadata"]["name"].rpartition("-")[2])).strftime("%H:%M:%S")


@asynccontextmanager
async def cron_world(
    script: Script = lambda name, pod: Outcome(),
    *,
    start: str = START,
    seed: int = 0,
    coat: Coat | None = None,
    alive: bool = True,
) -> AsyncIterator[CronWorld]:
    """A world that begins at `start`."""
    clock = VirtualClock(seconds(start) - VirtualClock(0.0).monotonic())
    server = ApiServer(now=clock.wall, random=Random(seed))
    server.start()
    api = InProcessApi(server)
    serve_our_kinds(server)
    player = World(api, script, Random(seed))
    async with anyio.create_task_group() as tasks:
        here = CronWorld(api, clock, tasks, player, Random(seed), coat)
        await tasks.start(player.play)
        await tasks.start(here._remember)
        if alive:
            await here.start()
        yield here
        if here.system is not None:
            assert here.system.statistics().lives.crashes == 0
        tasks.cancel_scope.cancel()
