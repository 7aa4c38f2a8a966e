"""Containers as processes of this machine, in namespaces where it grants them ("process"), without where not ("plain").

Whether it does is tried at the start, with a real container, never guessed.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from runtime.api import Api, Refused
from runtime.objects import Object
from tiphys.devcluster.node import images, launch, remarks
from tiphys.devcluster.node.configuration import fetch
from tiphys.devcluster.node.containers import CannotCreate, CannotRun, Exit, Process
from tiphys.devcluster.node.downward import Surroundings
from tiphys.devcluster.node.environment import environment, references
from tiphys.devcluster.node.forkserver import Channel, ForkServer, SandboxRefused, pipe
from tiphys.devcluster.node.layout import Layout, remove_tree
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.podspec import ContainerSpec
from tiphys.devcluster.node.podvolumes import PodVolumes
from tiphys.devcluster.node.process import LocalProcess, NeverStarted, pump, termination_message
from tiphys.devcluster.node.settings import Mode, NodeSettings
from tiphys.devcluster.node.volumes import Mount

FILES_WANTED = 65536
START_FAILED = 128  # the code that container engines report for a command that cannot be started


class ProcessRuntime:
    """Starts containers through the fork server."""

    pulls_images = False

    def __init__(
        self, api: Api, settings: NodeSettings, server: ForkServer, tasks: TaskGroup, system: launch.System
    ) -> None:
        self._api = api
        self._settings = settings
        self._server = server
        self._tasks = tasks
        self._system = system
        self.mode: Mode = server.mode
        self._layout = Layout(settings.root, settings.claims)
        self._allocatable: Mapping[str, str] = {}
        self._volumes = PodVolumes(api, settings, self._layout, self._allocatable, tasks)
        self._machine_hosts = _read(Path("/etc/hosts"))
        self._limits_told: set[str] = set()

    async def prepare(self, pod: Object) -> None:
        """Make the pod's volumes. Raises CannotPrepare."""
        await self._volumes.prepare(pod)

    async def update(self, pod: Object) -> None:
        """Labels or annotations have changed: write the files that show them again."""
        await self._volumes.update(pod)

    def remarks(self, pod: Object) -> str:
        """What the pod asks for that processes of this machine do not get."""
        told = remarks.unhonoured(pod, isolated=self.mode == "process", any_user=self._server.as_root)
        limits = remarks.unenforced(pod) - self._limits_told
        self._limits_told |= limits  # once for the whole node: it is so for every pod
        return " ".join(filter(None, (told, remarks.about_limits(limits))))

    async def clear(self, uid: str) -> None:
        """Remove the pod's volumes and scratch."""
        await self._volumes.clear(uid)

    async def start(self, pod: Object, container: ContainerSpec, attempt: int, log: LogFile) -> Process:
        """Start one attempt. Raises CannotCreate; a command that cannot be executed is a process that has ended."""
        found = await fetch(self._api, pod["metadata"]["namespace"], sorted(references(container.body)))
        scratch = self._layout.attempt(pod["metadata"]["uid"], container.name, attempt)
        try:
            spec = self._spec(pod, container.body, found, scratch)
        except CannotRun as error:
            return NeverStarted(Exit(START_FAILED, error.reason, error.message, started=False))
        except OSError as error:
            raise CannotCreate(f"scratch of the container: {error}", reason="CreateContainerError") from error
        return await self._run(pod, container, spec, log)

    # -------------------------------------------------------------------------------------------- starting

    def _spec(self, pod: Object, container: Object, found: Any, scratch: Path) -> dict[str, Any]:
        """What the sandbox is told."""
        first = launch.first_environment(pod, container, self._settings, self.mode, self._layout)
        image = images.image_of(container.get("image") or "", self._settings.executor_image)
        env = environment(container, found, first, Surroundings(pod, self._allocatable))
        mounts = self._volumes.mounts(pod, container, env)
        scratch.mkdir(parents=True, exist_ok=True)
        termination = scratch / "termination"
        termination.touch()
        termination.chmod(0o666)
        if self.mode == "plain":  # where things really are wins over what the pod says, before anything refers to it
            real = launch.plain_environment(mounts, scratch / "root", termination)
            said = [entry for entry in container.get("env") or () if entry["name"] not in real]
            surroundings = Surroundings(pod, self._allocatable)
            env = environment({**container, "env": said}, found, first | real, surroundings)
            env["HOME"] = real["HOME"] if env["HOME"] == "/root" else env["HOME"]
        argv = images.command_of(container, image, env)
        spec: dict[str, Any] = {
            "root": str(scratch / "root"),
            "env": env,
            "cwd": launch.working_directory(container, scratch / "root", self.mode),
            "hostname": launch.hostname(pod),
            "as_root": self._server.as_root,
            "termination": str(termination),
            "memory_max": launch.memory_limit(container),
        }
        if self.mode == "plain":
            launch.check_plain(mounts, container)
            for name in ("home", "tmp"):
                (scratch / "root" / name).mkdir(parents=True, exist_ok=True)
            argv[0] = launch.search_path_executable(argv[0], env)
        else:
            spec |= self._isolation(pod, container, image, mounts, scratch)
        return spec | {"argv": argv}

    def _isolation(
        self, pod: Object, container: Object, image: images.Image, mounts: list[Mount], scratch: Path
    ) -> dict[str, Any]:
        """What only a container with a root of its own has."""
        hosts = scratch / "hosts"
        hosts.write_text(launch.hosts_file(pod, self._machine_hosts))
        hosts.chmod(0o644)
        binds = launch.bind_mounts(mounts, self._layout)
        if images.same_image(container.get("image") or "", self._settings.executor_image):
            binds = [*launch.own_mounts(self._system), *binds]
        path = container.get("terminationMessagePath") or launch.DEFAULT_TERMINATION_PATH
        binds.append({"source": str(scratch / "termination"), "target": path, "read_only": False})
        if not any(m.target == "/etc/hosts" for m in mounts):
            binds.append({"source": str(hosts), "target": "/etc/hosts", "read_only": False})
        links = self._system.links | {link: f"{images.STAND_INS}/{name}" for link, name in image.links}
        user = launch.user_of(pod, container)
        return {"mounts": binds, "links": links} | (user if self._server.as_root else {})

    async def _run(self, pod: Object, container: ContainerSpec, spec: dict[str, Any], log: LogFile) -> Process:
        read, write = pipe()
        try:
            channel = self._server.start(write)
        except OSError as error:
            os.close(read)
            raise CannotCreate(f"the sandbox does not answer: {error}", reason="RunContainerError") from error
        finally:
            os.close(write)
        pumped = anyio.Event()
        self._tasks.start_soon(pump, read, log, pumped)
        try:
            await channel.send(spec)
            message = await channel.receive()
        except BaseException:
            channel.close()  # whoever waited does so no more: what was started is killed
            raise
        scratch = Path(spec["termination"]).parent
        if message is not None and message.get("started"):
            end = partial(self._ended, pod, container.body, scratch, log)
            return LocalProcess(channel, container.body, pumped, end)
        channel.close()
        self._discard(scratch)
        why = "the sandbox ended" if message is None else message["failed"]
        if message is None or message["reason"] != "StartError":
            raise CannotCreate(why, reason="RunContainerError")
        words = f"unable to start container process: {why}; {images.remedy(why, spec['argv'][0], container.image)}"
        return NeverStarted(Exit(START_FAILED, "StartError", words, started=False))

    def _ended(self, pod: Object, container: Object, scratch: Path, log: LogFile, end: Exit) -> Exit:
        policy = container.get("terminationMessagePolicy") or "File"
        limit = launch.termination_limit(pod)
        message = termination_message(scratch / "termination", limit, log, code=end.code, policy=policy)
        self._discard(scratch)
        return end._replace(message=message)

    def _discard(self, scratch: Path) -> None:
        self._tasks.start_soon(anyio.to_thread.run_sync, remove_tree, scratch)


# ------------------------------------------------------------------------------------------------ which mode


async def open_process_runtime(
    stack: AsyncExitStack, api: Api, settings: NodeSettings
) -> tuple[ProcessRuntime, Mode, str]:
    """A runtime in the mode asked for, or for "auto" the best that works; the mode and why.

    Raises Refused when "process" is asked for and the machine refuses it."""
    layout = Layout(settings.root, settings.claims)
    layout.clear()  # what a killed node left behind
    allow_many_files()
    images.install_stand_ins(layout.stand_ins, layout.local_bin)
    system = launch.system(settings.packages)
    reason = "asked for"
    server: ForkServer | None = None
    if settings.mode != "plain":
        try:
            server = await _open_namespaces(stack, layout, system)
            reason = f"this machine grants namespaces{'' if server.as_root else ' to ordinary users'}"
        except SandboxRefused as refusal:
            if settings.mode == "process":
                why = f"namespaces are refused here: {refusal}; use --runtime plain or auto"
                raise Refused(why, code=503, reason="NoNamespaces") from refusal
            reason = f"namespaces are refused here: {refusal}"
    if server is None:
        server = await stack.enter_async_context(ForkServer("plain", layout.base, []))
    tasks = await stack.enter_async_context(anyio.create_task_group())
    return ProcessRuntime(api, settings, server, tasks, system), server.mode, reason


async def _open_namespaces(stack: AsyncExitStack, layout: Layout, system: launch.System) -> ForkServer:
    """A fork server in which a container has really run. Raises SandboxRefused."""
    if sys.platform != "linux":
        raise SandboxRefused(f"{sys.platform} has none")
    layout.base.mkdir(parents=True, exist_ok=True)
    server = ForkServer("process", layout.base, system.binds)
    async with AsyncExitStack() as attempt:
        await attempt.enter_async_context(server)
        await _try_out(server, layout, system)
        stack.push_async_exit(attempt.pop_all())
    return server


async def _try_out(server: ForkServer, layout: Layout, system: launch.System) -> None:
    root = layout.root / "trial"
    root.mkdir(parents=True, exist_ok=True)
    spec = {
        "root": str(root),
        "argv": ["sh", "-c", "exit 42"],
        "env": {"PATH": images.PATH},
        "cwd": "/",
        "hostname": "trial",
        "as_root": server.as_root,
        "links": system.links,
        "mounts": launch.bind_mounts([], layout),
    }
    read, write = pipe()
    try:
        channel = server.start(write)
        await channel.send(spec)
        outcome = await _last_message(channel)
        channel.close()
    finally:
        os.close(read)
        os.close(write)
    shutil.rmtree(root, ignore_errors=True)
    if outcome.get("exit") != 42:
        raise SandboxRefused(str(outcome.get("failed") or f"a trial container ended with {outcome.get('exit')}"))


async def _last_message(channel: Channel) -> dict[str, Any]:
    last: dict[str, Any] = {}
    while (message := await channel.receive()) is not None:
        last = message
    return last


def allow_many_files() -> None:
    """Raise the soft limit of open files: every container takes three."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
