"""What the node needs of whatever runs containers: processes here, a clock and a dice throw in the simulation."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, TypeAlias

from runtime.objects import Object
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.podspec import ContainerSpec


class CannotPrepare(Exception):
    """The pod's volumes cannot be set up now: an Event says so, and it is tried again."""

    def __init__(self, message: str, *, reason: str = "FailedMount") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class CannotCreate(Exception):
    """The container cannot be created now: it stays waiting with this reason and, with `retry`, is tried again."""

    def __init__(self, message: str, *, reason: str = "CreateContainerConfigError", retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry
        self.reason = reason
        self.message = message


class CannotRun(Exception):
    """The container can never run on this node: the attempt ends as one whose command could not be started."""

    def __init__(self, message: str, *, reason: str = "StartError") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Exit(NamedTuple):
    """How a container ended. `reason` is empty for the usual (Completed, Error); `message` its termination message."""

    code: int
    reason: str = ""
    message: str = ""
    started: bool = True


class Execution(NamedTuple):
    """How a command run inside a container ended; `output` is the beginning of what it printed."""

    code: int
    output: str = ""


ReadyTimes: TypeAlias = tuple[tuple[float, bool], ...] | None
"""(seconds since its start, ready) in order: when a container is ready, whatever its probe says; None: as that says."""


class Process(Protocol):
    """One attempt of one container, alive until `wait` returns."""

    @property
    def has_started(self) -> bool:
        """False for one whose command could not be executed."""
        ...

    @property
    def ready_times(self) -> ReadyTimes:
        """When it is ready by itself."""
        ...

    async def wait(self) -> Exit:
        """Its end. Called once."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to its main process (SIGKILL: to all of them). Nothing happens when it has ended."""
        ...

    async def execute(self, argv: list[str], timeout_s: float) -> Execution:
        """Run a command inside. Raises TimeoutError after `timeout_s`, having killed it."""
        ...

    def command(self, argv: list[str]) -> AbstractAsyncContextManager[RunningCommand]:
        """Start a command inside, with streams of its own; leaving the context kills it if it still runs."""
        ...

    async def probe(self, action: Object, timeout_s: float) -> str:
        """Perform the action (exec, httpGet, tcpSocket) of a probe or hook: the failure in words, empty if none."""
        ...


class ContainerRuntime(Protocol):
    """Creates containers and owns their scratch. All methods may be called for many pods at once."""

    @property
    def pulls_images(self) -> bool:
        """It has real images, and writes the Events about them itself."""
        ...

    async def prepare(self, pod: Object) -> None:
        """Make the pod's volumes. Idempotent. Raises CannotPrepare."""
        ...

    async def start(self, pod: Object, container: ContainerSpec, attempt: int, log: LogFile) -> Process:
        """Start one attempt, its output going to `log`. Raises CannotCreate; a failed exec is an Exit, not an error."""
        ...

    async def update(self, pod: Object) -> None:
        """The pod's labels or annotations changed: what shows them inside is brought up to date."""
        ...

    def remarks(self, pod: Object) -> str:
        """What the pod asks for that this node does not do, in a sentence; empty if nothing."""
        ...

    async def clear(self, uid: str) -> None:
        """Remove the volumes and scratch of a pod none of whose processes lives."""
        ...
