"""One place says what a local Tiphys is made of: a dev cluster, a node that runs pods, and the controllers.

`run` and `dev` differ only in the settings. When the session ends, nothing that it started is left: no process, no
socket, and no folder but that of `data`.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import anyio

from runtime.api import Api
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.devcluster.cluster import DevCluster
    from tiphys.devcluster.node import Node

EXECUTOR_IMAGE: Final = "tiphys/executor"
"""What pods of ours name as the image of their helpers; the node runs this very package for it."""

Mode: TypeAlias = Literal["auto", "process", "plain", "simulated"]


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a local Tiphys is made of."""

    mode: Mode = "auto"
    port: int = 0  # of the HTTPS server; 0: any free one
    kubeconfig: Path | None = None  # where to write one
    data: Path | None = None  # keeps objects, artifacts and claims; None: all is forgotten at the end
    controllers: bool = True
    simulated_delay_s: float = 0.0


class Session:
    """An async context manager: inside it `api` accepts workflows and they run."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._cluster: DevCluster | None = None
        self._node: Node | None = None
        self._root = Path()

    @property
    def cluster(self) -> DevCluster:
        """The cluster; only inside the session."""
        assert self._cluster is not None
        return self._cluster

    @property
    def api(self) -> Api:
        """The cluster's API, without a socket."""
        return self.cluster.api

    @property
    def how_pods_run(self) -> str:
        """How the node runs pods, and why so: "plain (user namespaces are refused here)"."""
        assert self._node is not None
        reason = f" ({self._node.mode_reason})" if self._node.mode_reason else ""
        return f"{self._node.mode}{reason}"

    async def __aenter__(self) -> Session:
        await self._stack.__aenter__()
        try:
            await self._start()
        except BaseException as e:
            await self._stack.__aexit__(type(e), e, e.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _start(self) -> None:
        import crds  # noqa: PLC0415  this and the next: only commands that start a cluster pay for it
        from tiphys.devcluster.cluster import DevCluster, Serving, Settings  # noqa: PLC0415

        self._root = self._scratch()
        serving = Serving(port=self._settings.port, kubeconfig=self._settings.kubeconfig)
        store = self._settings.data / "cluster.sqlite" if self._settings.data else None
        settings = Settings(definitions=crds.manifests(), node_factory=self._make_node, serving=serving, store=store)
        self._cluster = DevCluster(settings)
        await self._stack.enter_async_context(self._cluster)
        if self._settings.controllers:
            await self._start_controllers(self._cluster.api)

    async def _start_controllers(self, api: Api) -> None:
        from actors.node.manifest_request import PodSettings  # noqa: PLC0415
        from runtime.system import System  # noqa: PLC0415
        from tiphys.controllers import ControllerSettings, rooms  # noqa: PLC0415
        from tiphys.devcluster.node.entrypoints import KnownEntrypoints  # noqa: PLC0415

        folder = str(self._artifacts())
        pods = PodSettings(executor_image=EXECUTOR_IMAGE, image_entrypoints=KnownEntrypoints(), repository_root=folder)
        repository = {"s3": {"endpoint": f"file://{folder}", "bucket": "artifacts"}}
        system = System(api, rooms(ControllerSettings(pods=pods, repository=repository)))
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(tasks.cancel_scope.cancel)
        await tasks.start(system.run)

    def _make_node(self, api: Api) -> Node:
        from tiphys.devcluster.node import Endpoint, Node, NodeSettings  # noqa: PLC0415

        cluster = self.cluster
        url = urlsplit(cluster.url)
        endpoint = Endpoint(url.hostname or "127.0.0.1", url.port or 443, cluster.ca_pem.decode(), cluster.token)
        settings = NodeSettings(
            root=self._root / "node",
            mode=self._settings.mode,
            executor_image=EXECUTOR_IMAGE,
            packages=("tiphys", "runtime", "actors", "crds"),
            endpoint=endpoint,
            host_paths=(self._artifacts(),),
            claims=self._settings.data / "claims" if self._settings.data else None,
            simulated_delay_s=self._settings.simulated_delay_s,
        )
        self._node = Node(api, settings)
        return self._node

    def _scratch(self) -> Path:
        """A folder for the pods; it goes when the session ends."""
        try:
            if self._settings.data is not None:
                self._settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
                return self._settings.data.resolve()
            root = Path(tempfile.mkdtemp(prefix="tiphys-")).resolve()
        except OSError as e:
            raise InputError(f"no folder for the pods: {e}; set TMPDIR or --data to one that can be written") from e
        self._stack.callback(shutil.rmtree, root, ignore_errors=True)
        return root

    def _artifacts(self) -> Path:
        folder = self._root / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
