"""One container as processes of this machine: its channel read, its output stored, its end understood."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel

from runtime.api import Refused
from runtime.objects import Object
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.node.command import PipedCommand
from tiphys.devcluster.node.containers import Execution, Exit, ReadyTimes
from tiphys.devcluster.node.forkserver import Channel, pipe
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.probing import perform

READ_BYTES = 1 << 16
EXEC_OUTPUT_MAX = 10 * 1024  # the kubelet's limit for what it keeps of a probe's output
PIPE_LINGER_S = 2.0  # output is closed this long after the container's end, whoever holds it
FALLBACK_BYTES, FALLBACK_LINES = 2048, 80  # what FallbackToLogsOnError takes of the log
KILLED = 128 + signal.SIGKILL


class LocalProcess:
    """A container that the sandbox has started."""

    has_started = True
    ready_times: ReadyTimes = None

    def __init__(self, channel: Channel, container: Object, pumped: anyio.Event, end: Callable[[Exit], Exit]) -> None:
        self._channel = channel
        self._container = container
        self._pumped = pumped
        self._end = end
        self._execs: dict[int, tuple[anyio.Event, list[int]]] = {}
        self._commands: dict[int, PipedCommand] = {}
        self._number = 0
        self._is_over = False

    async def wait(self) -> Exit:
        """Its end, once its output is stored. Called once."""
        code, oom = KILLED, False
        while (message := await self._channel.receive()) is not None:
            if "exec" in message:
                self._answered(message["exec"], message["code"])
            elif "exit" in message:
                code, oom = message["exit"], message["oom"]
        self._channel.close()
        self._is_over = True
        for number in [*self._execs, *self._commands]:
            self._answered(number, KILLED)
        with anyio.move_on_after(PIPE_LINGER_S):
            await self._pumped.wait()
        return self._end(Exit(code, "OOMKilled" if oom else ""))

    def signal(self, number: int) -> None:
        """Send a signal; SIGKILL ends all processes of the container."""
        self._channel.send_now({"signal": int(number)})

    async def execute(self, argv: list[str], timeout_s: float) -> Execution:
        """Run a command inside. Raises TimeoutError after `timeout_s`, having killed it."""
        self._number += 1
        number = self._number
        done, codes = anyio.Event(), list[int]()
        self._execs[number] = (done, codes)
        read, write = pipe()
        try:
            try:
                await self._channel.send({"exec": number, "argv": argv}, write)
            finally:
                os.close(write)
            with anyio.fail_after(timeout_s):
                output = await _read_start(read, EXEC_OUTPUT_MAX)
                await done.wait()
        except TimeoutError:
            self._channel.send_now({"kill": number})
            raise
        finally:
            os.close(read)
            self._execs.pop(number, None)
        return Execution(codes[0], output.decode("utf-8", "replace"))

    @asynccontextmanager
    async def command(self, argv: list[str]) -> AsyncIterator[RunningCommand]:
        """Start a command inside, with streams of its own; leaving the context kills it if it still runs."""
        self._number += 1
        number = self._number
        command = self._commands[number] = PipedCommand()
        try:
            await self._channel.send({"exec": number, "argv": argv, "streams": 3}, *command.theirs)
            command.close_theirs()
            if self._is_over:
                command.end(KILLED)
            yield command
        finally:
            if not command.has_ended:
                self._channel.send_now({"kill": number})
            self._commands.pop(number, None)
            command.close()

    async def probe(self, action: Object, timeout_s: float) -> str:
        """Perform the action of a probe or hook; the failure in words, empty if none."""
        return await perform(action, self._container, self.execute, timeout_s)

    def _answered(self, number: int, code: int) -> None:
        if number in self._commands:
            self._commands[number].end(code)
        done, codes = self._execs.get(number, (None, []))
        if done is not None:
            codes.append(code)
            done.set()


class NeverStarted:
    """A container whose command could not be executed: it has ended before it began."""

    has_started = False
    ready_times: ReadyTimes = None

    def __init__(self, end: Exit) -> None:
        self._end = end

    async def wait(self) -> Exit:
        """The failure."""
        return self._end

    def signal(self, number: int) -> None:
        """There is nothing to signal."""

    async def execute(self, argv: list[str], timeout_s: float) -> Execution:
        """Nothing can run in it."""
        return Execution(126, "the container never started")

    def command(self, argv: list[str]) -> AbstractAsyncContextManager[RunningCommand]:
        """Nothing can run in it."""
        raise Refused("the container never started", code=400, reason="BadRequest")

    async def probe(self, action: Object, timeout_s: float) -> str:
        """Nothing can be asked of it."""
        return "the container never started"


async def pump(read: int, log: LogFile, pumped: anyio.Event) -> None:
    """Store what comes out of a pipe until everybody has closed it."""
    try:
        while True:
            try:
                output = os.read(read, READ_BYTES)
            except BlockingIOError:
                await anyio.wait_readable(read)
                continue
            if not output:
                return
            log.append(output)
            await anyio.lowlevel.checkpoint()  # a container that prints without end must not starve the others
    finally:
        os.close(read)
        pumped.set()


async def _read_start(read: int, limit: int) -> bytes:
    """The beginning of what comes out of a pipe, the rest read and dropped."""
    output = b""
    while True:
        try:
            part = os.read(read, READ_BYTES)
        except BlockingIOError:
            await anyio.wait_readable(read)
            continue
        if not part:
            return output
        output += part[: limit - len(output)]


def termination_message(path: Path, limit: int, log: LogFile, *, code: int, policy: str) -> str:
    """What the container left as its last words: the file, or with FallbackToLogsOnError the end of its log."""
    try:
        with path.open("rb") as file:
            message = file.read(limit).decode("utf-8", "replace")
    except OSError:
        message = ""
    if not message and code != 0 and policy == "FallbackToLogsOnError":
        return log.tail_message(min(limit, FALLBACK_BYTES), FALLBACK_LINES)
    return message
