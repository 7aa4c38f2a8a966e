"""`wait` saves what a pod made: it waits for the locks of main's shims, whatever ended them, then saves and reports.

A signal to the pod does not stop it: the kubelet sends one when main is to end, and then there is something to save.
"""

from __future__ import annotations

import os
import signal
import sys

from actors.contract.documents import Content, Instructions
from actors.contract.instructions import from_env
from tiphys.executor.shim import report, shim_directory, wait_for_end

FAILED = 64


def main() -> int:
    """Run as the wait container; the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = from_env(os.environ)
    directory = shim_directory()
    for name in told.get("mains", ()):
        wait_for_end(name, directory)
    content = save(told, directory)
    report(content, told, directory)
    if content.get("error"):
        sys.stderr.write(f"{content['error']}\n")
        return FAILED
    return 0


def save(told: Instructions, directory: str) -> Content:
    """Save every output and log that can be saved; the first failure becomes the error (ART-13)."""
    from tiphys.executor.transfer import TransferError, save_log, save_output  # noqa: PLC0415  (while main still runs)

    root = told.get("repository_root", "")
    content: Content = {"artifacts": []}
    jobs = [(save_output, entry, entry["name"]) for entry in told.get("outputs", ())]
    jobs += [(save_log, entry, f"{entry['name']}-logs") for entry in told.get("logs", ())]
    for work, entry, name in jobs:
        try:
            if work(entry, root, directory):
                content["artifacts"].append({"name": name, **entry["location"]})
        except TransferError as error:
            content.setdefault("error", str(error))
    return content
