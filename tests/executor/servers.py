"""Stores as other people wrote them, started for the tests; None when this machine cannot start one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 90.0  # the first start may have to load the server's packages


@contextmanager
def s3_server() -> Iterator[str | None]:
    """An S3 server in an environment of its own: its pins and ours do not mix. Yields `host:port`."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    words = [uv, "run", "--quiet", "--no-project", "--with", "moto[s3]", "--with", "flask", "--with", "flask-cors"]
    with _server([*words, "python", "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"]) as address:
        yield address


@contextmanager
def azure_server(folder: Path) -> Iterator[str | None]:
    """Azurite, the machine's own or one that npm brings. Yields `host:port`."""
    program, npx = shutil.which("azurite-blob"), shutil.which("npx")
    words = [program] if program else [npx or "npx", "--yes", "--package", "azurite", "azurite-blob"]
    words += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with _server([*words, "--location", str(folder), "--blobPort", "{port}"]) as address:
        yield address


@contextmanager
def _server(words: Sequence[str]) -> Iterator[str | None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.replace("{port}", str(port)) for word in words]
    if not os.access(command[0], os.X_OK):
        yield None
        return
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield f"127.0.0.1:{port}" if _answers(f"http://127.0.0.1:{port}/", process) else None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.wait()


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            continue
    return False
