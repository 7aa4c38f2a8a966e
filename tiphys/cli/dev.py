"""`tiphys dev`: a local cluster that serves until it is told to stop; says `ready <url>` when it really is.

Ready means that a Workflow posted at that moment is accepted and runs: the controllers have filled their caches and the
node is registered before the line is printed.
"""

from __future__ import annotations

import errno
import gc
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from tiphys.cli.places import dev_kubeconfig
from tiphys.cli.problems import EXIT_SUCCEEDED, InputError
from tiphys.cli.session import SessionSettings, opened

if TYPE_CHECKING:
    from runtime.system import System

COLLECT_AFTER = 50_000
"""Allocations between collections of garbage: a cluster's objects live long, and each full look at them is a pause."""


@dataclass(frozen=True, slots=True)
class DevSettings:
    """What the command line of `dev` said."""

    session: SessionSettings
    kubeconfig: Path | None = None  # None: the well-known place


def dev(settings: DevSettings) -> int:
    """Serve until SIGINT or SIGTERM. Raises InputError when the port is taken or a folder cannot be written."""
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    path = settings.kubeconfig or dev_kubeconfig()
    if settings.session.port:
        _claim(settings.session.port)
    session = replace(settings.session, kubeconfig=path)
    try:
        anyio.run(_serve, session, path, backend_options={"use_uvloop": sys.platform != "win32"})
    except* OSError as group:
        raise _explained(group, settings.session.port) from group
    return EXIT_SUCCEEDED


async def _serve(settings: SessionSettings, path: Path) -> None:
    asked = anyio.Event()
    async with anyio.create_task_group() as tasks:
        await tasks.start(_heed, asked, tasks.cancel_scope)
        async with opened(settings) as session, _door(session.controllers, path):
            print(f"kubeconfig {path}", file=sys.stderr)
            print(f"pods run as {session.how_pods_run}", file=sys.stderr)
            print("yours alone: loopback, TLS and a token; Ctrl-C ends it and all it runs", file=sys.stderr)
            print(f"ready {session.cluster.url}", flush=True)
            await asked.wait()
        tasks.cancel_scope.cancel()


async def _heed(asked: anyio.Event, scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """The first SIGINT or SIGTERM asks for an end in order, the second one cancels whatever that waits for."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        task_status.started()
        async for _ in received:
            if asked.is_set():
                scope.cancel()
            asked.set()


@asynccontextmanager
async def _door(controllers: System | None, path: Path) -> AsyncIterator[None]:
    """Answer for the controllers on loopback, while the kubeconfig and the note of where that is are there."""
    with _ours(path):
        if controllers is None:
            yield
            return
        from tiphys.cli.controller_door import Door, note  # noqa: PLC0415
        from tiphys.controller.health import answering  # noqa: PLC0415

        token = secrets.token_urlsafe(24)
        async with answering(controllers, "127.0.0.1", 0, token) as url:
            with _ours(note(path, Door(url, token))):
                print(f"controllers {url}  (tiphys actors)", file=sys.stderr)
                yield


@contextmanager
def _ours(path: Path) -> Iterator[None]:
    """Take that file away again at the end, unless a later `dev` has put its own there."""
    written = path.read_bytes()
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_bytes() == written:
                path.unlink()


def _claim(port: int) -> None:
    """Raises InputError at once, before anything is started, when the port is taken."""
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as e:
            raise _port_problem(port, e) from e


def _port_problem(port: int, error: BaseException) -> InputError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return InputError(f"port {port} is in use: choose another with --port, or --port 0 for any free one")
    return InputError(f"port {port} cannot be used: {os.strerror(getattr(error, 'errno', 0) or errno.EINVAL)}")


def _explained(group: BaseExceptionGroup[OSError], port: int) -> InputError:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, OSError) and first.errno == errno.EADDRINUSE:
        return _port_problem(port, first)
    return InputError(f"the dev cluster could not go on: {first}")
