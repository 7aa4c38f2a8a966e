"""`DevCluster` is a whole Kubernetes in one process: an API, its garbage collector, a node, and HTTPS when asked for.

Everything lives inside `async with`: when it ends, no task, socket or process is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.abc
import orjson

from runtime.api import Api
from runtime.objects import CRDS, Object
from tiphys.devcluster.accountsecrets import AccountSecrets
from tiphys.devcluster.exec import ExecSource
from tiphys.devcluster.gc import GarbageCollector
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.logs import LogSource
from tiphys.devcluster.rest import WriteOptions
from tiphys.devcluster.server import ApiServer

if TYPE_CHECKING:
    from tiphys.devcluster.persistence import Disk


class Node(LogSource, ExecSource, Protocol):
    """What runs the pods: a loop over the API, the holder of their logs, and who runs commands in them."""

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run pods until cancelled; calls `task_status.started()` when the node is registered."""
        ...


NodeFactory = Callable[[Api], Node]


@dataclass(frozen=True, slots=True)
class Serving:
    """How to be reached from outside the process: always loopback, TLS and a token."""

    port: int = 0  # 0: any free one
    host: str = "127.0.0.1"
    kubeconfig: Path | None = None  # where to write one (mode 0600); None: nowhere


@dataclass(frozen=True, slots=True)
class Settings:
    """What a dev cluster is made of."""

    definitions: Sequence[Object] = ()  # CustomResourceDefinition manifests
    node_factory: NodeFactory | None = None  # with one, a scheduler runs too
    serving: Serving | None = None  # None: in-process only
    store: Path | None = None  # an SQLite file that outlives the process; None: memory
    durable: bool = False  # with a store: an answered write outlives a power cut too, and takes a disk's time
    now: Callable[[], float] = field(default=time.time)
    random: Random | None = None  # None: the system's


class DevCluster:
    """An async context manager; inside it `.api` answers, and with `serving` also `.url`."""

    def __init__(self, settings: Settings = Settings()) -> None:
        self._settings = settings
        self.server = ApiServer(now=settings.now, random=settings.random)
        self.api: Api = InProcessApi(self.server)
        self.node: Node | None = None
        self.url = ""
        self.token = ""
        self.ca_pem = b""
        self.kubeconfig: Path | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> DevCluster:
        await self._stack.__aenter__()
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _start(self) -> None:
        disk = self._open_disk()
        self.server.start()
        self._define()
        tasks = anyio.create_task_group()
        await self._stack.enter_async_context(tasks)
        self._stack.callback(tasks.cancel_scope.cancel)
        if disk is not None:
            await tasks.start(disk.run)
        await tasks.start(GarbageCollector(self.server).run)
        await tasks.start(self.server.quotas.run)
        if self._settings.serving is not None:
            await self._serve(self._settings.serving)
        await tasks.start(AccountSecrets(self.server, self.ca_pem.decode()).run)  # when it is known what to trust
        if self._settings.node_factory is not None:
            from tiphys.devcluster.scheduler import Scheduler  # noqa: PLC0415 - without a node nobody needs one

            await tasks.start(Scheduler(self.api, self._settings.now).run)
            self.node = self._settings.node_factory(self.api)
            self.server.logs = self.server.commands = self.node
            await tasks.start(self.node.run)

    def _open_disk(self) -> Disk | None:
        store = self._settings.store
        if store is None:
            return None
        from tiphys.devcluster.persistence import Disk  # noqa: PLC0415 - most clusters live in memory

        return self._stack.enter_context(Disk(store, self.server, durable=self._settings.durable))

    def _define(self) -> None:
        """As if somebody had applied them with kubectl: who applies those of an installation has no conflict."""
        from tiphys.devcluster.apply import apply  # noqa: PLC0415 - only where there is something to define

        kind = self.server.catalog.of(CRDS)
        stored = self.server.rest.bucket(kind).records
        for definition in self._settings.definitions:
            copy: Object = orjson.loads(orjson.dumps(definition))
            name = copy["metadata"]["name"]
            if ("", name) not in stored or stored["", name].object.get("spec") != copy.get("spec"):
                apply(self.server.rest, kind, ("", name), copy, WriteOptions(manager="kubectl", force=True))

    async def _serve(self, serving: Serving) -> None:
        from tiphys.devcluster.credentials import load, save  # noqa: PLC0415 - cryptography is not needed in process
        from tiphys.devcluster.http import HttpsFront  # noqa: PLC0415 - aiohttp is not needed in process
        from tiphys.devcluster.kubeconfig import write_kubeconfig  # noqa: PLC0415 - likewise

        store = self._settings.store
        kept = store.with_name(f"{store.name}.credentials") if store is not None else None
        credentials = load(kept) if kept is not None else None
        front = HttpsFront(self.server, serving.host, serving.port, credentials=credentials)
        await self._stack.enter_async_context(front)
        if kept is not None:
            save(kept, front.credentials)
        self.url, self.token, self.ca_pem = front.url, front.token, front.ca_pem
        if self._settings.node_factory is not None:  # for its pods; a bare API server has none, as upstream's
            self.server.publish_root_ca(front.ca_pem.decode())
        if serving.kubeconfig is not None:
            write_kubeconfig(serving.kubeconfig, front.url, front.ca_pem, front.token)
            self.kubeconfig = serving.kubeconfig
