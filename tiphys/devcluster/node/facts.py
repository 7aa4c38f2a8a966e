"""What the node knows of a container: one of five states, and how the attempt before ended.

States are values; the worker replaces them, the decisions in `plan` and `lifecycle` only read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running. With `retry_at` the last try to create it failed for `reason`; it is tried again then."""

    reason: str = ""
    message: str = ""
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Launching:
    """Being created: no second start may be asked for."""


@dataclass(frozen=True, slots=True)
class Running:
    """Its process lives. `up`: the startup probe has passed; `ready`: so has the readiness probe.

    `doomed` says why it must be stopped and restarted (a failed liveness probe or hook); `kill_at` is set once it was
    told to stop: SIGKILL comes then."""

    started_at: float
    up: bool = True
    ready: bool = True
    doomed: str = ""
    kill_at: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Its process is gone. `reason` is the kubelet's: Completed, Error, OOMKilled, StartError, …"""

    code: int
    reason: str
    finished_at: float
    started_at: float | None = None  # None: it never started
    message: str = ""


State: TypeAlias = Waiting | Launching | Running | Ended


@dataclass(slots=True)
class Fact:
    """A container so far: `restarts` counts ended attempts that were followed by another; `crashes` those in a row."""

    state: State
    last: Ended | None = None
    restarts: int = 0
    crashes: int = 0
    attempt: int = 0  # number of the newest attempt; its log and scratch carry it


@dataclass(frozen=True, slots=True)
class Ending:
    """The pod must end: why (kubelet's pod reason, empty for a deletion), since when and with how much grace."""

    since: float
    grace_s: float
    reason: str = ""
    message: str = ""


def exit_reason(code: int, *, out_of_memory: bool = False) -> str:
    """The kubelet's reason for a process that ran and ended with `code`."""
    if out_of_memory:
        return "OOMKilled"
    return "Completed" if code == 0 else "Error"
