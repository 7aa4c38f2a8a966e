"""One place says what a local Tiphys is made of: a dev cluster, a node that runs pods, and the controllers.

`run` and `dev` differ only in the settings. When the session ends, nothing that it started is left: no process, no
socket, and no folder but that of `data`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import anyio

from runtime.api import Api
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from runtime.system import System
    from tiphys.configuration.installation import Installation
    from tiphys.configuration.keys import Configuration
    from tiphys.devcluster.cluster import DevCluster
    from tiphys.devcluster.node import Node

NAMESPACE: Final = "argo"
"""Where the ConfigMap with the configuration is looked for: upstream's namespace."""

EXECUTOR_IMAGE: Final = "tiphys"
"""What pods of ours name as the image of their helpers; the node runs this very package for it."""

Mode: TypeAlias = Literal["auto", "process", "plain", "docker", "simulated", "none"]
"""How pods run; none: without a node, for clusters that other processes join."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a local Tiphys is made of."""

    mode: Mode = "auto"
    port: int = 0  # of the HTTPS server; 0: any free one
    kubeconfig: Path | None = None  # where to write one
    data: Path | None = None  # keeps objects, artifacts and claims; None: all is forgotten at the end
    durable: bool = False  # with data: an answered write outlives a power cut too
    controllers: bool = True
    serving: bool = True  # over HTTPS too; without it pods get no token
    simulated_delay_s: float = 0.0
    config: Configuration | None = None  # of the controllers; None: as the ConfigMap says, where there is one
    archive: Path | None = None  # a SQLite file that finished workflows are archived in


class Session:
    """A local Tiphys that runs: its API accepts workflows, and they run."""

    def __init__(self, cluster: DevCluster, node: Node | None, controllers: System | None) -> None:
        self.cluster = cluster
        self.controllers = controllers
        self.node = node

    @property
    def api(self) -> Api:
        """The cluster's API, without a socket."""
        return self.cluster.api

    @property
    def how_pods_run(self) -> str:
        """How the node runs pods, and why so: "plain (user namespaces are refused here)"."""
        if self.node is None:
            return "other nodes have them: this process has none (`tiphys node` joins one)"
        reason = f" ({self.node.mode_reason})" if self.node.mode_reason else ""
        return f"{self.node.mode}{reason}"


@asynccontextmanager
async def opened(settings: SessionSettings) -> AsyncIterator[Session]:
    """Start everything; inside, a workflow that is created is run. Raises InputError when no folder can be had."""
    if settings.serving:  # its import reads this machine's certificates, while the interpreter is free for the others
        Thread(target=import_module, args=("aiohttp.web",)).start()
    import crds  # noqa: PLC0415  this and the next: only commands that start a cluster pay for it
    from tiphys.devcluster.cluster import DevCluster, Serving, Settings  # noqa: PLC0415

    with _folder(settings.data) as root:
        (root / "artifacts").mkdir(exist_ok=True)
        made: list[Node] = []

        def make_node(api: Api) -> Node:
            made.append(_node(api, cluster, settings, root))
            return made[0]

        chosen = Settings(
            definitions=crds.manifests(descriptions=settings.serving),
            node_factory=None if settings.mode == "none" else make_node,
            serving=Serving(port=settings.port, kubeconfig=settings.kubeconfig) if settings.serving else None,
            store=root / "cluster.sqlite" if settings.data else None,
            durable=settings.durable,
        )
        cluster = DevCluster(chosen)
        # nested by hand: an exit stack that is unwound by a cancellation can loop over the contexts of exceptions
        async with cluster, _built_in(cluster.api, settings), _controllers(cluster.api, settings, root) as system:
            if settings.serving and settings.mode == "none":  # for the pods of nodes that join
                cluster.server.publish_root_ca(cluster.ca_pem.decode())
            yield Session(cluster, made[0] if made else None, system)


@asynccontextmanager
async def _built_in(api: Api, settings: SessionSettings) -> AsyncIterator[None]:
    """Deployments, Jobs and their kin, where somebody may create one: not in a run whose pods never see the API."""
    if not settings.serving:
        yield
        return
    from runtime.system import Settings, System  # noqa: PLC0415
    from tiphys.devcluster.controllers import rooms  # noqa: PLC0415

    system = System(api, rooms(), settings=Settings(manager="kube-controller-manager"))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        yield
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def _controllers(api: Api, settings: SessionSettings, root: Path) -> AsyncIterator[System | None]:
    """The controllers, ready to work; None when they are not wanted."""
    if not settings.controllers:
        yield None
        return
    from actors.node.manifest_request import PodSettings  # noqa: PLC0415
    from runtime.system import Settings, System  # noqa: PLC0415
    from tiphys.cli.archive_place import settings_of_file  # noqa: PLC0415
    from tiphys.configuration.installation import Installation  # noqa: PLC0415
    from tiphys.controllers import METRICS, ControllerSettings  # noqa: PLC0415
    from tiphys.observability.tracing import wanted  # noqa: PLC0415

    folder = str(root / "artifacts")
    pods = PodSettings(
        executor_image=EXECUTOR_IMAGE,
        image_entrypoints={} if settings.mode == "docker" else _stand_ins(),
        ask_registries=settings.mode == "docker",
        repository_root=folder,
        executor_plugins=settings.serving,
    )
    repository = {"s3": {"endpoint": f"file://{folder}", "bucket": "artifacts"}}
    registry = _registry(api) if settings.mode == "docker" else None
    base = ControllerSettings(pods=pods, repository=repository, traced=wanted(os.environ), registry=registry)
    if settings.archive is not None:
        base = replace(base, persistence=settings_of_file(settings.archive))
    installation = Installation(base, os.environ, settings.config)
    installation.databases.api, installation.databases.namespace = api, NAMESPACE
    installation.registry.api = api
    for notice in installation.notices:
        print(f"warning: {notice}", file=sys.stderr)
    series = installation.settings.series
    chosen = Settings(manager="tiphys", metrics=METRICS, metrics_prefix="tiphys_", series=series)
    system = installation.system = System(api, installation.rooms, settings=chosen)
    async with installation.databases, anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        if settings.config is None and settings.serving:  # else nobody can write a ConfigMap
            tasks.start_soon(_follow, api, installation)
        yield system
        tasks.cancel_scope.cancel()


def _stand_ins() -> Mapping[str, tuple[Sequence[str], Sequence[str]]]:
    """How the images start that the node has something of its own for."""
    from tiphys.devcluster.node.entrypoints import KnownEntrypoints  # noqa: PLC0415

    return KnownEntrypoints()


def _registry(api: Api) -> Callable[[Any], Awaitable[Any]]:
    """Who knows how images start: the engine that runs them."""
    from tiphys.devcluster.node.engine.entrypoints import EngineEntrypoints  # noqa: PLC0415
    from tiphys.devcluster.node.engine.sockets import candidates  # noqa: PLC0415

    return EngineEntrypoints(api, candidates(os.environ))


async def _follow(api: Api, installation: Installation) -> None:
    """Keep in force what the ConfigMap says, once somebody writes one."""
    from runtime.clock import SystemClock  # noqa: PLC0415
    from runtime.objects import CONFIGMAPS, Reference  # noqa: PLC0415
    from tiphys.configuration.following import NAME, Follower  # noqa: PLC0415

    config_map = Reference(CONFIGMAPS, NAMESPACE, NAME)
    await Follower(api, config_map, installation.use, SystemClock(), Random()).run()  # noqa: S311  jitter, no secret


def _node(api: Api, cluster: DevCluster, settings: SessionSettings, root: Path) -> Node:
    """The node of the cluster, which serves already when it is to serve."""
    from tiphys.devcluster.node import Endpoint, Node, NodeSettings  # noqa: PLC0415
    from tiphys.devcluster.node.engine.sockets import candidates  # noqa: PLC0415

    assert settings.mode != "none"
    endpoint = None
    if cluster.url:
        url = urlsplit(cluster.url)
        endpoint = Endpoint(url.hostname or "127.0.0.1", url.port or 443, cluster.ca_pem.decode())
    chosen = NodeSettings(
        root=root / "node",
        mode=settings.mode,
        executor_image=EXECUTOR_IMAGE,
        endpoint=endpoint,
        make_accounts=True,
        host_paths=(root / "artifacts",),
        claims=root / "claims" if settings.data else None,
        engines=tuple(candidates(os.environ)) if settings.mode == "docker" else (),
        simulated_delay_s=settings.simulated_delay_s,
    )
    return Node(api, chosen)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """The folder for everything on disk: `data`, or one that goes when the session ends."""
    try:
        if data is not None:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            root = data.resolve()
        else:
            root = Path(tempfile.mkdtemp(prefix="tiphys-")).resolve()
    except OSError as e:
        raise InputError(f"no folder for the pods: {e}; set TMPDIR or --data to one that can be written") from e
    try:
        yield root
    finally:
        if data is None:
            shutil.rmtree(root, ignore_errors=True)
