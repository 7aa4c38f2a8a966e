"""A node, and a scheduler when asked for, on a cluster that is somebody else's; nothing is left of it at its end."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.abc

from runtime.api import Gone
from runtime.objects import CONFIGMAPS, Reference
from tiphys.cli.connect import Connection, Target, connected

if TYPE_CHECKING:
    from tiphys.devcluster.node import Endpoint


class NodeWish(NamedTuple):
    """What the command line of `node` said."""

    mode: Literal["auto", "process", "plain", "docker", "simulated"]
    name: str
    delay_s: float
    scheduler: bool
    image: str  # which is this program; others are pulled in mode "docker" alone


async def join(target: Target, wish: NodeWish) -> None:
    """Be a node until SIGINT or SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="tiphys-node-") as folder:
        async with connected(target) as at, anyio.create_task_group() as tasks:
            await tasks.start(_heed, tasks.cancel_scope)
            await _start(tasks, at, wish, Path(folder))
            print(f"ready {wish.name}", flush=True)
            await anyio.sleep_forever()


async def _start(tasks: anyio.abc.TaskGroup, at: Connection, wish: NodeWish, folder: Path) -> None:
    from tiphys.devcluster.node import Node, NodeSettings  # noqa: PLC0415
    from tiphys.devcluster.node.engine.sockets import candidates  # noqa: PLC0415
    from tiphys.devcluster.node.node import HEARTBEAT_S  # noqa: PLC0415
    from tiphys.devcluster.scheduler import Scheduler  # noqa: PLC0415

    settings = NodeSettings(
        root=folder,
        name=wish.name,
        mode=wish.mode,
        executor_image=wish.image,
        endpoint=None if wish.mode == "simulated" else await _endpoint(at),
        engines=tuple(candidates(os.environ)) if wish.mode == "docker" else (),
        simulated_delay_s=wish.delay_s,
        heartbeat_s=HEARTBEAT_S,  # the cluster takes a node without it for lost
    )
    await tasks.start(Node(at.api, settings).run)
    if wish.scheduler:
        await tasks.start(Scheduler(at.api, time.time).run)


async def _endpoint(at: Connection) -> Endpoint | None:
    """The API server where we reach it ourselves: pods are processes of this machine."""
    from tiphys.devcluster.node import Endpoint  # noqa: PLC0415  the node is a slow import

    if not at.url:
        return None
    url = urlsplit(at.url)
    try:
        shown = await at.api.get(Reference(CONFIGMAPS, "default", "kube-root-ca.crt"))
    except Gone:
        shown = {}
    return Endpoint(url.hostname or "127.0.0.1", url.port or 443, (shown.get("data") or {}).get("ca.crt", ""))


async def _heed(scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        task_status.started()
        async for _ in received:
            scope.cancel()
