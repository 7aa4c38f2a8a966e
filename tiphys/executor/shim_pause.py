"""A container that somebody wants to look at waits before or after its command, until a file appears."""

from __future__ import annotations

import os
import signal
import sys
import time

from actors.contract.paths import pause_folder

LOOK_S = 0.1


def open_to_pauses(directory: str, container: str) -> None:
    """Make the folder of the files that are waited for; whoever has a shell in the container may write there."""
    mask = os.umask(0)
    os.makedirs(f"{directory}/{pause_folder(container)}", exist_ok=True)  # noqa: PTH103  (see frame.py: pathlib)
    os.umask(mask)


def pause_before(directory: str, container: str) -> None:
    """Wait to begin. A signal ends the container: nothing has been done."""
    _wait_for(f"{directory}/{pause_folder(container)}/before", "before", [])


def pause_after(directory: str, container: str) -> None:
    """Wait to report. A signal ends the wait alone: there is something to report."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: stopped.append(got))
    _wait_for(f"{directory}/{pause_folder(container)}/after", "after", stopped)


def _wait_for(path: str, when: str, stopped: list[int]) -> None:
    sys.stderr.write(f"paused {when} the command: goes on when {path} exists\n")
    sys.stderr.flush()
    while not stopped and not os.access(path, os.F_OK):
        time.sleep(LOOK_S)
