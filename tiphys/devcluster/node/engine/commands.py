"""A command that somebody runs inside a container, over the engine's exec: three streams on one connection."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.errors import EngineError
from tiphys.devcluster.node.engine.frames import ERRORS, OUTPUT, Frames
from tiphys.devcluster.node.engine.streams import Streams, attach

CANNOT_RUN = 126
KILLED = 128 + signal.SIGKILL
PIECES_MAX = 16  # of output that wait to be read
SETTLED_S = 5.0  # how long after the end of its streams a command may be told to be running still


class EngineCommand:
    """A started command; a RunningCommand (see `tiphys.devcluster.exec`)."""

    def __init__(self, engine: EngineApi, number: str, streams: Streams, tasks: TaskGroup) -> None:
        self._engine = engine
        self._number = number
        self._streams = streams
        self._tasks = tasks
        self._ended = anyio.Event()
        self._code = CANNOT_RUN
        self._pieces: dict[int, MemoryObjectReceiveStream[bytes]] = {}
        self._writers: dict[int, MemoryObjectSendStream[bytes]] = {}
        for which in (OUTPUT, ERRORS):
            self._writers[which], self._pieces[which] = anyio.create_memory_object_stream[bytes](PIECES_MAX)
        tasks.start_soon(self._read)

    @property
    def has_ended(self) -> bool:
        """True once its exit code is known."""
        return self._ended.is_set()

    def output(self) -> AsyncIterator[bytes]:
        """What it prints."""
        return self._chunks(OUTPUT)

    def errors(self) -> AsyncIterator[bytes]:
        """What it prints on its standard error."""
        return self._chunks(ERRORS)

    async def write(self, chunk: bytes) -> None:
        """Give it input, as fast as it reads."""
        await self._streams.send(chunk)

    def close_input(self) -> None:
        """There is no more input."""
        self._tasks.start_soon(self._streams.end_input)

    async def wait(self) -> int:
        """Its exit code."""
        await self._ended.wait()
        return self._code

    async def _chunks(self, which: int) -> AsyncIterator[bytes]:
        with self._pieces[which] as pieces:
            async for piece in pieces:
                yield piece

    async def _read(self) -> None:
        frames = Frames()
        try:
            async for received in self._streams.receive():
                for which, piece in frames.feed(received):
                    with suppress(anyio.BrokenResourceError):  # nobody reads this stream any more
                        await self._writers[which].send(piece)
        finally:
            self._close_writers()
        with suppress(EngineError):
            self._code = await _exit_code(self._engine, self._number)
        self._ended.set()

    def close(self) -> None:
        """Nobody reads any more."""
        self._close_writers()
        for pieces in self._pieces.values():
            pieces.close()

    def _close_writers(self) -> None:
        for writer in self._writers.values():
            writer.close()


@asynccontextmanager
async def running(
    engine: EngineApi, container: str, argv: Sequence[str], tasks: TaskGroup, *, with_input: bool
) -> AsyncIterator[EngineCommand]:
    """Start a command inside a container; leaving the context kills it if it still runs. Raises EngineError."""
    asked: dict[str, Any] = {"AttachStdin": with_input, "AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
    number = str((await engine.call("POST", f"/containers/{container}/exec", body=asked))["Id"])
    streams = await attach(engine, f"/exec/{number}/start", {"Detach": False, "Tty": False})
    command = EngineCommand(engine, number, streams, tasks)
    try:
        yield command
    finally:
        with anyio.CancelScope(shield=True):
            if not command.has_ended:
                with suppress(EngineError):
                    await _kill(engine, container, number)
            command.close()
            await streams.aclose()


async def _exit_code(engine: EngineApi, number: str) -> int:
    """The exit code of a command whose streams have ended: engines learn of the end itself a moment later."""
    with anyio.move_on_after(SETTLED_S):
        while True:
            told = await engine.call("GET", f"/exec/{number}/json")
            if not told.get("Running"):
                code = told.get("ExitCode")
                return CANNOT_RUN if code is None else int(code)
            await anyio.sleep(0.02)
    return KILLED


async def _kill(engine: EngineApi, container: str, number: str) -> None:
    """Kill a command: the engines have no request for that, so its process is looked for on this machine."""
    told = await engine.call("GET", f"/exec/{number}/json")
    pid = int(told.get("Pid") or 0)
    if not told.get("Running") or pid <= 1:
        return
    full = str((await engine.inspect(container))["Id"])
    with suppress(OSError):
        if full in _groups_of(pid):  # the number may be of another machine's process
            os.kill(pid, signal.SIGKILL)


def _groups_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()
