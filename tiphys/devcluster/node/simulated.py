"""Containers without processes: they end after a delay, with what the pod's annotations say. Time is the loop's own.

| annotation                        | meaning                                                                        |
|-----------------------------------|--------------------------------------------------------------------------------|
| `simulated.tiphys.dev/delay`      | seconds a container runs ("1.5"), or "forever": until it is stopped            |
| `simulated.tiphys.dev/exit-code`  | its exit code; a list ("1,1,0") is one per attempt, the last one repeated      |
| `simulated.tiphys.dev/message`    | its termination message                                                        |
| `simulated.tiphys.dev/log`        | what it prints at its start                                                    |
| `simulated.tiphys.dev/never-start`| the pod stays Pending: "true", or the waiting reason to show (ImagePullBackOff) |

They speak of the main containers; `<annotation>.<container>` (`simulated.tiphys.dev/delay.main`) speaks of one
container of any kind. Without annotations main containers run for the node's `simulated_delay_s`, or for ever when the
pod's restartPolicy is Always; init containers succeed at once; sidecars run until stopped. A stopped one ends with 143,
a killed one with 137. Probes and hooks go well.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import anyio

from runtime.api import Refused
from runtime.objects import Object
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.node.containers import CannotCreate, Execution, Exit
from tiphys.devcluster.node.logfile import LogFile
from tiphys.devcluster.node.podspec import ContainerSpec

PREFIX = "simulated.tiphys.dev/"


class SimulatedProcess:
    """A container that is nothing but a delay and an exit code."""

    def __init__(self, delay_s: float, end: Exit) -> None:
        self._delay_s = delay_s
        self._end = end
        self._signalled = anyio.Event()

    async def wait(self) -> Exit:
        """The annotated end after the delay, or the end by a signal."""
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
    """Keeps nothing and writes nothing but annotated logs."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s

    async def prepare(self, pod: Object) -> None:
        """There are no volumes."""

    async def start(self, pod: Object, container: ContainerSpec, attempt: int, log: LogFile) -> SimulatedProcess:
        """A container as annotated. Raises CannotCreate for `never-start` and for values that make no sense."""
        never = _annotation(pod, container, "never-start")
        if never and never != "false":
            reason = "ContainerCreating" if never == "true" else never
            raise CannotCreate(f"annotation {PREFIX}never-start keeps it from starting", reason=reason, retry=False)
        if text := _annotation(pod, container, "log"):
            log.append(text.encode() if text.endswith("\n") else text.encode() + b"\n")
        delay_s = self._delay(pod, container)
        code = _exit_code(pod, container, attempt)
        return SimulatedProcess(delay_s, Exit(code, message=_annotation(pod, container, "message")))

    async def update(self, pod: Object) -> None:
        """Nothing shows labels or annotations."""

    def remarks(self, pod: Object) -> str:
        """Nothing is done, so nothing is remarked."""
        return ""

    async def clear(self, uid: str) -> None:
        """There is no scratch."""

    def _delay(self, pod: Object, container: ContainerSpec) -> float:
        text = _annotation(pod, container, "delay")
        if text == "forever":
            return float("inf")
        if text:
            try:
                return float(text.removesuffix("s"))
            except ValueError:
                raise _senseless(container, "delay", text, 'seconds, such as "1.5", or "forever"') from None
        if container.kind == "sidecar":
            return float("inf")
        if container.kind == "init":
            return 0.0
        policy = (pod.get("spec") or {}).get("restartPolicy", "Always")
        return float("inf") if policy == "Always" else self._delay_s


def _annotation(pod: Object, container: ContainerSpec, name: str) -> str:
    annotations = pod["metadata"].get("annotations") or {}
    own = annotations.get(f"{PREFIX}{name}.{container.name}")
    if own is None and container.kind == "main":
        own = annotations.get(PREFIX + name)
    return own or ""


def _exit_code(pod: Object, container: ContainerSpec, attempt: int) -> int:
    text = _annotation(pod, container, "exit-code") or "0"
    codes = text.split(",")
    try:
        return int(codes[min(max(attempt, 1), len(codes)) - 1])
    except ValueError:
        raise _senseless(container, "exit-code", text, 'a number, or one per attempt ("1,1,0")') from None


def _senseless(container: ContainerSpec, name: str, text: str, wanted: str) -> CannotCreate:
    return CannotCreate(
        f"annotation {PREFIX}{name} of container {container.name} is {text!r}; it must be {wanted}",
        retry=False,
    )
