"""Workflows with their nodes, also where a database keeps them: read with a workflow, and saved before it is written.

The database is the one that the controller's ConfigMap names, its Secrets are read as the person who asks. Whoever
needs no nodes takes the `plain` API, and no database.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

import orjson

from runtime.api import Api, ApiError, LogOptions, ObjectList, PatchType, Propagation, Selection, WatchEvent
from runtime.objects import Object, Reference, Resource
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.problems import InputError

if TYPE_CHECKING:  # SQLAlchemy is loaded when a database is opened
    from tiphys.persistence.service import Opened

VERSION: Final = "offloadNodeStatusVersion"


class NodesApi:
    """An API whose workflows have their nodes. Raises InputError, with what is missing, where they cannot be had."""

    def __init__(self, plain: Api, namespace: str) -> None:
        self.plain = plain
        self._namespace = namespace
        self._database: Opened | None = None
        self._read: dict[tuple[str, str], Any] = {}  # uid, version -> nodes

    async def get(self, ref: Reference) -> Object:
        """Read one object; a workflow with its nodes."""
        thing = await self.plain.get(ref)
        return await self.whole(thing) if ref.resource == WORKFLOWS else thing

    async def whole(self, workflow: Object) -> Object:
        """A workflow that was read otherwise, with its nodes. Inline entries override those of a version."""
        status = workflow.get("status") or {}
        if not status.get(VERSION):
            return workflow
        this = workflow["metadata"]["uid"], status[VERSION]
        if this not in self._read:
            try:
                self._read = {this: await (await self._opened(workflow)).load(*this)}
            except ApiError as e:
                raise InputError(f"{_kept(workflow)} and cannot be read: {e.message}") from e
        nodes = {**self._read[this], **(status.get("nodes") or {})}
        return {**workflow, "status": {**status, "nodes": nodes}}

    async def replace(self, resource: Resource, thing: Object, *, subresource: str = "") -> Object:
        """PUT; nodes of a workflow that a database keeps go there first."""
        if resource == WORKFLOWS:
            thing = await self._saved(thing)
        return await self.plain.replace(resource, thing, subresource=subresource)

    async def _saved(self, workflow: Object) -> Object:
        status = workflow.get("status") or {}
        if not status.get(VERSION) or status.get("nodes") is None:
            return workflow
        rest = {key: value for key, value in status.items() if key != "nodes"}
        meta = workflow["metadata"]
        if status["nodes"] != self._read.get((meta["uid"], status[VERSION])):
            try:
                nodes = await self._opened(workflow)
                saved = await nodes.save(meta["uid"], meta["namespace"], orjson.dumps(status["nodes"]))
            except ApiError as e:
                raise InputError(f"{_kept(workflow)} and cannot be written: {e.message}") from e
            rest[VERSION] = saved
        return {**workflow, "status": rest}

    async def _opened(self, workflow: Object) -> Any:
        from tiphys.cli import archive_place, config_map  # noqa: PLC0415  seldom needed
        from tiphys.cli.connect import Connection  # noqa: PLC0415
        from tiphys.persistence.service import opened  # noqa: PLC0415

        if self._database is None:
            found = await archive_place.configured(Connection(self.plain, self._namespace))
            if found is None:
                places = f"{config_map.USUAL_NAMESPACE} or {self._namespace}"
                why = f"no ConfigMap {config_map.CONFIG_MAP} in {places} that you may read names one"
                raise InputError(f"{_kept(workflow)}, and {why} under `persistence`")
            self._database = await opened(found[0], self.plain, found[1])
        return self._database.nodes

    async def close(self) -> None:
        """Give the database back."""
        if self._database is not None:
            await self._database.store.close()

    # ------------------------------------------------------------------------------------------ as it is

    async def list(self, resource: Resource, selection: Selection = Selection(), **options: Any) -> ObjectList:
        """As the plain one: many workflows come without their nodes."""
        return await self.plain.list(resource, selection, **options)

    def watch(
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """As the plain one: see `whole`."""
        return self.plain.watch(resource, selection, resource_version=resource_version, timeout_s=timeout_s)

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        """As the plain one."""
        return await self.plain.create(resource, thing, dry_run=dry_run)

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        """As the plain one."""
        return await self.plain.patch(ref, body, kind=kind, subresource=subresource, manager=manager)

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        """As the plain one."""
        await self.plain.delete(ref, grace_s=grace_s, propagation=propagation)

    def log(
        self, ref: Reference, options: LogOptions = LogOptions()
    ) -> AbstractAsyncContextManager[AsyncIterator[builtins.bytes]]:
        """As the plain one."""
        return self.plain.log(ref, options)


def _kept(workflow: Object) -> str:
    return f"the nodes of workflow {workflow['metadata']['name']} are kept in a database"


def plain(api: Api) -> Api:
    """The API without nodes from a database, for whoever needs none."""
    return api.plain if isinstance(api, NodesApi) else api


async def whole(api: Api, workflow: Object) -> Object:
    """A workflow out of a list or a watch, with its nodes. Raises InputError."""
    return await api.whole(workflow) if isinstance(api, NodesApi) else workflow
