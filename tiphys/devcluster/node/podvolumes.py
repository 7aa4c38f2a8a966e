"""The volumes of a node's pods over their lives: made once, kept true while what they show changes, removed at the end.

Whatever runs the containers, processes or an engine, sees the same folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from runtime.api import Api
from runtime.objects import Object
from tiphys.devcluster.node.configwatch import ConfigWatch
from tiphys.devcluster.node.layout import Layout, remove_tree
from tiphys.devcluster.node.settings import NodeSettings
from tiphys.devcluster.node.volumes import Mount, Volumes

RENEWAL_S = 60.0  # between two looks for tokens that are to be renewed


class PodVolumes:
    """The volumes of all pods of one node."""

    def __init__(
        self, api: Api, settings: NodeSettings, layout: Layout, allocatable: Mapping[str, str], tasks: TaskGroup
    ) -> None:
        self._layout = layout
        self._volumes = Volumes(api, settings, layout, allocatable)
        self._shown: dict[str, tuple[Object, anyio.Lock]] = {}  # by uid: pods whose volumes show something
        self._watch = ConfigWatch(api, tasks, self._refresh)
        tasks.start_soon(self._renew_tokens)

    async def prepare(self, pod: Object) -> None:
        """Make the pod's volumes. Raises CannotPrepare."""
        meta = pod["metadata"]
        self._watch.add(meta["uid"], meta["namespace"], self._volumes.sources(pod))
        _, writing = self._shown.setdefault(meta["uid"], (pod, anyio.Lock()))
        async with writing:
            await self._volumes.prepare(pod)

    async def update(self, pod: Object) -> None:
        """Labels or annotations have changed: write the files that show them again."""
        uid = pod["metadata"]["uid"]
        if uid in self._shown:
            self._shown[uid] = pod, self._shown[uid][1]
            await self._refresh(uid)

    def mounts(self, pod: Object, container: Object, env: Mapping[str, str]) -> list[Mount]:
        """Where the container sees what. Raises CannotCreate."""
        return self._volumes.mounts(pod, container, env)

    async def clear(self, uid: str) -> None:
        """Remove the pod's volumes and scratch."""
        self._watch.remove(uid)
        self._volumes.tokens.forget(uid)
        _, writing = self._shown.pop(uid, (None, anyio.Lock()))
        async with writing:  # what is being written is removed too
            pass
        await anyio.to_thread.run_sync(remove_tree, self._layout.pod(uid))

    async def _refresh(self, uid: str) -> None:
        if uid in self._shown:
            async with self._shown[uid][1]:
                if uid in self._shown:
                    await self._volumes.refresh(self._shown[uid][0])

    async def _renew_tokens(self) -> NoReturn:
        while True:
            await anyio.sleep(RENEWAL_S)
            for uid in self._volumes.tokens.due():
                await self._refresh(uid)
