"""`tiphys controller`: credentials, rooms, HTTP, until it is told to stop."""

from __future__ import annotations

import gc
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc

from actors.node.manifest_request import PodSettings
from runtime.client import HttpApi
from runtime.credentials import POD_FOLDER
from runtime.system import Settings, System
from tiphys.controller.health import answering
from tiphys.controllers import METRICS, ControllerSettings, rooms

COLLECT_AFTER = 50_000  # allocations between collections: most of what is made lives as long as its workflow


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What the command line of `controller` said."""

    kubeconfig: str = ""  # empty: the pod's own credentials where there are any, else the usual kubeconfig
    context: str = ""
    namespace: str = ""  # empty: all
    host: str = "0.0.0.0"  # noqa: S104  inside a pod the kubelet and Prometheus come from outside
    port: int = 9090
    executor_image: str = "tiphys-executor"
    repository: dict[str, Any] | None = None
    entrypoints: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)


def connect(settings: ProcessSettings) -> HttpApi:
    """The API as these settings mean it. Raises runtime.credentials.BadKubeconfig."""
    if not settings.kubeconfig and not settings.context and (POD_FOLDER / "token").exists():
        return HttpApi.in_cluster()
    return HttpApi.from_kubeconfig(settings.kubeconfig or None, settings.context or None)


async def control(settings: ProcessSettings) -> None:
    """Run the controllers until SIGINT or SIGTERM; in-flight writes are finished first."""
    pods = PodSettings(executor_image=settings.executor_image, image_entrypoints=settings.entrypoints)
    made = rooms(ControllerSettings(pods=pods, repository=settings.repository))
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    async with connect(settings) as api:
        chosen = Settings(
            namespace=settings.namespace or None,
            manager="tiphys",
            metrics=METRICS,
            metrics_prefix="tiphys_",
            freeze=True,
        )
        system = System(api, made, settings=chosen)
        async with anyio.create_task_group() as tasks:
            await tasks.start(_heed, tasks.cancel_scope)
            async with answering(system, settings.host, settings.port) as url:
                print(f"controlling {api.url}", file=sys.stderr)
                print(f"metrics and health on {url}", file=sys.stderr, flush=True)
                await system.run(task_status=_Told())


class _Told(anyio.abc.TaskStatus[None]):
    """Says `ready` when all caches are filled."""

    def started(self, value: None = None) -> None:
        del value
        print("ready", flush=True)


async def _heed(scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        task_status.started()
        async for _ in received:
            scope.cancel()
            return
