"""A world for analyses and experiments in virtual time: scripted metrics, simulated pods, weather and sudden deaths.

The built-in controllers and the pods come from the world of the built-in controllers; here are our rooms, which see the
API through its weather, and the metrics that tests write down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import anyio.abc

import crds
from actors.analysis.query import Answer, Provider, ProviderError, Query
from actors.analysis.room import analysis_room
from actors.analysis.state import RUNS, AnalysisSettings
from actors.names.resources import ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT
from runtime.actor import Room
from runtime.api import Gone
from runtime.objects import CRDS, EVENTS, Object, Reference, Resource
from runtime.system import Settings, System
from tests.controllers.world import Fate, Weather, World, steady, world
from tests.virtual_time import VirtualClock

EXPERIMENTS = Resource(*EXPERIMENT)
TEMPLATES = Resource(*ANALYSIS_TEMPLATE)
CLUSTER_TEMPLATES = Resource(*CLUSTER_ANALYSIS_TEMPLATE)
DEFINITIONS = [each for each in crds.manifests() if each["spec"]["names"]["kind"] in
               ("AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate", "Experiment")]  # fmt: skip


@dataclass
class Script:
    """What the metrics say, by their names: values in order (the last one for ever), errors, or nothing at all."""

    values: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)

    async def measure(self, query: Query) -> Answer:
        name = str(query.metric["name"])
        self.asked.append((query.now, name))
        self.queries.append(query)
        values = self.values.get(name) or [1.0]
        value = values.pop(0) if len(values) > 1 else values[0]
        if value is HANG:
            await anyio.sleep_forever()
        if isinstance(value, float) and value < 0:
            await anyio.sleep(-value)
        if isinstance(value, Exception):
            raise value
        if isinstance(value, Answer):
            return value
        return Answer(value, str(value))

    async def safe(self, query: Query) -> Answer:
        """As the real dispatcher: an error becomes an answer."""
        try:
            return await self.measure(query)
        except ProviderError as error:
            return Answer(phase="Error", message=str(error))


HANG = object()


@dataclass
class Lab:
    """What a test works with."""

    world: World
    script: Script
    deaths: int = 0

    async def create(self, resource: Resource, thing: Object) -> Reference:
        """Create an object in the default namespace, or of the cluster."""
        thing.setdefault("apiVersion", resource.api_version)
        thing.setdefault("kind", resource.kind)
        if resource.namespaced:
            return await self.world.create(resource, thing)
        made = await self.world.api.create(resource, thing)
        return Reference(resource, "", made["metadata"]["name"], made["metadata"]["uid"])

    async def get(self, ref: Reference) -> Object | None:
        """The object as it is; None when it is gone."""
        try:
            return await self.world.api.get(ref)
        except Gone:
            return None

    async def status(self, ref: Reference) -> Object:
        found = await self.get(ref)
        return (found or {}).get("status") or {}

    async def until(self, ref: Reference, good: Callable[[Object], bool], limit_s: float = 3000.0) -> Object:
        """Wait until the object's status is so; the status."""
        with anyio.fail_after(limit_s):
            while True:
                status = await self.status(ref)
                if good(status):
                    return status
                await anyio.sleep(0.25)

    async def phase(self, ref: Reference, *phases: str, limit_s: float = 3000.0) -> Object:
        """Wait for one of the phases; the status."""
        return await self.until(ref, lambda status: status.get("phase") in phases, limit_s)

    async def edit(self, ref: Reference, **spec: Any) -> None:
        await self.world.api.patch(ref, {"spec": spec})

    def stored(self, resource: Resource) -> list[Object]:
        return self.world.stored(resource.group, resource.plural)

    def events(self) -> list[tuple[str, str]]:
        """Reasons and messages of the Events of rollouts' kinds, oldest first."""
        found = [event for event in self.stored(EVENTS) if event.get("reportingComponent") == "rollouts-controller"]
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["reason"], event["message"]) for event in found]


def run_of(name: str, *metrics: Object, **spec: Any) -> Object:
    """An AnalysisRun."""
    return {"metadata": {"name": name}, "spec": {"metrics": list(metrics), **spec}}


def metric(name: str = "m", **fields: Any) -> Object:
    """A web metric, good above zero."""
    return {"name": name, "successCondition": "result > 0", "provider": {"web": {"url": "http://x"}}, **fields}


def job_metric(name: str = "j", **fields: Any) -> Object:
    """A metric that is a Job."""
    containers = [{"name": "c", "image": "busybox"}]
    spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}}
    meta = {"labels": {"mine": "yes"}, "annotations": {"note": "x"}}
    return {"name": name, "provider": {"job": {"metadata": meta, "spec": spec}}, **fields}


def ends(code: int) -> Callable[[Object], Fate]:
    """Every pod ends with that code."""
    return lambda pod: Fate(ends_s=2.0, code=code)


@asynccontextmanager
async def lab(
    script: Script | None = None, *, fate: Callable[[Object], Fate] = steady, seed: int = 0, bad: float = 0.0,
    deaths_every_s: float | None = None, rooms: Callable[[Provider], Iterable[Room]] | None = None,
    coat: Callable[[Any], Any] = lambda api: api, settings: Settings | None = None,
) -> AsyncIterator[Lab]:  # fmt: skip
    """A world with our rooms in it, which die at random moments when `deaths_every_s` is given, and start again."""
    script = script or Script()
    make = rooms or (lambda measure: [analysis_room(measure, AnalysisSettings("system"))])
    async with world(fate, seed=seed) as here:
        for definition in DEFINITIONS:
            await here.api.create(CRDS, definition)
        found = Lab(here, script)
        weather = coat(Weather(here.server, Random(seed + 7), bad))
        async with anyio.create_task_group() as tasks:
            await tasks.start(_controllers, found, weather, make, deaths_every_s, settings or Settings())
            yield found
            tasks.cancel_scope.cancel()


async def _controllers(
    here: Lab, api: Any, make: Callable[[Provider], Iterable[Room]], deaths_every_s: float | None, settings: Settings,
    *, task_status: anyio.abc.TaskStatus[None],
) -> None:  # fmt: skip
    dice, first = Random(here.world.dice.random()), True
    while True:
        rooms, own = list(make(here.script.safe)), Random(dice.random())
        system = System(api, rooms, settings=settings, clock=VirtualClock(), dice=own)
        life_s = dice.expovariate(1 / deaths_every_s) if deaths_every_s else float("inf")
        with anyio.move_on_after(life_s):
            async with anyio.create_task_group() as tasks:
                await tasks.start(system.run)
                if first:
                    task_status.started()
                    first = False
                await anyio.sleep_forever()
        here.deaths += 1


__all__ = [
    "CLUSTER_TEMPLATES", "EXPERIMENTS", "HANG", "RUNS", "TEMPLATES", "Lab", "Script", "ends", "job_metric", "lab",
    "metric", "run_of",
]  # fmt: skip
