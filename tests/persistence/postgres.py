"""A PostgreSQL server of the machine's own, in a folder that goes with it; None where there is none to be had."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "tiphys", "a-secret-of-the-tests"


def program(name: str) -> str | None:
    """One of PostgreSQL's programs, also where Debian hides them."""
    found = shutil.which(name)
    hidden = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found or (str(hidden[-1]) if hidden else None)


@contextmanager
def server() -> Iterator[int | None]:
    """A running server's port on loopback; its superuser is USER."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None or not _has_a_name():
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="tiphys-pg-"))
    try:
        try:
            words, whom = _somebody(folder)
        except OSError:  # a root that may become nobody else
            yield None
            return
        (folder / "password").write_text(PASSWORD)
        made = ["-D", str(folder / "data"), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(folder / "password")]
        subprocess.run([initdb, *made, "-N", "-E", "UTF8", "--locale", "C"], check=True, capture_output=True, **whom)
        with _running([postgres, "-D", str(folder / "data"), "-k", str(folder), *words], whom) as port:
            yield port
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_a_name() -> bool:
    """initdb refuses to work for a user whom the system does not know."""
    return os.geteuid() in {entry.pw_uid for entry in pwd.getpwall()}


def _somebody(folder: Path) -> tuple[list[str], dict[str, object]]:
    """PostgreSQL does not run as root: then as the user that the package made, or as nobody."""
    settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40"]
    if os.geteuid() != 0:
        return settings, {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return settings, {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def _running(words: Sequence[str], whom: dict[str, object]) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*words, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **whom
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "ready to accept connections" in line:
                break
        yield port
    finally:
        process.terminate()
        process.communicate()
