"""The processes of a benchmark, and what each has cost: CPU seconds and peak memory as the kernel counts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
READY_S = 60.0
END_S = 10.0


class Cost(NamedTuple):
    """What a process has used since it started."""

    cpu_s: float
    peak_mib: float
    mib: float


class NotReady(Exception):
    """A process ended, or said nothing, before it was ready; the text holds the end of what it printed."""


@dataclass
class Process:
    """A program that runs beside us, with its output in a file."""

    name: str
    popen: subprocess.Popen[bytes]
    output: Path
    inherited_s: float = 0.0  # CPU seconds of those that it has taken the place of
    killed_at: Cost | None = None  # what it had used when it was killed

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    def cost(self) -> Cost:
        """Since its start, with the CPU seconds of those before it; of a killed one, what it had used by then."""
        used = self.killed_at or cost_of(self.pid)
        return used._replace(cpu_s=used.cpu_s + self.inherited_s)

    def await_line(self, word: str, limit_s: float = READY_S) -> str:
        """The first line of its output that begins with `word`. Raises NotReady."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            text = self.output.read_text(errors="replace")
            for line in text.splitlines():
                if line.startswith(word):
                    return line
            if self.popen.poll() is not None:
                break
            time.sleep(0.02)
        raise NotReady(f"{self.name} is not ready; it printed:\n{self.output.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, as a crash would have it."""
        self.killed_at = cost_of(self.pid)
        self.popen.kill()
        self.popen.wait()

    def end(self) -> None:
        """SIGTERM, and SIGKILL when that is not heard."""
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def started(name: str, command: Sequence[str], folder: Path) -> Iterator[Process]:
    """A program that is ended with the block."""
    process = start(name, command, folder)
    try:
        yield process
    finally:
        process.end()


def start(name: str, command: Sequence[str], folder: Path) -> Process:
    """Start a program. Raises FileNotFoundError when there is none."""
    output = folder / f"{name}.log"
    with output.open("wb") as out:
        popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)  # noqa: S603
    return Process(name, popen, output)


def tiphys(*arguments: str) -> list[str]:
    """The command line of this very Tiphys."""
    return [sys.executable, "-m", "tiphys.cli", *arguments]


def cost_of(pid: int) -> Cost:
    """What a process has used; zeros for one that is gone or on a system without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return Cost(0.0, 0.0, 0.0)
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    return Cost(cpu, _mib(status, "VmHWM"), _mib(status, "VmRSS"))


def _mib(status: str, name: str) -> float:
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0
