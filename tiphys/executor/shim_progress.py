"""How far the command is, as it says itself in a file of the shared volume."""

from __future__ import annotations

import os
import signal
import time

from actors.contract.paths import PROGRESS_FILE
from actors.contract.progress import TAIL_BYTES, last_progress


def progress_in(directory: str) -> str:
    """What the file says last; empty when it says nothing or is not there."""
    try:
        file = os.open(f"{directory}/{PROGRESS_FILE}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        return last_progress(os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES)))
    finally:
        os.close(file)


def tell(directory: str, every_s: float) -> int:
    """Print one line for each change, until a signal comes: its log is read by the controller, which has no other way
    to see into a pod that runs."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    told = ""
    while True:
        now = progress_in(directory)
        if now and now != told:
            os.write(1, f"{now}\n".encode())
            told = now
        time.sleep(every_s)
