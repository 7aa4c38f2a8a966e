"""One container of an engine: its output stored, its end understood, commands run inside."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import NamedTuple

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from runtime.api import Refused
from runtime.log import Log
from runtime.objects import Object
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.node.containers import Execution, Exit, ReadyTimes
from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.commands import CANNOT_RUN, KILLED, EngineCommand, running
from tiphys.devcluster.node.engine.errors import EngineAway, EngineError
from tiphys.devcluster.node.engine.frames import Frames
from tiphys.devcluster.node.engine.streams import Streams
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.probing import perform
from tiphys.devcluster.node.process import EXEC_OUTPUT_MAX, PIPE_LINGER_S

log = Log()

ASK_AGAIN_S = 1.0  # an engine that is away is asked again
LOST = Exit(KILLED, "ContainerStatusUnknown", "The container could not be located when it ended")


class Started(NamedTuple):
    """A container that the engine has started."""

    id: str
    body: Object  # of the pod's container
    memory_limited: bool
    pumped: anyio.Event  # set when all of its output is stored
    finish: Callable[[Exit], Awaitable[Exit]]  # its termination message read, its scratch removed


class EngineProcess:
    """A running container; `brought` says how a command line starts inside it."""

    has_started = True
    ready_times: ReadyTimes = None

    def __init__(
        self, engine: EngineApi, started: Started, tasks: TaskGroup, brought: Callable[[list[str]], list[str]]
    ) -> None:
        self._engine = engine
        self._started = started
        self._tasks = tasks
        self._brought = brought
        self._killed = False

    async def wait(self) -> Exit:
        """Its end, once its output is stored. Called once."""
        end = await self._end()
        with anyio.move_on_after(PIPE_LINGER_S):
            await self._started.pumped.wait()
        return await self._started.finish(end)

    async def _end(self) -> Exit:
        """As the engine tells it, however often that is away meanwhile."""
        while True:
            try:
                code = await self._engine.wait(self._started.id)
                state = (await self._engine.inspect(self._started.id)).get("State") or {}
            except EngineError as error:
                if error.is_absent:
                    return LOST
                log.warning("container.unknown", container=self._started.body["name"], error=error.message)
                await anyio.sleep(ASK_AGAIN_S)
            else:
                return Exit(code, "OOMKilled" if self._out_of_memory(code, state) else "")

    def _out_of_memory(self, code: int, state: Object) -> bool:
        """As the engine says; Podman says nothing with cgroups of version 1, where a kill that nobody here asked for in
        a container with a limit has one cause."""
        return code != 0 and bool(
            state.get("OOMKilled") or (code == KILLED and self._started.memory_limited and not self._killed)
        )

    def signal(self, number: int) -> None:
        """Send a signal; SIGKILL ends all processes of the container."""
        self._killed |= number == signal.SIGKILL
        self._tasks.start_soon(self._kill, int(number))

    async def _kill(self, number: int) -> None:
        while True:
            try:
                await self._engine.kill(self._started.id, number)
            except EngineAway:
                await anyio.sleep(ASK_AGAIN_S)
            except EngineError:  # it has ended meanwhile
                return
            else:
                return

    async def execute(self, argv: list[str], timeout_s: float) -> Execution:
        """Run a command inside. Raises TimeoutError after `timeout_s`, having killed it."""
        try:
            with anyio.fail_after(timeout_s):
                async with self._running(argv, with_input=False) as command:
                    output = await _beginning(command)
                    return Execution(await command.wait(), output.decode("utf-8", "replace"))
        except EngineError as error:
            return Execution(CANNOT_RUN, error.message)

    @asynccontextmanager
    async def command(self, argv: list[str]) -> AsyncIterator[RunningCommand]:
        """Start a command inside, with streams of its own; leaving the context kills it if it still runs."""
        context = self._running(argv, with_input=True)
        try:
            command = await context.__aenter__()
        except EngineError as error:
            raise Refused(f"the engine refuses: {error.message}", code=500, reason="InternalError") from error
        try:
            yield command
        finally:
            await context.__aexit__(None, None, None)

    def _running(self, argv: list[str], *, with_input: bool) -> AbstractAsyncContextManager[EngineCommand]:
        return running(self._engine, self._started.id, self._brought(argv), self._tasks, with_input=with_input)

    async def probe(self, action: Object, timeout_s: float) -> str:
        """Perform the action of a probe or hook; the failure in words, empty if none."""
        return await perform(action, self._started.body, self.execute, timeout_s)


async def pump(streams: Streams, frames: Frames, into: LogFile, pumped: anyio.Event) -> None:
    """Store what a container prints until its streams end."""
    try:
        async for received in streams.receive():
            for _, piece in frames.feed(received):
                into.append(piece)
            await anyio.lowlevel.checkpoint()  # a container that prints without end must not starve the others
    finally:
        pumped.set()
        with anyio.CancelScope(shield=True), suppress(OSError):
            await streams.aclose()


async def _beginning(command: EngineCommand) -> bytes:
    """The beginning of what a command prints on both streams, the rest read and dropped."""
    kept = bytearray()

    async def read(chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            kept.extend(chunk[: EXEC_OUTPUT_MAX - len(kept)])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, command.output())
        tasks.start_soon(read, command.errors())
    return bytes(kept)
