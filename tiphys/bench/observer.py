"""The one observer: it submits and watches, through the API alone, and never asks a controller anything."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import anyio

from runtime.api import Api, ApiError, Selection, Throttled
from runtime.objects import PODS, Object, Resource
from tiphys.bench.observation import Observation
from tiphys.bench.workloads import WORKFLOWS

SUBMITTERS = 16
LIMIT_S = 1800.0


class Stuck(Exception):
    """What was waited for did not come; the text says how far it got."""


class Observer:
    """Submits workflows into one namespace, or into several by turns, and records what the API shows of them."""

    def __init__(
        self, api: Api, namespaces: str | Sequence[str], progress: Callable[[int], None] = lambda _: None
    ) -> None:
        all_of_them = (namespaces,) if isinstance(namespaces, str) else tuple(namespaces)
        self.seen = Observation()
        self.namespace = all_of_them[0]
        self._namespaces = frozenset(all_of_them)
        self._turns = cycle(all_of_them)
        self._selection = Selection(self.namespace if len(all_of_them) == 1 else None)
        self.on_finished: Callable[[], None] = _nothing
        self._api = api
        self._progress = progress
        self._changed = anyio.Event()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch workflows and pods of the namespaces while inside; what was there before is not recorded."""
        async with anyio.create_task_group() as tasks:
            for resource, record in ((WORKFLOWS, self.seen.workflow), (PODS, self.seen.pod)):
                version = (await self._api.list(resource, self._selection, limit=1)).resource_version
                tasks.start_soon(self._follow, resource, version, record)
            yield
            tasks.cancel_scope.cancel()

    async def submit(self, workflows: Sequence[Object]) -> None:
        """Create all, several at a time."""
        waiting = iter(workflows)

        async def one_after_the_other() -> None:
            for workflow in waiting:
                await self.create(workflow)

        async with anyio.create_task_group() as tasks:
            for _ in range(SUBMITTERS):
                tasks.start_soon(one_after_the_other)

    async def create(self, workflow: Object) -> None:
        """Create one, when the server lets us. Raises ApiError for one that it refuses."""
        thing = {**workflow, "metadata": {**workflow["metadata"], "namespace": next(self._turns)}}
        while True:
            try:
                made = await self._api.create(WORKFLOWS, thing)
            except Throttled as refusal:
                await anyio.sleep(refusal.after_s)
            else:
                self.seen.submitted(made, time.monotonic())
                return

    async def until(self, done: Callable[[Observation], bool], limit_s: float = LIMIT_S) -> None:
        """Wait until what was seen satisfies `done`. Raises Stuck."""
        with anyio.move_on_after(limit_s):
            while not done(self.seen):
                await self._changed.wait()
            return
        total, ended = len(self.seen.workflows), self.seen.finished
        raise Stuck(
            f"after {limit_s:.0f} s {ended} of {total} workflows had ended, {len(self.seen.pods)} pods were seen"
        )

    async def _follow(self, resource: Resource, version: str, record: Callable[[Object, float], None]) -> None:
        while True:
            try:
                async with self._api.watch(resource, self._selection, resource_version=version) as events:
                    async for event in events:
                        meta = event.object["metadata"]
                        version = meta["resourceVersion"]
                        if event.type != "BOOKMARK" and meta.get("namespace") in self._namespaces:
                            ended = self.seen.finished
                            record(event.object, time.monotonic())
                            self._tell(ended)
            except ApiError:
                await anyio.sleep(0.2)  # the stream ended: go on where it was

    def _tell(self, ended_before: int) -> None:
        if self.seen.finished != ended_before:
            self._progress(self.seen.finished)
            self.on_finished()
        self._changed.set()
        self._changed = anyio.Event()


def _nothing() -> None:
    """Nobody asked to be told."""
