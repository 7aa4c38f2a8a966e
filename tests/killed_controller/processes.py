"""The programs of a campaign, each a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

ROOT = Path(__file__).resolve().parents[2]
START_S = 240.0  # a machine may be busy with other things
END_S = 60.0  # then it is killed


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tiphys ARGUMENTS…`, terminated at the end if nobody did it before."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tiphys.cli", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield started
    finally:
        with anyio.CancelScope(shield=True):
            if started.returncode is None:
                started.send_signal(signal.SIGTERM)
                with anyio.move_on_after(END_S):
                    await started.wait()
            if started.returncode is None:
                started.kill()
                await started.wait()


async def until_ready(started: asyncio.subprocess.Process) -> None:
    """Return once the program has said that it is."""
    assert started.stdout is not None
    with anyio.fail_after(START_S):
        line = await started.stdout.readline()
    assert line.startswith(b"ready"), line
