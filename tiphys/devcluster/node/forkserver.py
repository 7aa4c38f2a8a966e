"""The node's end of the sandbox: starts the fork server, and talks with each container over a channel of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import anyio

from tiphys.devcluster.node.settings import Mode

PROGRAM = Path(__file__).with_name("sandbox.py")
READY_TIMEOUT_S = 15.0
END_TIMEOUT_S = 5.0
RECEIVE_BYTES = 1 << 16


class SandboxRefused(Exception):
    """The machine does not let containers run in this mode; the message says why."""


class Channel:
    """Lines of JSON to and from one container."""

    def __init__(self, end: socket.socket, open_channels: set[Channel]) -> None:
        end.setblocking(False)
        open_channels.add(self)
        self._open_channels = open_channels
        self._end = end
        self._buffer = bytearray()
        self._sending = anyio.Lock()

    async def send(self, message: dict[str, Any], *fds: int) -> None:
        """Send one message, with up to four file descriptors. A container that has ended does not matter."""
        rest = memoryview(json.dumps(message).encode() + b"\n")
        async with self._sending:
            while rest:
                try:
                    if fds:
                        sent = socket.send_fds(self._end, [rest], fds)
                        fds = ()
                    else:
                        sent = self._end.send(rest)
                except BlockingIOError:
                    await anyio.wait_writable(self._end)
                except OSError:
                    return
                else:
                    rest = rest[sent:]

    def send_now(self, message: dict[str, Any]) -> None:
        """Send one short message without waiting; it is lost when the container does not read."""
        try:
            self._end.send(json.dumps(message).encode() + b"\n")
        except OSError:
            return

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        while b"\n" not in self._buffer:
            try:
                received = self._end.recv(RECEIVE_BYTES)
            except BlockingIOError:
                await anyio.wait_readable(self._end)
                continue
            except OSError:
                return None
            if not received:
                return None
            self._buffer += received
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """Hang up: what is left of the container is killed."""
        self._open_channels.discard(self)
        self._end.close()


class ForkServer:
    """The running sandbox program. Use as an async context manager: leaving it ends every container."""

    def __init__(self, mode: Mode, base: Path, binds: list[str]) -> None:
        self.mode = mode
        self._config = json.dumps({"mode": mode, "base": str(base), "binds": binds})
        self.as_root = False  # without a user namespace: containers may be other users
        self._channels: set[Channel] = set()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        """Start it. Raises SandboxRefused when the mode does not work on this machine."""
        ours, theirs = socket.socketpair()
        self._control = ours
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; a fork takes a millisecond
                [sys.executable, "-I", "-S", str(PROGRAM), str(theirs.fileno()), self._config],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                env={},
            )
        try:
            answer = await self._first_line(ours)
        except BaseException:
            await self.aclose()
            raise
        self.as_root = answer == "ready root"
        if not answer.startswith("ready"):
            await self.aclose()
            raise SandboxRefused(answer or "the sandbox program ended at its start")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End it and every container."""
        await self.aclose()

    def start(self, log: int) -> Channel:
        """Fork a process for one container, its output going to the file descriptor `log`. Raises OSError."""
        assert self._control is not None
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b"c"], [theirs.fileno(), log])
            except OSError:
                ours.close()
                raise
        return Channel(ours, self._channels)

    async def aclose(self) -> None:
        """Hang up on it and on all containers, and wait for its end; killed after some seconds."""
        for channel in tuple(self._channels):
            channel.close()
        if self._control is not None:
            self._control.close()
            self._control = None
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(END_TIMEOUT_S):
                await self._ended(process)
            if process.poll() is None:
                process.kill()
                process.wait()

    async def _ended(self, process: subprocess.Popen[bytes]) -> None:
        pause = 0.002
        while process.poll() is None:
            await anyio.sleep(pause)
            pause = min(pause * 2, 0.1)

    async def _first_line(self, ours: socket.socket) -> str:
        ours.setblocking(False)
        answer = b""
        with anyio.move_on_after(READY_TIMEOUT_S):
            while not answer.endswith(b"\n"):
                await anyio.wait_readable(ours)
                part = ours.recv(RECEIVE_BYTES)
                if not part:
                    break
                answer += part
        ours.setblocking(True)
        return answer.decode(errors="replace").strip()


def pipe() -> tuple[int, int]:
    """A pipe whose reading end does not block."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    return read, write
