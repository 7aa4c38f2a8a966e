"""Pods as containers of an engine: the same volumes, logs, probes and messages as with processes, and real images.

Containers of our own image run the machine's own files (see `helpers`); a program that they leave for others on a
volume is started by an interpreter that is brought along (see `interpreter`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from runtime.api import Api
from runtime.objects import Object
from tiphys.devcluster.node import images, launch, remarks
from tiphys.devcluster.node.configuration import fetch
from tiphys.devcluster.node.containers import CannotCreate, CannotRun, Exit, Process
from tiphys.devcluster.node.downward import Surroundings
from tiphys.devcluster.node.engine import bodies, helpers
from tiphys.devcluster.node.engine.errors import EngineAway, EngineError
from tiphys.devcluster.node.engine.frames import Frames
from tiphys.devcluster.node.engine.interpreter import Bringer, source_of
from tiphys.devcluster.node.engine.premises import Premises, sweep
from tiphys.devcluster.node.engine.process import EngineProcess, Started, pump
from tiphys.devcluster.node.engine.streams import Streams, attach
from tiphys.devcluster.node.environment import Found, environment, references
from tiphys.devcluster.node.layout import Layout, remove_tree
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.podspec import ContainerSpec
from tiphys.devcluster.node.podvolumes import PodVolumes
from tiphys.devcluster.node.process import NeverStarted, termination_message
from tiphys.devcluster.node.settings import NodeSettings

START_FAILED = 128  # the code that containerd tells the kubelet for a container that could not be started
NAME_MAX = 200
ENFORCED = ("memory", "cpu")


class EngineRuntime:
    """Starts containers through an engine's API."""

    pulls_images = True

    def __init__(self, api: Api, settings: NodeSettings, premises: Premises) -> None:
        self._api = api
        self._settings = settings
        self._premises = premises
        self._layout = Layout(settings.root, settings.claims)
        self._allocatable: Mapping[str, str] = {}
        self._volumes = PodVolumes(api, settings, self._layout, self._allocatable, premises.tasks)
        self._interpreter = Bringer(self._layout.program)
        self._machine_hosts = Path("/etc/hosts").read_text(errors="replace")
        self._limits_told: set[str] = set()

    async def prepare(self, pod: Object) -> None:
        """Make the pod's volumes. Raises CannotPrepare."""
        await self._volumes.prepare(pod)

    async def update(self, pod: Object) -> None:
        """Labels or annotations have changed: write the files that show them again."""
        await self._volumes.update(pod)

    def remarks(self, pod: Object) -> str:
        """What the pod asks for that an engine's containers do not get."""
        told = [*bodies.unhonoured(pod, self._premises.can), *remarks.of_network(pod)]
        limits = remarks.unenforced(pod, ENFORCED) - self._limits_told
        self._limits_told |= limits  # once for the whole node: it is so for every pod
        if limits:
            told.append(f"limits of {', '.join(sorted(limits))} are not enforced, for any pod")
        return "On this node of an engine's containers " + "; ".join(told) + "." if told else ""

    async def clear(self, uid: str) -> None:
        """Remove the pod's volumes and scratch, also what only its containers' users may remove."""
        self._premises.images.forget(uid)
        await self._volumes.clear(uid)
        await sweep(self._premises, self._layout.pod(uid))

    async def start(self, pod: Object, container: ContainerSpec, attempt: int, log: LogFile) -> Process:
        """Start one attempt. Raises CannotCreate; a command that cannot be executed is a process that has ended."""
        is_ours = images.same_image(container.image, self._settings.executor_image)
        if is_ours:
            image = bodies.Image(self._premises.helper_image)
            self._premises.images.say_present(pod, container.image)
        else:
            image = await self._premises.images.image(pod, container.body)
        found = await fetch(self._api, pod["metadata"]["namespace"], sorted(references(container.body)))
        scratch = self._layout.attempt(pod["metadata"]["uid"], container.name, attempt)
        try:
            body = await self._body(pod, container.body, image, found, scratch)
        except CannotRun as error:
            return NeverStarted(Exit(START_FAILED, error.reason, error.message, started=False))
        except OSError as error:
            raise CannotCreate(f"scratch of the container: {error}", reason="CreateContainerError") from error
        name = container_name(pod, container.name, attempt, self._premises.session.name)
        try:
            return await self._run(pod, container, name, body, log, scratch)
        except EngineAway as error:
            raise CannotCreate(error.message, reason="RunContainerError") from error

    # -------------------------------------------------------------------------------------------- starting

    async def _body(
        self, pod: Object, container: Object, image: bodies.Image, found: Found, scratch: Path
    ) -> dict[str, Any]:
        """What the engine is asked to create."""
        is_ours = image.id == self._premises.helper_image
        if is_ours:
            first = launch.first_environment(pod, container, self._settings, "process", self._layout)
            known = images.image_of(container["image"], self._settings.executor_image)
            image = image._replace(entrypoint=known.entrypoint, command=known.command)
        else:
            first = {"HOSTNAME": launch.hostname(pod)} | launch.service_environment(self._settings)
        env = environment(container, found, first, Surroundings(pod, self._allocatable))
        mounts = self._volumes.mounts(pod, container, env)
        path = container.get("terminationMessagePath") or launch.DEFAULT_TERMINATION_PATH
        hosts = launch.hosts_file(pod, self._machine_hosts)
        files = {path: _written(scratch / "termination", "", 0o666), "/etc/hosts": _written(scratch / "hosts", hosts)}
        binds = bodies.binds_of(mounts, files)
        if is_ours:
            binds = [*helpers.binds(self._premises.machine), *binds]
        argv = bodies.command_of(container, image, env)
        if not is_ours:
            brought = await self._interpreter.started(argv, source_of(argv[0], binds))
            argv, binds = (argv, binds) if brought is None else (brought.argv, [*binds, *brought.binds])
        labels = self._premises.session.labels | {"io.kubernetes.pod.uid": pod["metadata"]["uid"]}
        start = bodies.Start(image, argv, env, binds, labels)
        return bodies.container_body(pod, container, start, self._premises.can)

    async def _run(
        self, pod: Object, container: ContainerSpec, name: str, body: dict[str, Any], log: LogFile, scratch: Path
    ) -> Process:
        try:
            number = await self._create(name, body)
            try:
                streams = await self._started(number)
            except EngineAway:
                raise
            except EngineError as error:
                await self._discard(number, scratch)
                return NeverStarted(Exit(START_FAILED, "StartError", error.message, started=False))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(name, scratch)  # whoever waited does so no more
            raise
        pumped = anyio.Event()
        self._premises.tasks.start_soon(pump, streams, Frames(framed=not body["Tty"]), log, pumped)
        finish = partial(self._finish, pod, container.body, number, scratch, log)
        started = Started(number, container.body, "Memory" in body["HostConfig"], pumped, finish)
        brought = partial(self._brought, body)
        return EngineProcess(self._premises.engine, started, self._premises.tasks, brought)

    async def _create(self, name: str, body: dict[str, Any]) -> str:
        try:
            return await self._premises.engine.create(name, body)
        except EngineAway:
            raise
        except EngineError as error:
            raise CannotCreate(error.message, reason="CreateContainerError") from error

    async def _started(self, number: str) -> Streams:
        """Attached before it starts: nothing that it prints is missed. Raises EngineError."""
        engine = self._premises.engine
        streams = await attach(engine, f"/containers/{number}/attach?stream=1&stdout=1&stderr=1")
        try:
            await engine.start(number)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await streams.aclose()
            raise
        return streams

    def _brought(self, body: Mapping[str, Any], argv: list[str]) -> list[str]:
        """The command line of a further command in the container of `body`."""
        binds = [{"source": m["Source"], "target": m["Target"]} for m in body["HostConfig"]["Mounts"]]
        return self._interpreter.again(argv, source_of(argv[0], binds)) if argv else argv

    # -------------------------------------------------------------------------------------------- ending

    async def _finish(
        self, pod: Object, container: Object, number: str, scratch: Path, log: LogFile, end: Exit
    ) -> Exit:
        policy = container.get("terminationMessagePolicy") or "File"
        limit = launch.termination_limit(pod)
        message = termination_message(scratch / "termination", limit, log, code=end.code, policy=policy)
        await self._discard(number, scratch)
        return end._replace(message=message or end.message)

    async def _discard(self, container: str, scratch: Path) -> None:
        try:
            await self._premises.engine.remove(container)
        except EngineError:  # it is removed with the session
            return
        await anyio.to_thread.run_sync(remove_tree, scratch)


def container_name(pod: Object, container: str, attempt: int, session: str) -> str:
    """A name that tells people whose container it is, and is nobody else's."""
    meta = pod["metadata"]
    told = f"{meta['namespace']}.{meta['name']}.{container}"[:NAME_MAX]
    return f"tiphys.{told}.{attempt}.{str(meta['uid'])[:8]}.{session}"


def _written(path: Path, text: str, mode: int = 0o644) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return str(path)
