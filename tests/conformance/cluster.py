"""One dev cluster that runs many examples at once, and an observer that remembers every pod it ever had.

Pods that are deleted on the way (by pod garbage collection, a deadline, a stopped daemon) are seen too: their last
state is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from actors.workflow.state import WORKFLOWS
from runtime.api import AlreadyExists, Api, Selection
from runtime.objects import (
    CLAIMS,
    CONFIGMAPS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Object,
    Reference,
    Resource,
)
from tests.conformance.web import Web
from tiphys.cli.session import SessionSettings, opened
from tiphys.configuration.databases import SQLite, Synchronization, synchronization
from tiphys.configuration.keys import Configuration
from tiphys.devcluster.node.follow import Change, follow
from tiphys.devcluster.node.launch import hostname
from tiphys.persistence.sync_limits import Limits
from tiphys.persistence.sync_service import opened as open_locks
from tiphys.persistence.sync_settings import SyncSettings
from tiphys.persistence.sync_tables import sync_tables

RESOURCES = {
    resource.kind: resource
    for resource in (
        WORKFLOWS,
        CONFIGMAPS,
        SECRETS,
        SERVICE_ACCOUNTS,
        CLAIMS,
        Resource("argoproj.io/v1alpha1", "WorkflowTemplate", "workflowtemplates"),
        Resource("argoproj.io/v1alpha1", "CronWorkflow", "cronworkflows"),
        Resource("argoproj.io/v1alpha1", "ClusterWorkflowTemplate", "clusterworkflowtemplates", namespaced=False),
    )
}
"""The kinds that examples and their companions are made of."""


@dataclass(slots=True)
class PodRecord:
    """A pod as it was last seen, and how each of its containers ended."""

    object: Object
    ends: dict[str, Object] = field(default_factory=dict)  # container -> its state.terminated
    gone: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.gone or (self.object.get("status") or {}).get("phase") in ("Succeeded", "Failed")


class Observer:
    """Remembers the newest state of every workflow and pod; whoever waits for one is woken by its changes."""

    def __init__(self) -> None:
        self.workflows: dict[tuple[str, str], Object] = {}  # (namespace, uid)
        self.deleted: set[str] = set()  # uids of workflows
        self.pods: dict[str, dict[str, PodRecord]] = {}  # namespace -> uid -> pod
        self._claims: dict[str, str] = {}  # uid -> namespace
        self._waiting: list[tuple[Callable[[], bool], anyio.Event]] = []

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return once `reached` holds; it is asked again after every change."""
        if not reached():
            event = anyio.Event()
            self._waiting.append((reached, event))
            await event.wait()

    def claims_in(self, namespace: str) -> int:
        """How many claims made by workflows are still there."""
        return list(self._claims.values()).count(namespace)

    def others(self, workflow: Object) -> dict[str, str]:
        """The phases of the namespace's other workflows, by name; empty while one has none."""
        namespace, own = workflow["metadata"]["namespace"], workflow["metadata"]["uid"]
        return {
            found["metadata"]["name"]: (found.get("status") or {}).get("phase", "")
            for (where, uid), found in self.workflows.items()
            if where == namespace and uid != own
        }

    def workflow_changed(self, change: Change) -> None:
        """Keep the workflow's newest state."""
        meta = change.object["metadata"]
        self.workflows[meta["namespace"], meta["uid"]] = change.object
        if change.deleted:
            self.deleted.add(meta["uid"])
        self._wake()

    def pod_changed(self, change: Change) -> None:
        """Keep the pod's newest state, and the end of each of its containers for good."""
        meta = change.object["metadata"]
        records = self.pods.setdefault(meta["namespace"], {})
        record = records.setdefault(meta["uid"], PodRecord(change.object))
        record.object, record.gone = change.object, change.deleted
        for status in (change.object.get("status") or {}).get("containerStatuses") or ():
            ended = (status.get("state") or {}).get("terminated")
            if ended is not None:
                record.ends[status["name"]] = ended
        self._wake()

    def claim_changed(self, change: Change) -> None:
        """Count the claims that workflows have made and that are still there."""
        meta = change.object["metadata"]
        if change.deleted:
            self._claims.pop(meta["uid"], None)
        elif meta.get("ownerReferences"):
            self._claims[meta["uid"]] = meta["namespace"]
        self._wake()

    def _wake(self) -> None:
        still: list[tuple[Callable[[], bool], anyio.Event]] = []
        for reached, event in self._waiting:
            if reached():
                event.set()
            else:
                still.append((reached, event))
        self._waiting = still


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster in which pods are processes, and the observer of its pods."""

    api: Api
    observer: Observer
    artifacts: Path  # the folder of the artifact repository
    cluster_things: dict[str, Object]  # what has no namespace, applied once: all trials of a site agree on it
    locks: SyncSettings  # the database of locks
    web: Web  # what stands in for the internet

    async def apply(self, namespace: str, thing: Object) -> Object:
        """Create an object of an example. Raises ValueError when another trial has made it differently."""
        resource = RESOURCES[thing["kind"]]
        meta = thing["metadata"]
        if "data" in thing:  # a companion may speak of the folder that is the artifact repository
            thing = {
                **thing,
                "data": {k: v.replace("ARTIFACTS", str(self.artifacts)) for k, v in thing["data"].items()},
            }
        if resource.namespaced:
            return await self.api.create(resource, {**thing, "metadata": {**meta, "namespace": namespace}})
        applied = self.cluster_things.setdefault(f"{resource.kind}/{meta['name']}", thing)
        if applied != thing:
            raise ValueError(f"{resource.kind} {meta['name']} is shared, and another trial has a different one")
        try:
            return await self.api.create(resource, thing)
        except AlreadyExists:
            return await self.api.get(Reference(resource, "", meta["name"]))

    async def limit(self, namespace: str, key: str, holders: int) -> None:
        """Say in the database of locks how many may hold a semaphore."""
        store = await open_locks(self.locks, self.api, namespace)
        try:
            await Limits(store, sync_tables(self.locks.tables)).create(f"{namespace}/{key}", holders)
        finally:
            await store.close()

    async def namespace(self, name: str) -> None:
        """Make a namespace."""
        await self.api.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """A fresh cluster in process mode with its controllers and an observer."""
    observer = Observer()
    with TemporaryDirectory(prefix="tiphys-locks-") as folder:
        async with _site(observer, Path(folder) / "locks.db") as here:
            yield here


@asynccontextmanager
async def _site(observer: Observer, file: Path) -> AsyncIterator[Site]:
    said = Synchronization(sqlite=SQLite(path=str(file)), controllerName="conformance", pollSeconds=1)
    locks = synchronization(said)
    assert locks is not None
    web = Web()
    settings = SessionSettings(mode="process", config=Configuration(synchronization=said))
    async with opened(settings) as session, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(follow, session.api, PODS, observer.pod_changed, Selection()))
        tasks.start_soon(partial(follow, session.api, CLAIMS, observer.claim_changed, Selection()))
        tasks.start_soon(partial(follow, session.api, WORKFLOWS, observer.workflow_changed, Selection()))
        async with web.serving():
            assert session.node is not None
            yield Site(session.api, observer, session.node.settings.host_paths[0], {}, locks, web)
        tasks.cancel_scope.cancel()


async def refusal() -> str:
    """Why pods cannot be processes with a root of their own on this machine; empty when they can."""
    async with opened(SessionSettings(mode="auto", controllers=False, serving=False)) as session:
        how = session.how_pods_run
    return "" if how.startswith("process") else f"examples mount things at fixed paths, and pods run {how} here"


def processes_left(observer: Observer) -> dict[str, int]:
    """Processes of this machine that still belong to a pod the observer saw: pod name to process number."""
    hosts = {
        hostname(record.object): record.object["metadata"]["name"]
        for records in observer.pods.values()
        for record in records.values()
    }
    left: dict[str, int] = {}
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = environment.read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        for variable in variables:
            name, _, value = variable.partition(b"=")
            if name == b"HOSTNAME" and value.decode(errors="replace") in hosts:
                left[hosts[value.decode()]] = int(environment.parent.name)
    return left
