"""`artifact delete` is the main program of a collector's pod: it deletes what it is told and says what is left.

It needs no token: its instructions name the artifacts, their stores' credentials are mounted, and what could not be
deleted travels in its frame. It always ends with 0; a pod that ends otherwise did not get to its end. (AGC-3, AGC-5)
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

from actors.contract import paths
from actors.contract.documents import Content, Discard
from actors.contract.instructions import from_env
from tiphys.executor.log import Log
from tiphys.executor.redaction import redacted
from tiphys.executor.shim import hold, report, shim_directory

AT_ONCE = 8
REASON_CHARACTERS_MAX = 300  # of each failure: many have to fit


def main() -> int:
    """Run as the main container of a collector's pod; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))  # as process 1 we would ignore it
    told = from_env(os.environ)
    directory = shim_directory()
    lock = hold(f"{directory}/{paths.lock_file(told['container'])}")
    log, root = Log(), told.get("repository_root", "")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reasons = list(pool.map(lambda wanted: deleted(wanted, root), told["discard"]))
    undeleted = {str(number): reason for number, reason in enumerate(reasons) if reason}
    for number, reason in undeleted.items():
        log.say(f"artifact {number}: {reason}")
    log.say(f"{len(reasons) - len(undeleted)} of {len(reasons)} artifacts deleted")
    content: Content = {"code": 0, "undeleted": undeleted}
    report(content, told, directory)
    os.close(lock)
    return 0


def deleted(wanted: Discard, root: str) -> str:
    """Delete one artifact; why it is still there, empty when it is not."""
    from tiphys.executor import artifacts  # noqa: PLC0415  (after the lock is held)
    from tiphys.executor.transfer import repository_mount, with_retries  # noqa: PLC0415

    location, tree = wanted["location"], wanted["tree"]
    try:
        with_retries(lambda: artifacts.delete(location, tree=tree, root=root, mount=repository_mount()))
    except (artifacts.StoreError, OSError) as error:
        return redacted(str(error))[:REASON_CHARACTERS_MAX] or type(error).__name__
    return ""
