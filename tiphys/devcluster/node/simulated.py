"""Containers without processes: they start, are ready and end when `behaviour` says so. Time is the loop's own.

A stopped one ends with 143, a killed one with 137. Probes and hooks go well.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import anyio

from runtime.api import Refused
from runtime.objects import Object
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.node.behaviour import PREFIX, Behaviour, behaviour, check_images
from tiphys.devcluster.node.containers import CannotCreate, Execution, Exit, ReadyTimes
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.podspec import ContainerSpec
from tiphys.devcluster.node.settings import ImageTable


class SimulatedProcess:
    """A container that is nothing but a delay and an exit code."""

    has_started = True

    def __init__(self, told: Behaviour) -> None:
        self.ready_times: ReadyTimes = told.ready
        self._delay_s = told.runs_s
        self._end = Exit(told.exit_code, message=told.message)
        self._signalled = anyio.Event()

    async def wait(self) -> Exit:
        """The end that was told after the delay, or the end by a signal."""
        with anyio.move_on_after(self._delay_s):
            await self._signalled.wait()
        return self._end

    def signal(self, number: int) -> None:
        """End at once with 128 + number."""
        if not self._signalled.is_set():
            self._end = Exit(128 + number)
            self._signalled.set()

    async def execute(self, argv: list[str], timeout_s: float) -> Execution:
        """Commands go well and print nothing."""
        return Execution(0)

    def command(self, argv: list[str]) -> AbstractAsyncContextManager[RunningCommand]:
        """Nothing really runs, so nothing can run in it."""
        raise Refused("the node simulates its pods: no command can run in them", code=400, reason="BadRequest")

    async def probe(self, action: Object, timeout_s: float) -> str:
        """Probes and hooks go well."""
        return ""


class SimulatedRuntime:
    """Keeps nothing and writes nothing but logs. Raises ValueError for an `images` table that makes no sense."""

    pulls_images = False

    def __init__(self, delay_s: float = 0.0, images: ImageTable | None = None) -> None:
        self._delay_s = delay_s
        self._images = images or {}
        check_images(self._images)

    async def prepare(self, pod: Object) -> None:
        """There are no volumes."""

    async def start(self, pod: Object, container: ContainerSpec, attempt: int, log: LogFile) -> SimulatedProcess:
        """A container as told. Raises CannotCreate for `never-start` and for values that make no sense."""
        told = behaviour(pod, container, attempt, self._images, self._delay_s)
        if told.never_start:
            reason = "ContainerCreating" if told.never_start == "true" else told.never_start
            raise CannotCreate(f"{PREFIX}never-start keeps it from starting", reason=reason, retry=False)
        if told.start_after_s:
            await anyio.sleep(told.start_after_s)
        if told.log:
            log.append(told.log.encode() if told.log.endswith("\n") else told.log.encode() + b"\n")
        return SimulatedProcess(told)

    async def update(self, pod: Object) -> None:
        """Nothing shows labels or annotations."""

    def remarks(self, pod: Object) -> str:
        """Nothing is done, so nothing is remarked."""
        return ""

    async def clear(self, uid: str) -> None:
        """There is no scratch."""
