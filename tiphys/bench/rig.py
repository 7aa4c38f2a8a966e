"""What a benchmark runs on: an API server, a node, a controller, each a process of its own, and the observer here.

With a kubeconfig the API server and its nodes are somebody else's; with `--controller none` so is the controller.
"""

from __future__ import annotations

import shlex
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import anyio

from runtime.client import HttpApi
from tiphys.bench import exposition
from tiphys.bench.processes import Cost, NotReady, Process, start, started, tiphys

OURS = "tiphys"
NOBODY = "none"
DIVIDED_S = 60.0


@dataclass(frozen=True, slots=True)
class RigSettings:
    """What the command line of `bench` said."""

    folder: Path  # for logs and the kubeconfig
    kubeconfig: str = ""  # empty: a dev cluster of the benchmark's own, with a simulated node
    controller: str = OURS  # or NOBODY, or a command line in which {kubeconfig} is replaced
    node_delay_s: float = 0.0  # how long a pod runs
    shards: int = 0  # so many of our controllers, each with a shard; 0: one, for everything


@dataclass
class Rig:
    """A benchmark's processes while they run."""

    api: HttpApi
    kubeconfig: str
    command: list[str]  # the controller's; empty when it is somebody else's
    folder: Path
    metrics_url: str = ""  # of our controller
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def controller(self) -> Process | None:
        """The controller's process; None when it is somebody else's."""
        return self.processes.get("controller")

    def costs(self) -> dict[str, Cost]:
        """What each process has used since it started."""
        return {name: process.cost() for name, process in self.processes.items()}

    async def requests(self) -> dict[str, float]:
        """How many requests the API server has served, by verb and resource ("POST pods")."""
        return exposition.requests(await self.api.text("/metrics"))

    async def controller_metrics(self) -> dict[str, float]:
        """Our controller's metrics by name and labels; empty for anybody else's."""
        if not self.metrics_url:
            return {}
        async with aiohttp.ClientSession() as session, session.get(self.metrics_url) as answer:
            return exposition.samples(await answer.text())

    def restart_controller(self) -> Process:
        """Start the controller again after its end; the caller awaits what it wants to see."""
        before = self.controller
        made = start("controller", self.command, self.folder)
        made.inherited_s = before.cost().cpu_s if before else 0.0
        self.processes["controller"] = made
        return made


@asynccontextmanager
async def rigged(settings: RigSettings) -> AsyncIterator[Rig]:
    """Everything started and ready; ended with the block. Raises NotReady with what a process printed."""
    async with AsyncExitStack() as stack:
        processes: dict[str, Process] = {}
        kubeconfig = settings.kubeconfig
        if not kubeconfig:
            kubeconfig = str(settings.folder / "kubeconfig")
            serve = tiphys("dev", "--runtime", "none", "--no-controllers", "--kubeconfig", kubeconfig)
            processes["api"] = stack.enter_context(started("api", serve, settings.folder))
            processes["api"].await_line("ready")
            join = tiphys("node", "--scheduler", "--kubeconfig", kubeconfig, "--delay", str(settings.node_delay_s))
            processes["node"] = stack.enter_context(started("node", join, settings.folder))
            processes["node"].await_line("ready")
        api = await stack.enter_async_context(HttpApi.from_kubeconfig(kubeconfig))
        command, metrics_url = _controller(settings.controller, kubeconfig, settings.shards)
        rig = Rig(api, kubeconfig, command, settings.folder, metrics_url, processes)
        if command:
            rig.restart_controller()
            stack.callback(_end_last, rig)
            if settings.controller == OURS:
                rig.processes["controller"].await_line("ready")
                if settings.shards:
                    await _shared(rig, settings.shards, metrics_url)
        yield rig


def _end_last(rig: Rig) -> None:
    """The controllers of now, which may be others than those of the beginning."""
    for name, process in rig.processes.items():
        if name.partition(" ")[0] == "controller":
            process.end()


async def _shared(rig: Rig, number: int, metrics_url: str) -> None:
    """Start further controllers, and wait until each has a shard. Raises NotReady."""
    urls = [metrics_url]
    for at in range(2, number + 1):
        line, url = _controller(OURS, rig.kubeconfig, number)
        urls.append(url)
        name = f"controller {at}"
        rig.processes[name] = start(name, line, rig.folder)
    for name, process in rig.processes.items():
        if name.partition(" ")[0] == "controller":
            process.await_line("ready")
    had: list[int] = []
    async with aiohttp.ClientSession() as session:
        with anyio.move_on_after(DIVIDED_S):
            while had != [1] * number:
                had = [await _shards_of(session, url) for url in urls]
                await anyio.sleep(0.2)
            return
    raise NotReady(f"after {DIVIDED_S:.0f} s the controllers had {had} shards")


async def _shards_of(session: aiohttp.ClientSession, metrics_url: str) -> int:
    async with session.get(metrics_url.removesuffix("/metrics") + "/debug/actors?room=none") as answer:
        document = await answer.json()
    return sum(1 for shard in document["shards"] if shard["statistics"]["ready"])


def _controller(wish: str, kubeconfig: str, shards: int = 0) -> tuple[list[str], str]:
    """The command line of a controller and where it shows metrics."""
    if wish == NOBODY:
        return [], ""
    if wish != OURS:
        return [word.replace("{kubeconfig}", kubeconfig) for word in shlex.split(wish)], ""
    address = f"127.0.0.1:{_free_port()}"
    line = tiphys("controller", "--kubeconfig", kubeconfig, "--http-address", address, "--log-level", "warning")
    return [*line, *(["--shards", str(shards)] if shards else [])], f"http://{address}/metrics"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
