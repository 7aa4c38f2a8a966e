"""A dev cluster, a controller that is killed again and again, and a ledger outside of both."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import anyio

from actors.names import labels
from actors.workflow.state import WORKFLOWS
from runtime.api import Api
from runtime.client import HttpApi
from runtime.objects import CONFIGMAPS, PODS, Object, Resource
from tests.killed_controller.processes import process, until_ready
from tests.killed_controller.workloads import SEATS, SEMAPHORE, Workload, judge, workloads

NEAR_S = 0.02  # of a write: where half of the kills fall
UNFINISHED_MAX = 16  # workflows at once: the machine runs their pods, too
QUIET_S = 240.0  # a machine may be busy with other things


@dataclass
class Report:
    """What happened."""

    kills: int = 0
    near: int = 0  # of them, within NEAR_S of a write of the controller
    workflows: int = 0
    pods: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """What is under way."""

    api: Api
    kubeconfig: Path
    ledger: Path
    dice: Random
    report: Report = field(default_factory=Report)
    wrote: anyio.Event = field(default_factory=anyio.Event)  # replaced at each write that we see
    finished: dict[str, str] = field(default_factory=dict)  # name -> phase
    moved: float = 0.0  # when one finished last


async def run(kills: int, number: int, seed: int, folder: Path, say: Callable[[str], None]) -> Report:
    """Kill the controller so often while so many workflows run; what was found."""
    dice = Random(seed)
    wanted = workloads(number, dice)
    begun = time.monotonic()
    kubeconfig = folder / "kubeconfig"
    dev = ["dev", "--no-controllers", "--runtime", "plain", "--kubeconfig", str(kubeconfig)]
    async with process(*dev) as cluster:
        await until_ready(cluster)
        async with HttpApi.from_kubeconfig(str(kubeconfig)) as api:
            here = Campaign(api, kubeconfig, folder / "ledger", dice)
            limit = {
                "metadata": {"name": SEMAPHORE["name"], "namespace": "default"},
                "data": {SEMAPHORE["key"]: str(SEATS)},
            }
            await api.create(CONFIGMAPS, limit)
            here.moved = time.monotonic()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, here, WORKFLOWS)
                tasks.start_soon(_watch, here, PODS)
                tasks.start_soon(_submit, here, wanted)
                await _kill_again_and_again(here, kills, number, say)
                tasks.cancel_scope.cancel()
            await _look(here, wanted)
    here.report.workflows = number
    here.report.seconds = time.monotonic() - begun
    return here.report


async def _submit(here: Campaign, wanted: list[Workload]) -> None:
    for number, workload in enumerate(wanted):
        while number - len(here.finished) >= UNFINISHED_MAX:  # noqa: ASYNC110  # it only paces the load
            await anyio.sleep(0.05)
        await here.api.create(WORKFLOWS, workload.workflow(str(here.ledger)))


async def _watch(here: Campaign, resource: Resource) -> None:
    """Notice what the controller writes, and which workflows have ended."""
    version = (await here.api.list(resource)).resource_version
    while True:
        async with here.api.watch(resource, resource_version=version) as events:
            async for event in events:
                version = event.object["metadata"]["resourceVersion"]
                _take_in(here, resource, event.type, event.object)


def _take_in(here: Campaign, resource: Resource, kind: str, thing: Object) -> None:
    if (resource == PODS and kind == "ADDED") or (resource == WORKFLOWS and kind == "MODIFIED"):
        wrote, here.wrote = here.wrote, anyio.Event()
        wrote.set()
    if resource == WORKFLOWS and (thing.get("status") or {}).get("finishedAt"):
        name = thing["metadata"]["name"]
        if name not in here.finished:
            here.moved = time.monotonic()
        here.finished[name] = thing["status"]["phase"]


async def _kill_again_and_again(here: Campaign, kills: int, number: int, say: Callable[[str], None]) -> None:
    while len(here.finished) < number:
        async with _controller(here) as controller:
            await until_ready(controller)
            if here.report.kills >= kills:
                await _until_all_have_finished(here, number)
                controller.send_signal(signal.SIGTERM)
                await controller.wait()
                return
            near = here.report.kills % 2 == 0
            await _progress(here, number * here.report.kills // kills)
            await _moment(here, near)
            if len(here.finished) == number:
                return
            controller.send_signal(signal.SIGKILL)
            await controller.wait()
            here.report.kills += 1
            here.report.near += near
            if here.report.kills % 10 == 0:
                say(f"{here.report.kills} kills, {len(here.finished)} of {number} workflows have finished")


async def _progress(here: Campaign, finished: int) -> None:
    """Wait until about so many have finished, so that kills are spread over the whole run."""
    with anyio.move_on_after(20):
        while len(here.finished) < finished - UNFINISHED_MAX:  # noqa: ASYNC110  # it only paces the kills
            await anyio.sleep(0.02)


async def _moment(here: Campaign, near: bool) -> None:
    """Wait for a good moment to kill: just after a write was seen, or any time at all."""
    await anyio.sleep(here.dice.uniform(0.0, 0.8))
    if near:
        with anyio.move_on_after(5):
            await here.wrote.wait()
        await anyio.sleep(here.dice.uniform(0.0, NEAR_S))


async def _until_all_have_finished(here: Campaign, number: int) -> None:
    here.moved = time.monotonic()
    while len(here.finished) < number:
        await anyio.sleep(0.05)
        if time.monotonic() - here.moved > QUIET_S:
            return  # the report says who is stuck
    await anyio.sleep(2)  # pods are released after the last write


async def _look(here: Campaign, wanted: list[Workload]) -> None:
    """Compare what is there with what should be."""
    lines = here.ledger.read_text().splitlines() if here.ledger.exists() else []
    problems = judge(wanted, lines)
    for workload in wanted:
        phase = here.finished.get(workload.name, "not finished")
        if phase != "Succeeded":
            problems.append(f"{workload.name} is {phase}")
    pods = (await here.api.list(PODS)).items
    here.report.pods = len(pods)
    expected = sum(len(workload.nodes()) for workload in wanted)
    if len(pods) != expected:
        problems.append(f"{len(pods)} pods, not {expected}")
    problems += [f"pod {pod['metadata']['name']} was not released" for pod in pods if not _is_released(pod)]
    here.report.problems = problems


def _is_released(pod: Object) -> bool:
    meta = pod["metadata"]
    return (meta.get("labels") or {}).get(labels.COMPLETED) == "true" and not meta.get("finalizers")


# ------------------------------------------------------------------------------------------------ processes


@asynccontextmanager
async def _controller(here: Campaign) -> AsyncIterator[asyncio.subprocess.Process]:
    # The same pod each time: a container that is restarted takes its lease back at once.
    where = ["--kubeconfig", str(here.kubeconfig), "--http-address", "127.0.0.1:0", "--log-level", "error"]
    async with process("controller", *where, POD_UID="the-one") as started:
        yield started
