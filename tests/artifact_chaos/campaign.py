"""Workflows that pass artifacts on while pods, the artifact server and the controller fail under them.

Each makes a text, passes it through two pods, and saves what came of it. The store is the ledger: it must have, for
every workflow, the text that only an unbroken chain can have made. Time is limited by the workflows themselves: the
campaign ends when one of them is older than it may be, or when the campaign's own time is over; it never stands.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random

import anyio

from actors.names.timestamps import seconds
from actors.workflow.state import WORKFLOWS
from runtime.api import Api, ApiError, Selection
from runtime.client import HttpApi
from runtime.objects import PODS, Object, reference
from tests.artifact_chaos.store import Store, served
from tests.killed_controller.processes import process, until_ready
from tiphys.cli.session import EXECUTOR_IMAGE

UNFINISHED_MAX = 8  # workflows at once: the machine runs their pods, too
LIMIT_S = 900  # of each workflow, by its own activeDeadlineSeconds
GRACE_S = 60  # beyond it, for its pods to stop and its end to be written
RETRIES = 30
TOLD_S = 30.0  # between two words on how far it is
LET_GO_S = 180.0  # for the last controller to let go of all pods, once their workflows have ended


@dataclass(frozen=True)
class Severity:
    """How much is done to them."""

    controller_life_s: float = 12.0  # on average
    pod_life_s: float = 3.0  # between two killed pods, on average
    hang_s: float = 120.0
    limit_s: float = inf  # of the campaign: no further workflows are begun then
    kills_most: int = 1_000_000  # of pods, and of controllers: on a slow machine endless killing lets nothing end


@dataclass
class Report:
    """What happened."""

    wanted: int = 0
    workflows: int = 0  # that were begun
    ended: int = 0
    pod_kills: int = 0
    controller_kills: int = 0
    deeds: Mapping[str, int] = field(default_factory=dict)
    slowest_s: float = 0.0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """What is under way."""

    api: Api
    kubeconfig: Path
    store: Store
    dice: Random
    severity: Severity
    report: Report
    begun: dict[str, float] = field(default_factory=dict)  # by the monotonic clock
    finished: dict[str, Object] = field(default_factory=dict)
    calm: bool = False  # nothing is killed any more

    def oldest_s(self) -> float:
        """How long the oldest workflow that has not ended has been there."""
        now = time.monotonic()
        return max((now - at for name, at in self.begun.items() if name not in self.finished), default=0.0)

    @property
    def hangs(self) -> bool:
        """Whether one of them should long be over."""
        return self.oldest_s() > LIMIT_S + GRACE_S


async def run(number: int, severity: Severity, seed: int, folder: Path, say: Callable[[str], None]) -> Report:
    """Run so many workflows to their end, or as many as can be begun in time; what was found."""
    begun = time.monotonic()
    kubeconfig = folder / "kubeconfig"
    report = Report(wanted=number)
    dev = ["dev", "--no-controllers", "--runtime", "process", "--kubeconfig", str(kubeconfig)]
    with served(Store(Random(seed), hang_s=severity.hang_s)) as store:
        async with process(*dev) as cluster:
            await until_ready(cluster)
            async with HttpApi.from_kubeconfig(str(kubeconfig)) as api:
                here = Campaign(api, kubeconfig, store, Random(seed), severity, report)
                async with anyio.create_task_group() as tasks:
                    for deed in (_watch, _kill_pods, _kill_controllers):
                        tasks.start_soon(deed, here)
                    tasks.start_soon(_tell, here, say)
                    await _submit(here, number, begun + severity.limit_s)
                    here.calm = True
                    report.problems += [f"{name} was never let go of" for name in await _left(here)]
                    tasks.cancel_scope.cancel()
                report.problems += judge(len(here.begun), here.finished, store.kept)
        report.deeds = dict(store.deeds)
    spans = [_span_s(thing) for thing in here.finished.values()]
    report.workflows, report.ended = len(here.begun), len(here.finished)
    report.slowest_s, report.seconds = max(spans, default=0.0), time.monotonic() - begun
    return report


def judge(number: int, finished: Mapping[str, Object], kept: Mapping[str, bytes]) -> list[str]:
    """What was lost, wrong, or took longer than it may."""
    problems = []
    for name in (name_of(one) for one in range(number)):
        thing = finished.get(name)
        if thing is None:
            problems.append(f"{name} hangs: it has not ended within {LIMIT_S + GRACE_S} s")
            continue
        if _span_s(thing) > LIMIT_S + GRACE_S:
            problems.append(f"{name} took {_span_s(thing):.0f} s, and {LIMIT_S} are its limit")
        if thing["status"]["phase"] != "Succeeded":
            problems.append(f"{name} is {thing['status']['phase']}: {_said(thing)}")
        elif kept.get(f"/{name}/last") != f"{name} made kept\n".encode():
            problems.append(f"{name} has lost its artifact: {kept.get(f'/{name}/last')!r}")
    return problems


def name_of(number: int) -> str:
    """The workflow's name."""
    return f"chaos-{number}"


def workflow(name: str, address: str) -> Object:
    """Two steps: one saves an artifact, the other loads it, adds to it, and saves it."""

    def place(key: str) -> Object:
        return {"archive": {"none": {}}, "http": {"url": f"http://{address}/{name}/{key}"}}

    again = {"limit": str(RETRIES), "retryPolicy": "Always"}
    make = {
        "name": "make", "retryStrategy": again,
        "outputs": {"artifacts": [{"name": "a", "path": "/tmp/made", **place("first")}]},
        "container": {"image": "busybox", "command": ["sh", "-c", f"echo {name} made > /tmp/made"]},
    }  # fmt: skip
    keep = {
        "name": "keep", "retryStrategy": again,
        "inputs": {"artifacts": [{"name": "a", "path": "/tmp/in"}]},
        "outputs": {"artifacts": [{"name": "b", "path": "/tmp/out", **place("last")}]},
        "container": {
            "image": "busybox",
            "command": ["sh", "-c", 'echo "$(cat /tmp/in) kept" > /tmp/out'],
        },
    }  # fmt: skip
    given = {"artifacts": [{"name": "a", "from": "{{steps.make.outputs.artifacts.a}}"}]}
    main = {
        "name": "main",
        "steps": [[{"name": "make", "template": "make"}], [{"name": "keep", "template": "keep", "arguments": given}]],
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "entrypoint": "main", "activeDeadlineSeconds": LIMIT_S, "templates": [main, make, keep],
            "podGC": {"strategy": "OnWorkflowCompletion"},
        },
    }  # fmt: skip


def _span_s(thing: Object) -> float:
    status = thing["status"]
    return seconds(status["finishedAt"]) - seconds(thing["metadata"]["creationTimestamp"])


def _said(thing: Object) -> str:
    """The last words of its attempts."""
    nodes = (thing["status"].get("nodes") or {}).values()
    return "; ".join(sorted({str(node["message"]) for node in nodes if node.get("message")}))[-600:]


async def _submit(here: Campaign, number: int, until: float) -> None:
    """Create them, a few at a time, and wait for the last one; no longer than the oldest of them may take."""
    for one in range(number):
        await _until(here, UNFINISHED_MAX - 1)
        if here.hangs or time.monotonic() > until:
            break
        name = name_of(one)
        await here.api.create(WORKFLOWS, workflow(name, here.store.address))
        here.begun[name] = time.monotonic()
    await _until(here, 0)


async def _until(here: Campaign, unfinished: int) -> None:
    """Wait until no more than so many are under way, or one of them hangs."""
    while len(here.begun) - len(here.finished) > unfinished and not here.hangs:  # noqa: ASYNC110  it only paces the load
        await anyio.sleep(0.05)


async def _tell(here: Campaign, say: Callable[[str], None]) -> None:
    """How far it is, every now and then."""
    while True:
        await anyio.sleep(TOLD_S)
        ended, report = len(here.finished), here.report
        under_way = len(here.begun) - ended
        say(
            f"{ended} of {report.wanted} ended, {under_way} under way, the oldest {here.oldest_s():.0f} s; "
            f"{report.pod_kills} pods and {report.controller_kills} controllers killed"
        )


async def _left(here: Campaign) -> list[str]:
    """Pods that are still there although podGC was to delete all of them."""
    names = []
    with anyio.move_on_after(LET_GO_S):
        while names := [pod["metadata"]["name"] for pod in (await here.api.list(PODS)).items]:  # noqa: ASYNC110  as above
            await anyio.sleep(0.5)
    return names


async def _watch(here: Campaign) -> None:
    """Notice which workflows have ended."""
    while True:
        listed = await here.api.list(WORKFLOWS, Selection("default"))
        version = listed.resource_version
        for thing in listed.items:
            _notice(here, thing)
        with suppress(ApiError):  # a watch that broke off begins with a list again
            while True:
                async with here.api.watch(WORKFLOWS, resource_version=version) as events:
                    async for event in events:
                        version = event.object["metadata"]["resourceVersion"]
                        _notice(here, event.object)


def _notice(here: Campaign, thing: Object) -> None:
    if (thing.get("status") or {}).get("finishedAt"):
        here.finished[thing["metadata"]["name"]] = thing


async def _kill_pods(here: Campaign) -> None:
    """Delete one that has not ended, now and then, without grace."""
    while here.report.pod_kills < here.severity.kills_most:
        await anyio.sleep(here.dice.expovariate(1 / here.severity.pod_life_s))
        pods = (await here.api.list(PODS)).items
        alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
        if alive:
            with suppress(ApiError):  # it was quicker
                await here.api.delete(reference(PODS, here.dice.choice(alive)), grace_s=0)
                here.report.pod_kills += 1


async def _kill_controllers(here: Campaign) -> None:
    """Start one after the other, and kill each; one that ends by itself, or never begins, is a problem."""
    where = ["--kubeconfig", str(here.kubeconfig), "--http-address", "127.0.0.1:0", "--log-level", "error"]
    where += ["--executor-image", EXECUTOR_IMAGE]
    while True:
        async with process("controller", *where, POD_UID="the-one") as controller:
            try:
                await until_ready(controller)
            except (TimeoutError, AssertionError) as error:
                here.report.problems.append(f"a controller did not begin: {error!r}")
                continue
            await _life(here)
            if controller.returncode is not None:
                here.report.problems.append(f"a controller ended by itself with {controller.returncode}")
                continue
            controller.send_signal(signal.SIGKILL)
            await controller.wait()
            here.report.controller_kills += 1


async def _life(here: Campaign) -> None:
    """As long as a controller lives; the last one for ever."""
    span_s = here.dice.expovariate(1 / here.severity.controller_life_s)
    if here.report.controller_kills < here.severity.kills_most:
        await anyio.sleep(span_s)
    while here.calm or here.report.controller_kills >= here.severity.kills_most:  # noqa: ASYNC110  as above
        await anyio.sleep(1.0)
