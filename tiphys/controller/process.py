"""`tiphys controller`: credentials, rooms, HTTP, until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

import anyio
import anyio.abc

from actors.node.manifest_request import PodSettings
from runtime.client import HttpApi
from runtime.clock import SystemClock
from runtime.credentials import POD_FOLDER
from runtime.objects import CONFIGMAPS, Reference
from runtime.system import Settings, System
from tiphys.configuration.following import NAME, Follower, at_start
from tiphys.configuration.installation import Installation
from tiphys.configuration.keys import Configuration
from tiphys.controller.divided import Common, Divided
from tiphys.controller.health import answering
from tiphys.controller.leading import PARTS, Candidacy, Part, offices, rooms_of
from tiphys.controller.recordings import recorder
from tiphys.controller.shapes import shapes
from tiphys.controller.sharding import problems, sharding
from tiphys.controllers import METRICS, ControllerSettings
from tiphys.observability.probe import Probe
from tiphys.observability.requests import Counted
from tiphys.observability.tracing import wanted


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What the command line of `controller` said."""

    kubeconfig: str = ""  # empty: the pod's own credentials where there are any, else the usual kubeconfig
    context: str = ""
    namespace: str = ""  # empty: all, unless it is `namespaced`
    namespaced: bool = False  # only the namespace of the credentials
    host: str = "0.0.0.0"  # noqa: S104  inside a pod the kubelet and Prometheus come from outside
    port: int = 9090
    executor_image: str = "tiphys"
    repository: dict[str, Any] | None = None
    parts: tuple[Part, ...] = PARTS  # what it runs; all of it, or the one beside somebody else's other
    candidacy: Candidacy = field(default_factory=Candidacy)
    executor_plugins: bool = False  # those that ConfigMaps define are offered to workflows that bring none
    record: int = 0  # entries that the flight recorder keeps; 0: nothing is recorded
    entrypoints: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    config: Configuration | None = None  # instead of a ConfigMap
    config_map: str = NAME  # in the namespace of the credentials
    shards: int = 0  # all namespaces are divided into so many, among all processes that say so; 0: nothing is divided


def connect(settings: ProcessSettings) -> HttpApi:
    """The API as these settings mean it. Raises runtime.credentials.BadKubeconfig."""
    if not settings.kubeconfig and not settings.context and (POD_FOLDER / "token").exists():
        return HttpApi.in_cluster()
    return HttpApi.from_kubeconfig(settings.kubeconfig or None, settings.context or None)


def _warn(installation: Installation) -> None:
    for notice in installation.notices:
        print(f"warning: {notice}", file=sys.stderr)


def _claim(host: str, port: int) -> None:
    """Raises OSError for an address that cannot be had, before anybody is asked for anything."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host.strip("[]"), port))


async def control(settings: ProcessSettings) -> None:
    """Run the controllers until SIGINT or SIGTERM: writes in flight are finished, then the leases are given back.

    Raises BadConfiguration."""
    _claim(settings.host, settings.port)
    async with connect(settings) as api:
        api.shapes = shapes()
        namespace = settings.namespace or (api.namespace if settings.namespaced else "")
        base = ControllerSettings(
            pods=_pods(settings), repository=settings.repository, instance_id=settings.candidacy.instance_id,
            whole_cluster=not namespace, namespace=namespace, plugin_namespace=api.namespace, traced=wanted(os.environ),
            sharded=settings.shards > 0,
        )  # fmt: skip
        config_map = Reference(CONFIGMAPS, api.namespace, settings.config_map)
        read = await at_start(api, config_map) if settings.config is None else settings.config
        installation = Installation(base, os.environ, read)
        installation.databases.api, installation.databases.namespace = api, api.namespace
        installation.registry.api = api
        installation.problems_with = partial(_undivided, settings)
        installation.check(installation.settings)
        what = _built(settings, api, installation, namespace)
        _warn(installation)
        async with installation.databases, anyio.create_task_group() as tasks:
            await tasks.start(_heed, tasks.cancel_scope)
            if settings.config is None:
                tasks.start_soon(Follower(api, config_map, installation.use, SystemClock(), Random()).run)  # noqa: S311
            if isinstance(what, System):
                tasks.start_soon(Probe(what, SystemClock()).run)
            async with answering(what, settings.host, settings.port) as url:
                print(f"controlling {api.url}", file=sys.stderr)
                print(f"metrics and health on {url}", file=sys.stderr, flush=True)
                await what.run(task_status=_Told(what))


def _built(settings: ProcessSettings, api: HttpApi, installation: Installation, namespace: str) -> System | Divided:
    """What runs: one system of everything, or as many as there are shards that are ours."""
    decided, counted = installation.settings, Counted(api)
    candidacy = replace(settings.candidacy, instance_id=decided.instance_id)
    chosen = Settings(
        namespace=namespace or None, manager="tiphys", metrics=METRICS, series=decided.series, metrics_prefix="tiphys_"
    )  # fmt: skip
    if settings.shards:
        share = sharding(settings.shards, candidacy, api.namespace, settings.parts)
        process = System(counted, (), settings=chosen)
        process.series.sources.append(counted.put_into)
        return Divided(Common(counted, installation, chosen, settings.record), share, process)
    running = rooms_of(settings.parts, installation.rooms)
    chosen = replace(
        chosen,
        collect=True,
        offices=offices(api, candidacy, api.namespace, SystemClock(), running),
        recorder=recorder(settings.record, decided),
    )
    system = installation.system = System(counted, running, settings=chosen)
    system.series.sources.append(counted.put_into)
    return system


def _undivided(settings: ProcessSettings, decided: ControllerSettings) -> list[str]:
    """What of these settings cannot be kept by one process among several."""
    return problems(decided) if settings.shards else []


def _pods(settings: ProcessSettings) -> PodSettings:
    return PodSettings(
        executor_image=settings.executor_image,
        image_entrypoints=settings.entrypoints,
        ask_registries=True,
        executor_plugins=settings.executor_plugins,
    )


class _Told(anyio.abc.TaskStatus[None]):
    """Says `ready` when all caches are filled, and on standard error who leads when it is somebody else."""

    def __init__(self, what: System | Divided) -> None:
        self._elections = what.elections if isinstance(what, System) else what.shards.standing

    def started(self, value: None = None) -> None:
        del value
        for election in self._elections:
            if not election.held:
                who = election.holder or "nobody"
                print(f"standing by: {who} leads ({election.name})", file=sys.stderr, flush=True)
        print("ready", flush=True)


async def _heed(scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        task_status.started()
        async for _ in received:
            scope.cancel()
            return
