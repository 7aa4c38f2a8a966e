"""A command that somebody runs inside a container: three pipes, and its end told by the sandbox."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import anyio

from tiphys.devcluster.node.forkserver import pipe

READ_BYTES = 1 << 15


class PipedCommand:
    """The node's ends of the pipes of one command."""

    def __init__(self) -> None:
        read, write = os.pipe()
        os.set_blocking(write, False)
        self._input = write
        self._output, output = pipe()
        self._errors, errors = pipe()
        self.theirs = [read, output, errors]
        self._code = 0
        self._ended = anyio.Event()

    def close_theirs(self) -> None:
        """Close the command's ends, once it has them."""
        while self.theirs:
            os.close(self.theirs.pop())

    def end(self, code: int) -> None:
        """Its exit code is known."""
        self._code = code
        self._ended.set()

    @property
    def has_ended(self) -> bool:
        """True once its exit code is known."""
        return self._ended.is_set()

    def output(self) -> AsyncIterator[bytes]:
        """What it prints."""
        return _chunks(self._output)

    def errors(self) -> AsyncIterator[bytes]:
        """What it prints on its standard error."""
        return _chunks(self._errors)

    async def write(self, chunk: bytes) -> None:
        """Give it input, as fast as it reads."""
        rest = memoryview(chunk)
        while rest and self._input >= 0:
            try:
                rest = rest[os.write(self._input, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._input)
            except BrokenPipeError:
                return

    def close_input(self) -> None:
        """There is no more input."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    async def wait(self) -> int:
        """Its exit code."""
        await self._ended.wait()
        return self._code

    def close(self) -> None:
        """Close everything; nobody reads any more."""
        self.close_input()
        self.close_theirs()
        for read in (self._output, self._errors):
            os.close(read)


async def _chunks(read: int) -> AsyncIterator[bytes]:
    while True:
        try:
            chunk = os.read(read, READ_BYTES)
        except BlockingIOError:
            await anyio.wait_readable(read)
            continue
        if not chunk:
            return
        yield chunk
