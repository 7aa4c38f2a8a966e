"""Time that jumps: an asyncio loop in which nobody waits, and a clock that reads it.

When nothing is left to do, the loop's time moves to the next timer. That would be a lie while something outside the
loop (a thread, a subprocess, a socket) is still at work, so then it raises and says what is pending; and when nothing
will ever happen again it raises instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from typing import Any

WALL_START = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a whole second


class WorkOutsideError(RuntimeError):
    """Virtual time would have jumped although something real is pending."""


class NothingWillHappenError(RuntimeError):
    """All tasks wait, and there is no timer: the program hangs."""


class _JumpingSelector(selectors.DefaultSelector):  # chosen at run time
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        outside = self.loop.outside()
        if outside:
            raise WorkOutsideError(f"virtual time would jump while this is pending: {', '.join(outside)}")
        if timeout is None:
            raise NothingWillHappenError("all tasks wait and no timer is set")
        self.loop.jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a number."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        self._in_executor = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        self._own_files = set(selector.get_map())  # the loop's own wake-up pipe

    def time(self) -> float:
        return self._virtual_s

    def jump(self, delay_s: float) -> None:
        """Move time to the next timer (exactly: sums of delays would drift away from it)."""
        timers = self._scheduled  # type: ignore[attr-defined]  # a heap, whose cancelled heads are gone by now
        soonest = timers[0].when() if timers else self._virtual_s + delay_s
        self._virtual_s = max(self._virtual_s, min(soonest, self._virtual_s + delay_s + 1e-6))

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._in_executor += 1
        future.add_done_callback(self._executed)
        return future

    def _executed(self, future: Any) -> None:
        self._in_executor -= 1

    def outside(self) -> list[str]:
        """What works outside the loop right now, in words."""
        found = []
        files = [key for key in self._selector.get_map() if key not in self._own_files]  # type: ignore[attr-defined]
        if files:
            found.append(f"{len(files)} sockets, pipes or subprocesses (files {files})")
        if self._in_executor:
            found.append(f"{self._in_executor} calls in an executor's thread")
        found += [f"thread {thread.name}" for thread in threading.enumerate() if _works(thread, self)]
        return found


def _works(thread: threading.Thread, loop: VirtualLoop) -> bool:
    if "waitpid" in thread.name:  # asyncio waits for a subprocess
        return True
    idle = getattr(thread, "idle_workers", None)  # anyio's worker threads wait there for the next call
    return getattr(thread, "loop", None) is loop and idle is not None and thread not in idle


class VirtualClock:
    """A `runtime.clock.Clock` that reads the running loop; outside a loop it stands still."""

    def __init__(self, start: float = WALL_START) -> None:
        self._start = start

    def wall(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0
