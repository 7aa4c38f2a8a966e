"""A world for Rollouts in virtual time: the in-process API, Kubernetes' own controllers, ours, and pods as a test says.

A test moves time on by waiting; what happened is looked up in the store, after every single commit where it matters.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import anyio.abc
import orjson
import yaml

from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from actors.experiment.room import experiment_room
from actors.rollout import wire
from actors.rollout.metrics import ROLLOUT_METRICS
from actors.rollout.room import rollout_rooms
from actors.rollout.state import RolloutSettings
from runtime.actor import Room
from runtime.api import ApiError
from runtime.objects import PODS, SERVICES, Object, Reference, Resource, owner_uid, reference
from runtime.system import Settings, System
from tests.analysis.world import Script
from tests.controllers.world import BINDINGS, Fate, Weather, steady
from tests.controllers.world import World as PodWorld
from tests.definitions import serve_our_kinds
from tests.virtual_time import VirtualClock
from tiphys.devcluster.controllers import rooms as built_in_rooms
from tiphys.devcluster.gc import GarbageCollector
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change


def rollout(name: str = "r", replicas: int | None = 1, image: str = "v1", **strategy: Any) -> Object:
    """A Rollout of one container; `strategy` is canary= or blueGreen=, further keys go into the spec."""
    given = {key: strategy.pop(key) for key in ("canary", "blueGreen") if key in strategy}
    labels = {"app": name}
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": dict(labels)},
            "spec": {"containers": [{"name": "app", "image": image}]},
        },
        "strategy": given or {"canary": {}},
        **strategy,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def service(name: str, app: str = "r") -> Object:
    """A Service of the Rollout's pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80}]},
    }


def ingress(name: str, service_name: str) -> Object:
    """An Ingress with one rule."""
    backend = {"service": {"name": service_name, "port": {"number": 80}}}
    rule = {"host": "x.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"rules": [rule], "ingressClassName": "nginx"},
    }


@dataclass
class RolloutWorld(PodWorld):
    """What a test works with."""

    seen: list[Object] = field(default_factory=list)  # every state of every Rollout
    system: System | None = None
    life: anyio.CancelScope | None = None

    # -------------------------------------------------------------------------------------------- the player

    async def play(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run every pod, woken by what happens: hours of waiting cost nothing."""
        async with anyio.create_task_group() as tasks:
            endings: dict[str, anyio.Event] = {}

            def observe(bucket: Bucket, change: Change) -> None:
                if bucket.plural != "pods":
                    return
                meta = change.record.object["metadata"]
                if change.type == "ADDED":
                    self.created.append(meta["uid"])
                    endings[meta["uid"]] = anyio.Event()
                    tasks.start_soon(self._live, change.record.object, endings[meta["uid"]])
                elif change.type == "DELETED" or "deletionTimestamp" in meta:
                    endings[meta["uid"]].set()

            self.server.storage.observers.append(observe)
            task_status.started()
            await anyio.sleep_forever()

    async def _live(self, pod: Object, ending: anyio.Event) -> None:
        fate, ref = self.fate(pod), reference(PODS, pod)
        try:
            with anyio.move_on_after(0.02):
                await ending.wait()
                await self.api.delete(ref, grace_s=0)  # it went before it had a node
                return
            binding = {"metadata": {"name": ref.name, "namespace": "default", "uid": ref.uid}, "target": {"name": "n"}}
            await self.api.create(BINDINGS, binding)
            with anyio.move_on_after(fate.ready_s):
                await ending.wait()
            if not ending.is_set():
                await self._say(ref, "Running", ready=True)
                lasts_s = fate.ends_s if fate.ends_s is not None else fate.vanishes_s
                with anyio.move_on_after(float("inf") if lasts_s is None else lasts_s):
                    await ending.wait()
                if fate.ends_s is not None and not ending.is_set():  # the pod of a Job
                    await self._say(ref, "Failed" if fate.code else "Succeeded", ready=False)
                    await ending.wait()
            if ending.is_set():
                await anyio.sleep(fate.ending_s)
            await self.api.delete(ref, grace_s=0)
        except ApiError:
            return  # it went meanwhile

    # ------------------------------------------------------------------------------------------------ writing

    async def apply(self, *things: Object | str) -> None:
        """Create objects."""
        for thing in things:
            for each in yaml.safe_load_all(thing) if isinstance(thing, str) else (thing,):
                kind = next(kind for kind in self.server.catalog if kind.resource.kind == each["kind"])
                await self.create(kind.resource, copy.deepcopy(each))

    async def patch(self, body: Any, name: str = "r", subresource: str = "") -> None:
        """Merge-patch a Rollout."""
        await self.api.patch(Reference(wire.ROLLOUTS, "default", name), body, subresource=subresource)

    async def image(self, image: str, name: str = "r") -> None:
        """Set the image of the first container."""
        first, *others = self.rollout(name)["spec"]["template"]["spec"]["containers"]
        containers = [{**first, "image": image}, *others]
        await self.patch({"spec": {"template": {"spec": {"containers": containers}}}}, name)

    async def abort(self, name: str = "r") -> None:
        """What `abort` patches."""
        await self.patch({"status": {"abort": True}}, name, "status")

    async def retry(self, name: str = "r") -> None:
        """What `retry` patches."""
        await self.patch({"status": {"abort": False}}, name, "status")

    async def promote(self, name: str = "r") -> None:
        """What `promote` patches, as upstream's plugin decides it."""
        ro = self.rollout(name)
        if ro["spec"].get("paused"):
            await self.patch({"spec": {"paused": False}}, name)
            ro = self.rollout(name)
        status = ro.get("status") or {}
        index = status.get("currentStepIndex")
        run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
        if status.get("pauseConditions") and run.get("status") == "Inconclusive":
            body = {"pauseConditions": None, "controllerPause": False, "currentStepIndex": index + 1}
        elif status.get("pauseConditions"):
            body = {"pauseConditions": None}
        elif index is not None:
            body = {"pauseConditions": None, "currentStepIndex": index + 1}
        else:
            return
        await self.patch({"status": body}, name, "status")

    async def promote_full(self, name: str = "r") -> None:
        """What `promote --full` patches."""
        status = self.rollout(name).get("status") or {}
        if status.get("currentPodHash") != status.get("stableRS"):
            await self.patch({"status": {"promoteFull": True}}, name, "status")

    async def delete_pod(self, pod: Object) -> None:
        """Delete a pod."""
        await self.api.delete(reference(PODS, pod))

    async def scale(self, replicas: int, name: str = "r") -> None:
        """What an autoscaler does."""
        await self.patch({"spec": {"replicas": replicas}}, name)

    # ------------------------------------------------------------------------------------------------ reading

    def rollout(self, name: str = "r") -> Object:
        """A Rollout, straight from the store."""
        return orjson.loads(self.server.storage.bucket("argoproj.io", "rollouts").records["default", name].json)

    def status(self, name: str = "r") -> Object:
        """Its status."""
        return self.rollout(name).get("status") or {}

    def phase(self, name: str = "r") -> str:
        """Its phase, as clients see it: unknown while the newest spec has not been seen."""
        ro = self.rollout(name)
        status = ro.get("status") or {}
        if status.get("observedGeneration") != str(ro["metadata"]["generation"]):
            return "Progressing"
        if status.get("controllerPause") and not status.get("pauseConditions"):
            return "Progressing"
        return status.get("phase", "Progressing")

    def sets(self, name: str = "r") -> dict[int, Object]:
        """Its ReplicaSets by revision."""
        uid = self.rollout(name)["metadata"]["uid"]
        mine = [one for one in self.stored("apps", "replicasets") if owner_uid(one) == uid]
        return {int(one["metadata"]["annotations"][wire.REVISION]): one for one in mine}

    def sizes(self, name: str = "r") -> dict[int, int]:
        """What each revision's ReplicaSet is told to have."""
        return {revision: one["spec"]["replicas"] for revision, one in sorted(self.sets(name).items())}

    def pods_of(self, revision: int, name: str = "r") -> list[Object]:
        """The pods of a revision that are not ending."""
        uid = self.sets(name)[revision]["metadata"]["uid"]
        return [pod for pod in self.active() if owner_uid(pod) == uid]

    def counts(self, name: str = "r") -> tuple[int, int, int, int, int]:
        """desired, current, updated, ready, available, as `kubectl` shows them."""
        ro = self.rollout(name)
        status = ro.get("status") or {}
        names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        return ro["spec"]["replicas"], *(status.get(each, 0) for each in names)  # type: ignore[return-value]

    def hash(self, revision: int, name: str = "r") -> str:
        """The hash of a revision."""
        return self.sets(name)[revision]["metadata"]["labels"][wire.HASH]

    def selected(self, name: str) -> str:
        """The hash that a Service selects."""
        found = self.server.storage.bucket("", "services").records["default", name].object
        return found["spec"]["selector"].get(wire.HASH, "")

    def weights(self, name: str = "r") -> tuple[int, int] | None:
        """Canary and stable weight of the status."""
        found = (self.status(name).get("canary") or {}).get("weights")
        return (found["canary"]["weight"], found["stable"]["weight"]) if found else None

    def events(self, *reasons: str) -> list[str]:
        """Events about Rollouts, in order: reasons, or the sentences of those asked for."""
        found = [each for each in self.stored("", "events") if each["involvedObject"]["kind"] == "Rollout"]
        if not reasons:
            return [each["reason"] for each in found]
        return [each["message"] for each in found if each["reason"] in reasons]

    def condition(self, kind: str, name: str = "r") -> Object | None:
        """A condition of the status."""
        return next((each for each in self.status(name).get("conditions") or () if each["type"] == kind), None)

    # ------------------------------------------------------------------------------------------------ waiting

    async def until(self, good: Callable[[], bool], limit_s: float = 3000.0) -> None:
        """Wait until it is so."""
        with anyio.fail_after(limit_s):
            while not good():  # noqa: ASYNC110  # virtual time costs nothing
                await anyio.sleep(0.5)

    async def until_phase(self, phase: str, name: str = "r", limit_s: float = 3000.0) -> None:
        """Wait for a phase."""
        try:
            await self.until(lambda: self.phase(name) == phase, limit_s)
        except TimeoutError:
            raise AssertionError(f"never {phase}: {self.describe(name)}") from None

    async def settle(self, seconds: float = 5.0) -> None:
        """Let everything come to rest."""
        await anyio.sleep(seconds)

    def describe(self, name: str = "r") -> str:
        """What there is, for a failure's text."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        return orjson.dumps([self.sizes(name), self.status(name)], option=options).decode()

    def watch(self, look: Callable[[], Any]) -> list[Any]:
        """The different answers of `look`, from now on, after every commit."""
        found: list[Any] = [look()]

        def after(bucket: Bucket, change: Change) -> None:
            del bucket, change
            try:
                now = look()
            except KeyError:
                return
            if now != found[-1]:
                found.append(now)

        self.server.storage.observers.append(after)
        return found

    def die(self) -> None:
        """Kill the controllers where they stand; others take their place."""
        assert self.life is not None
        self.life.cancel()


def ready(after_s: float = 1.0) -> Callable[[Object], Fate]:
    """Every pod is ready after that long."""
    return lambda pod: Fate(ready_s=after_s)


def image_of(pod: Object) -> str:
    """The image of a pod."""
    return pod["spec"]["containers"][0]["image"]


def broken(*images: str) -> Callable[[Object], Fate]:
    """Pods of these images are never ready."""
    return lambda pod: Fate(ready_s=1e9) if image_of(pod) in images else Fate()


@dataclass(frozen=True)
class Options:
    """Which rooms of ours there are."""

    settings: RolloutSettings | None
    services: dict[str, Any] | None
    script: Script | None

    def rooms(self) -> list[Room]:
        """New ones."""
        found = rollout_rooms(self.settings, self.services)
        if self.script is not None:
            found += [analysis_room(self.script.safe, AnalysisSettings("system")), experiment_room()]
        return found


@asynccontextmanager
async def rollout_world(
    fate: Callable[[Object], Fate] = steady,
    *,
    seed: int = 0,
    bad: float = 0.0,
    deaths_every_s: float | None = None,
    settings: RolloutSettings | None = None,
    services: dict[str, Any] | None = None,
    script: Script | None = None,
) -> AsyncIterator[RolloutWorld]:
    """A world; `bad` is the share of our controllers' calls whose answer is lost.

    With a `script` of what metrics say, AnalysisRuns and Experiments are carried out too; else a test plays them."""
    clock = VirtualClock()
    server = ApiServer(now=clock.wall, random=Random(seed))
    server.start()
    weather = Weather(server, Random(seed + 1), bad)
    here = RolloutWorld(server, InProcessApi(server), Random(seed), fate)
    serve_our_kinds(server)
    async with anyio.create_task_group() as tasks:
        await tasks.start(here.play)
        await tasks.start(GarbageCollector(server).run)
        kubernetes = System(here.api, built_in_rooms(), clock=clock, dice=Random(seed + 2))
        await tasks.start(kubernetes.run)
        await tasks.start(
            _ours, here, weather if bad else here.api, clock, deaths_every_s, Options(settings, services, script)
        )
        yield here
        tasks.cancel_scope.cancel()


async def _ours(
    here: RolloutWorld,
    api: Any,
    clock: VirtualClock,
    deaths_every_s: float | None,
    options: Options,
    *,
    task_status: anyio.abc.TaskStatus[None],
) -> None:
    first = True
    while True:
        here.system = System(
            api,
            options.rooms(),
            clock=clock,
            dice=Random(here.dice.random()),
            settings=Settings(metrics=ROLLOUT_METRICS),
        )
        life_s = here.dice.expovariate(1 / deaths_every_s) if deaths_every_s else float("inf")
        with anyio.move_on_after(life_s) as here.life:
            async with anyio.create_task_group() as tasks:
                await tasks.start(here.system.run)
                if first:
                    task_status.started()
                    first = False
                await anyio.sleep_forever()
        here.deaths += 1


__all__ = [
    "PODS", "SERVICES", "Fate", "Resource", "RolloutWorld", "broken", "image_of", "ingress", "ready",
    "reference", "rollout", "rollout_world", "service", "steady",
]  # fmt: skip
