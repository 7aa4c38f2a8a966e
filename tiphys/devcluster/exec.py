"""Where `kubectl exec` runs its commands: the API server only asks, the node that runs the pod does it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class RunningCommand(Protocol):
    """A command inside a container, with three streams of its own."""

    def output(self) -> AsyncIterator[bytes]:
        """What it prints. Read once, beside `errors`: who does not read holds the command up."""
        ...

    def errors(self) -> AsyncIterator[bytes]:
        """What it prints on its standard error. Read once."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Give it input. A command that no longer reads does not matter."""
        ...

    def close_input(self) -> None:
        """There is no more input."""
        ...

    async def wait(self) -> int:
        """Its exit code, 128 + n for signal n; 126 when it could not be started (its errors say why)."""
        ...


class ExecSource(Protocol):
    """Whoever can run commands in running containers."""

    def command(
        self, namespace: str, pod: str, container: str, argv: list[str]
    ) -> AbstractAsyncContextManager[RunningCommand]:
        """Start a command in `container` (never empty here); leaving the context kills it if it still runs.

        Raises runtime.api errors on entry: Gone when the pod is not here, Refused when the container is not running."""
        ...
