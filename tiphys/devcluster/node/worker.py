"""One pod's life on this node: ask `decide` what is next, do it, tell the API what came of it.

Two tasks per living pod: this loop, and the status writer that keeps at most one write in flight. A finished pod has
none; its record stays for its logs until the object is deleted.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from runtime.api import Api
from runtime.objects import Object
from tiphys.devcluster.node.containers import CannotCreate, CannotPrepare, ContainerRuntime, Exit, Process
from tiphys.devcluster.node.endings import deadline_at, next_ending
from tiphys.devcluster.node.events import EventRecorder
from tiphys.devcluster.node.facts import Ended, Ending, Fact, Launching, Running, Waiting, exit_reason
from tiphys.devcluster.node.lifecycle import Situation, pod_status
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.plan import BACKOFF_FORGOTTEN_S, Plan, backoff_s, decide, will_restart
from tiphys.devcluster.node.podspec import ContainerSpec, PodSpec, parse_pod
from tiphys.devcluster.node.probes import ProbeKind, Verdict, watch_container
from tiphys.devcluster.node.settings import Clock
from tiphys.devcluster.node.statuswriter import StatusWriter

GONE = {"deletionTimestamp": "gone", "deletionGracePeriodSeconds": 0}  # of an object that is no longer there
RETRY_FIRST_S = 1.0
RETRY_MAX_S = 15.0
HOOK_TIMEOUT_S = 3600.0  # a postStart hook may take as long as it likes; preStop is bounded by the grace


@dataclass(frozen=True, slots=True)
class Premises:
    """What all pods of a node share."""

    api: Api
    runtime: ContainerRuntime
    events: EventRecorder
    clock: Clock
    logs: Path  # one folder per pod uid below


class PodWorker:
    """Runs one pod from its first sight to its end."""

    def __init__(self, pod: Object, premises: Premises) -> None:
        self.pod = pod
        self.spec: PodSpec = parse_pod(pod)
        self.facts: dict[str, Fact] = {c.name: Fact(Waiting()) for c in self.spec.containers}
        self._premises = premises
        self._start_time = premises.clock()
        self._prepared = False
        self._preparing = False
        self._hindrance = ""
        self._ending: Ending | None = None
        self._gone = False
        self.ended = anyio.Event()
        self._shown_changed = False
        self._over = False
        self._wake = anyio.Event()
        self._processes: dict[str, Process] = {}
        self._starts: dict[str, anyio.CancelScope] = {}  # containers that are being created
        self._logs: dict[tuple[str, int], LogFile] = {}
        self._retries: dict[str, float] = {}
        self._writer = StatusWriter(premises.api, premises.clock, pod, self.status, self.lose)

    @property
    def finished(self) -> bool:
        """Nothing of it runs, and its last status is at the API server."""
        return self._writer.ended

    # -------------------------------------------------------------------------------------------- what is told

    def observe(self, pod: Object) -> None:
        """The object as it is now: deletion, deadline, labels and annotations may have changed."""
        old, self.pod = self.pod, pod
        self.spec = parse_pod(pod)
        for container in self.spec.containers:
            self.facts.setdefault(container.name, Fact(Waiting()))
        self._writer.observe(pod)
        self._shown_changed |= any(old["metadata"].get(k) != pod["metadata"].get(k) for k in ("labels", "annotations"))
        self.wake()

    def lose(self) -> None:
        """The object is no longer there: everything is killed at once."""
        self._gone = True
        self._writer.stop()
        self.wake()

    def wake(self) -> None:
        """Something changed: decide again, and write what the status has become."""
        self._wake.set()
        self._writer.touch()

    def status(self, now: float, previous: Object) -> Object:
        """The pod's status as of now."""
        situation = Situation(self._start_time, self._prepared, self._hindrance, self._ending, self._over)
        return pod_status(self.spec, self.facts, situation, now, previous)

    def log(self, name: str, *, previous: bool = False) -> LogFile | None:
        """The log of a container's newest attempt, or of the one before."""
        fact = self.facts.get(name)
        return None if fact is None else self._logs.get((name, fact.attempt - (1 if previous else 0)))

    def process(self, name: str) -> Process | None:
        """The running attempt of a container."""
        return self._processes.get(name)

    def remove_logs(self) -> None:
        """The object is gone: nobody can ask for its logs."""
        for log in self._logs.values():
            log.remove()
        self._logs.clear()
        folder = self._premises.logs / self.spec.uid
        if folder.is_dir():
            folder.rmdir()

    # -------------------------------------------------------------------------------------------- the loop

    async def run(self) -> None:
        """Live until nothing of the pod runs and the last status is written (or the object is gone)."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._writer.run)
            await self._live(tasks)
            await self._premises.runtime.clear(self.spec.uid)
            self._over = True
            self._writer.finish()
        self.ended.set()

    async def _live(self, tasks: TaskGroup) -> None:
        while True:
            self._wake = anyio.Event()
            now = self._premises.clock()
            meta = GONE if self._gone else self.pod["metadata"]
            self._ending = next_ending(self.spec, meta, self._start_time, now, self._ending)
            plan = decide(self.spec, self.facts, self._ending, now)
            if plan.over and not self._preparing:
                return
            self._perform(plan, tasks)
            if self._shown_changed and self._prepared:
                self._shown_changed = False
                await self._premises.runtime.update(self.pod)
            if self._ending is None and (deadline := deadline_at(self.spec, self._start_time)) is not None:
                plan.wake(deadline)
            wait_s = float("inf") if plan.wake_at is None else max(plan.wake_at - self._premises.clock(), 0.001)
            with anyio.move_on_after(wait_s):
                await self._wake.wait()

    def _perform(self, plan: Plan, tasks: TaskGroup) -> None:
        if self._ending is not None:
            for scope in self._starts.values():
                scope.cancel()
        for stop in plan.stop:
            state = self.facts[stop.name].state
            assert isinstance(state, Running)
            self.facts[stop.name].state = replace(state, kill_at=stop.kill_at)
            if state.kill_at is None:
                tasks.start_soon(self._stop, stop.name, stop.kill_at)
        for name in plan.kill:
            self._processes[name].signal(signal.SIGKILL)
        if not self._prepared:
            if self._ending is None and not self._preparing:
                self._preparing = True
                tasks.start_soon(self._prepare)
            return
        for name in plan.start:
            container = self.spec.container(name)
            assert container is not None
            self._launch(container, tasks)
        if plan.start or plan.stop:
            self._writer.touch()

    async def _prepare(self) -> None:
        delay = RETRY_FIRST_S
        while not self._prepared and self._ending is None:
            try:
                await self._premises.runtime.prepare(self.pod)
            except CannotPrepare as error:
                self._hindrance = error.message
                self._premises.events.warn(self.pod, error.reason, error.message)
                self._writer.touch()
                with anyio.move_on_after(delay):
                    await self._wake.wait()
                delay = min(delay * 2, RETRY_MAX_S)
            else:
                self._prepared = True
                if remark := self._premises.runtime.remarks(self.pod):
                    self._premises.events.warn(self.pod, "NotHonoured", remark)
        self._preparing = False
        self.wake()

    # -------------------------------------------------------------------------------------------- one attempt

    def _launch(self, container: ContainerSpec, tasks: TaskGroup) -> None:
        fact = self.facts[container.name]
        if isinstance(fact.state, Ended):
            ran_s = fact.state.finished_at - (fact.state.started_at or fact.state.finished_at)
            fact.crashes = 1 if ran_s >= BACKOFF_FORGOTTEN_S else fact.crashes + 1
            fact.last = fact.state
            fact.restarts += 1
        fact.state = Launching()
        tasks.start_soon(self._attempt, container)

    async def _attempt(self, container: ContainerSpec) -> None:
        fact, number = self.facts[container.name], self.facts[container.name].attempt + 1
        log = LogFile(self._premises.logs / self.spec.uid / f"{container.name}.{number}", self._premises.clock)
        process: Process | None = None
        try:
            with anyio.CancelScope() as self._starts[container.name]:
                process = await self._premises.runtime.start(self.pod, container, number, log)
            self._starts.pop(container.name, None)
            if process is None:  # the pod ends before it was there
                fact.state = Waiting()
                return
            self._retries.pop(container.name, None)
            self._keep_log(container.name, number, log)
            fact.attempt = number
            self._say_started(container, process)
            await self._attend(container, fact, process)
        except CannotCreate as error:
            fact.state = Waiting(error.reason, error.message, self._retry_at(container.name, retry=error.retry))
            self._premises.events.warn(self.pod, "Failed", f"Error: {error.message}")
        finally:
            self._starts.pop(container.name, None)
            log.close()
            self.wake()

    async def _attend(self, container: ContainerSpec, fact: Fact, process: Process) -> None:
        """Live through one attempt."""
        started_at = self._premises.clock()
        at_once = process.ready_times is None and container.probe("readinessProbe") is None
        fact.state = Running(started_at, up=_up_at_once(container), ready=at_once)
        self._processes[container.name] = process
        self.wake()
        end = await self._accompany(container, process)
        ended = fact.state = self._ended(end, started_at)
        self._processes.pop(container.name, None)
        self._say_ended(container, fact, ended)

    async def _accompany(self, container: ContainerSpec, process: Process) -> Exit:
        """Wait for the end, with hooks and probes at its side."""
        hook = (container.body.get("lifecycle") or {}).get("postStart")
        is_watched = container.probe("readinessProbe") or container.probe("livenessProbe")
        if _up_at_once(container) and not is_watched and process.ready_times is None:
            return await process.wait()
        async with anyio.create_task_group() as tasks:
            if process.ready_times is not None:
                tasks.start_soon(self._follow_readiness, container.name, process.ready_times)
            tasks.start_soon(self._watch, container, process, hook)
            end = await process.wait()
            tasks.cancel_scope.cancel()
        return end

    async def _follow_readiness(self, name: str, times: tuple[tuple[float, bool], ...]) -> None:
        passed_s = 0.0
        for after_s, ready in times:
            await anyio.sleep(after_s - passed_s)
            passed_s = after_s
            self._change(name, ready=ready)

    async def _watch(self, container: ContainerSpec, process: Process, hook: Object | None) -> None:
        def hear(kind: ProbeKind, verdict: Verdict, failure: str) -> None:
            self._hear(container, kind, verdict, failure)

        if hook is not None and (failure := await process.probe(hook, HOOK_TIMEOUT_S)):
            self._premises.events.warn(self.pod, "FailedPostStartHook", f"PostStartHook failed: {failure}")
            self._doom(container.name, "FailedPostStartHook")
            return
        if not container.probe("startupProbe"):
            self._change(container.name, up=True)
        await watch_container(container.body, process, hear)

    def _hear(self, container: ContainerSpec, kind: ProbeKind, verdict: Verdict, failure: str) -> None:
        if failure:
            what = kind.removesuffix("Probe").capitalize()
            self._premises.events.warn(self.pod, "Unhealthy", f"{what} probe failed: {failure}")
        if kind == "readinessProbe":
            if self._processes[container.name].ready_times is None:
                self._change(container.name, ready=verdict == "success")
        elif verdict == "failure":
            what = "liveness" if kind == "livenessProbe" else "startup"
            self._doom(container.name, f"failed {what} probe")
        elif kind == "startupProbe" and verdict == "success":
            self._change(container.name, up=True)

    def _doom(self, name: str, why: str) -> None:
        state = self.facts[name].state
        if isinstance(state, Running) and not state.doomed:
            message = f"Container {name} {why}, will be restarted" if " " in why else why
            self._premises.events.say(self.pod, "Killing", message)
            self.facts[name].state = replace(state, doomed=why)
            self.wake()

    def _change(self, name: str, *, up: bool | None = None, ready: bool | None = None) -> None:
        state = self.facts[name].state
        if not isinstance(state, Running):
            return
        changed = replace(state, up=state.up if up is None else up, ready=state.ready if ready is None else ready)
        if changed != state:
            self.facts[name].state = changed
            self.wake()

    async def _stop(self, name: str, kill_at: float) -> None:
        container, process = self.spec.container(name), self._processes.get(name)
        if container is None or process is None:
            return
        state = self.facts[name].state
        if not (isinstance(state, Running) and state.doomed):
            self._premises.events.say(self.pod, "Killing", f"Stopping container {name}")
        grace_s = max(kill_at - self._premises.clock(), 0.0)
        if hook := (container.body.get("lifecycle") or {}).get("preStop"):
            with anyio.move_on_after(grace_s):
                if failure := await process.probe(hook, grace_s):
                    self._premises.events.warn(self.pod, "FailedPreStopHook", f"PreStopHook failed: {failure}")
        process.signal(signal.SIGTERM)

    def _say_started(self, container: ContainerSpec, process: Process) -> None:
        """In the kubelet's words, and in its order."""
        say, name = self._premises.events.say, container.name
        if not self._premises.runtime.pulls_images:
            say(self.pod, "Pulled", f'Container image "{container.image}" already present on machine')
        say(self.pod, "Created", f"Created container: {name}")
        if process.has_started:
            say(self.pod, "Started", f"Started container {name}")

    def _say_ended(self, container: ContainerSpec, fact: Fact, ended: Ended) -> None:
        if ended.started_at is None:
            self._premises.events.warn(self.pod, "Failed", f"Error: {ended.message}")
        if self._ending is None and will_restart(self.spec, container, ended) and backoff_s(fact.crashes) > 0:
            where = f"{self.spec.name}_{self.spec.namespace}({self.spec.uid})"
            message = f"Back-off restarting failed container {container.name} in pod {where}"
            self._premises.events.warn(self.pod, "BackOff", message)

    def _ended(self, end: Exit, started_at: float) -> Ended:
        reason = end.reason or exit_reason(end.code)
        return Ended(end.code, reason, self._premises.clock(), started_at if end.started else None, end.message)

    def _retry_at(self, name: str, *, retry: bool) -> float:
        if not retry:
            return float("inf")
        delay = self._retries.get(name, RETRY_FIRST_S)
        self._retries[name] = min(delay * 2, RETRY_MAX_S)
        return self._premises.clock() + delay

    def _keep_log(self, name: str, number: int, log: LogFile) -> None:
        self._logs[name, number] = log
        if old := self._logs.pop((name, number - 2), None):
            old.remove()


def _up_at_once(container: ContainerSpec) -> bool:
    """Nothing has to go well before the container counts as started."""
    return container.probe("startupProbe") is None and not (container.body.get("lifecycle") or {}).get("postStart")
