"""The node: watches the pods bound to it, gives each a worker, and serves their logs.

It talks to nothing but an `Api`, so it can join any cluster. All scratch is below `settings.root` and is removed when
`run` ends; so is every process.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from runtime.api import Api, Gone, LogOptions, Refused, Selection
from runtime.objects import PODS, Object
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.node.containers import ContainerRuntime, Execution
from tiphys.devcluster.node.events import EventRecorder
from tiphys.devcluster.node.facts import Waiting
from tiphys.devcluster.node.follow import Change, follow
from tiphys.devcluster.node.heartbeat import beat
from tiphys.devcluster.node.layout import Layout
from tiphys.devcluster.node.nodelost import lost_status
from tiphys.devcluster.node.registration import capacity, node_object, register
from tiphys.devcluster.node.settings import Clock, Mode, NodeSettings
from tiphys.devcluster.node.simulated import SimulatedRuntime
from tiphys.devcluster.node.statuswriter import release_when_possible, write_once
from tiphys.devcluster.node.worker import PodWorker, Premises

TERMINAL = ("Succeeded", "Failed")
HEARTBEAT_S = 10.0  # the kubelet's renewal of its Lease
T = TypeVar("T")


class Node:
    """One node of a cluster.

    `mode` and `mode_reason` say how containers run and why, once `run` has started. The default clock is the wall
    clock as of the creation, carried on by the event loop's time: under virtual time both jump together."""

    def __init__(self, api: Api, settings: NodeSettings, *, clock: Clock | None = None) -> None:
        self.settings = replace(settings, root=settings.root.resolve())
        self.mode: Mode = "plain" if settings.mode == "auto" else settings.mode
        self.mode_reason = ""
        self._api = api
        self._clock: Clock = clock or time.time
        self._loop_clock = clock is None and settings.mode == "simulated"
        self._workers: dict[str, PodWorker] = {}  # by pod uid
        self._names: dict[tuple[str, str], str] = {}  # (namespace, name) -> the newest uid
        self._premises: Premises | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Register and run pods until cancelled; started once the node is registered and can run pods.

        Raises Refused when mode "process" is asked for and the machine grants no namespaces, or mode "docker" and no
        engine can be used."""
        if self._loop_clock:
            self._clock = partial(_carried_on, time.time() - anyio.current_time())
        root = self.settings.root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._remove_scratch)
            runtime = await self._open_runtime(stack)
            has = capacity(self.mode, root)
            name, quiet = self.settings.name, self._by_mode(self.settings.only_warnings, simulated=True, real=False)
            node = node_object(name, self.settings.labels, has, self._clock(), only_warnings=quiet)
            await register(self._api, node)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            events = EventRecorder(self._api, tasks, self._clock, "kubelet", name, only_warnings=quiet)
            if every_s := self._by_mode(self.settings.heartbeat_s, simulated=0.0, real=HEARTBEAT_S):
                tasks.start_soon(beat, self._api, node, self._clock, every_s)
            self._premises = Premises(self._api, runtime, events, self._clock, root / "logs")
            tell = partial(self._tell, tasks=tasks)
            task_status.started()
            await follow(self._api, PODS, tell, Selection(fields=f"spec.nodeName={name}"))

    def _by_mode(self, wish: T | None, *, simulated: T, real: T) -> T:
        if wish is not None:
            return wish
        return simulated if self.mode == "simulated" else real

    async def stream(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        """A container's log. Raises Gone for a pod that is not here, Refused when there is no such log (yet)."""
        worker = self._workers.get(self._names.get((namespace, pod), ""))
        if worker is None:
            raise Gone(f'pods "{pod}" not found on node {self.settings.name}', code=404, reason="NotFound")
        name = options.container or _only_container(worker, pod)
        fact = worker.facts.get(name)
        if fact is None:
            raise _bad_request(f"container {name} is not valid for pod {pod}")
        log = worker.log(name, previous=options.previous)
        if log is None and options.previous:
            raise _bad_request(f'previous terminated container "{name}" in pod "{pod}" not found')
        if log is None:
            reason = fact.state.reason if isinstance(fact.state, Waiting) else ""
            reason = reason or ("PodInitializing" if worker.spec.setups else "ContainerCreating")
            raise _bad_request(f'container "{name}" in pod "{pod}" is waiting to start: {reason}')
        async for chunk in log.stream(options):
            yield chunk

    async def execute(
        self, namespace: str, pod: str, argv: list[str], *, container: str = "", timeout_s: float = 60.0
    ) -> Execution:
        """Run a command in a running container. Raises Gone or Refused as `stream` does, and TimeoutError."""
        worker = self._workers.get(self._names.get((namespace, pod), ""))
        if worker is None:
            raise Gone(f'pods "{pod}" not found on node {self.settings.name}', code=404, reason="NotFound")
        name = container or _only_container(worker, pod)
        process = worker.process(name)
        if process is None:
            raise _bad_request(f"container {name} of pod {pod} is not running")
        return await process.execute(argv, timeout_s)

    def command(
        self, namespace: str, pod: str, container: str, argv: list[str]
    ) -> AbstractAsyncContextManager[RunningCommand]:
        """Start a command in a running container, with streams of its own. Raises Gone or Refused."""
        worker = self._workers.get(self._names.get((namespace, pod), ""))
        if worker is None:
            raise Gone(f'pods "{pod}" not found on node {self.settings.name}', code=404, reason="NotFound")
        process = worker.process(container)
        if process is None:
            raise _bad_request(f'container not found ("{container}"): it is not running in pod {pod}')
        return process.command(argv)

    # -------------------------------------------------------------------------------------------- pods

    def _tell(self, change: Change, *, tasks: TaskGroup) -> None:
        pod = change.object
        if (pod.get("spec") or {}).get("nodeName") != self.settings.name:
            return
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if change.deleted:
            if worker is not None:
                self._lose(worker, pod, tasks)
        elif worker is None:
            self._adopt(pod, tasks, first=change.first)
        elif worker.finished:
            worker.pod = pod
            if pod["metadata"].get("deletionTimestamp"):
                tasks.start_soon(release_when_possible, self._api, pod)
        else:
            worker.observe(pod)

    def _adopt(self, pod: Object, tasks: TaskGroup, *, first: bool) -> None:
        """A pod not known here: a new one, one that ended before, or one that an earlier life of this node ran."""
        assert self._premises is not None
        status = pod.get("status") or {}
        if status.get("phase") in TERMINAL:
            if pod["metadata"].get("deletionTimestamp"):
                tasks.start_soon(release_when_possible, self._api, pod)
            return
        if first and status.get("startTime"):
            lost = lost_status(status, self._clock())
            tasks.start_soon(write_once, self._api, pod, lost)
            return
        meta = pod["metadata"]
        worker = PodWorker(pod, self._premises)
        self._workers[meta["uid"]] = worker
        self._names[meta["namespace"], meta["name"]] = meta["uid"]
        tasks.start_soon(worker.run)

    def _lose(self, worker: PodWorker, pod: Object, tasks: TaskGroup) -> None:
        if worker.finished:
            self._forget(worker, pod)
        else:
            worker.lose()
            tasks.start_soon(self._forget_later, worker, pod)

    async def _forget_later(self, worker: PodWorker, pod: Object) -> None:
        await worker.ended.wait()
        self._forget(worker, pod)

    def _forget(self, worker: PodWorker, pod: Object) -> None:
        meta = pod["metadata"]
        worker.remove_logs()
        if self._premises is not None:
            self._premises.events.forget(meta["uid"])
        self._workers.pop(meta["uid"], None)
        key = (meta["namespace"], meta["name"])
        if self._names.get(key) == meta["uid"]:
            del self._names[key]

    async def _remove_scratch(self) -> None:
        """In a thread where there is much of it: the kernel takes its time with what was mounted."""
        clear = Layout(self.settings.root).clear
        if self.mode == "simulated":
            clear()
            return
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(clear)

    # -------------------------------------------------------------------------------------------- containers

    async def _open_runtime(self, stack: AsyncExitStack) -> ContainerRuntime:
        if self.settings.mode == "simulated":
            self.mode_reason = "asked for"
            return SimulatedRuntime(self.settings.simulated_delay_s, self.settings.simulated_images)
        if self.settings.mode == "docker":
            from tiphys.devcluster.node.engine.opening import open_engine_runtime  # noqa: PLC0415 - as below

            engine, self.mode_reason = await open_engine_runtime(stack, self._api, self.settings)
            return engine
        from tiphys.devcluster.node.processes import (  # noqa: PLC0415 - a simulated node needs none of it
            open_process_runtime,
        )

        runtime, self.mode, self.mode_reason = await open_process_runtime(stack, self._api, self.settings)
        return runtime


def _carried_on(offset: float) -> float:
    return offset + anyio.current_time()


def _only_container(worker: PodWorker, pod: str) -> str:
    names = [c.name for c in worker.spec.containers]
    mains = [c.name for c in worker.spec.mains]
    if len(names) == 1 or len(mains) == 1:
        return mains[0]
    raise _bad_request(f"a container name must be specified for pod {pod}, choose one of: [{' '.join(names)}]")


def _bad_request(message: str) -> Refused:
    return Refused(message, code=400, reason="BadRequest")
