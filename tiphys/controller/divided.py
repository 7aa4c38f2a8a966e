"""A process with shards: what its parts share, and what it shows of them over HTTP as one.

The parts are systems of their own (tiphys/controller/shards.py). They share the connection, the configuration, the
database and the garbage collection; each has actors, caches and metrics of its own, which are shown with its number.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.abc

from runtime.actor import Room
from runtime.api import Api
from runtime.clock import SystemClock
from runtime.collection import Collection
from runtime.election import Election
from runtime.recorder import Recorder
from runtime.system import Settings, System
from tiphys.configuration.installation import Installation
from tiphys.controller.health import document, named
from tiphys.controller.leading import rooms_of
from tiphys.controller.misplaced import Misplaced
from tiphys.controller.recordings import recorder
from tiphys.controller.sharding import Sharding, division
from tiphys.controller.shards import Shards
from tiphys.observability.gauges import exposition
from tiphys.observability.merged import merged
from tiphys.observability.probe import Probe


@dataclass(frozen=True, slots=True)
class Common:
    """What the systems of one process have in common."""

    api: Api
    installation: Installation
    settings: Settings  # but for what each has of its own
    record: int = 0  # entries of each one's flight recorder


class Divided:
    """The shards of this process, and `process`: a system without rooms, whose metrics are the process's own."""

    def __init__(self, common: Common, sharding: Sharding, process: System) -> None:
        self._common = common
        self._process = process
        self._rooms: dict[int, list[Room]] = {}
        self._misplaced = Misplaced(common.api)
        self.shards = Shards(common.api, sharding, self._make, SystemClock(), beside=self._beside)
        common.installation.beside = self._running

    def _make(self, number: int, election: Election) -> System:
        common, sharding = self._common, self.shards.sharding
        own = common.installation.more_rooms(f"shard-{number}-of-{sharding.groups}")
        running = self._rooms[number] = rooms_of(sharding.parts, own)
        plugins = common.installation.settings.plugin_namespace
        settings = replace(
            common.settings,
            election=election,
            division=division(number, sharding.groups, plugins, self._misplaced.add),
            recorder=recorder(common.record, common.installation.settings),
            series=common.installation.settings.series,
        )
        return System(common.api, running, settings=settings)

    def _running(self) -> Iterable[tuple[Sequence[Room], System]]:
        return [(self._rooms[number], system) for number, system in self.shards.systems.items()]

    async def _beside(self, system: System) -> None:
        """What runs with each system."""
        await Probe(system, SystemClock()).run()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Take part until cancelled; started when we have what is ours, or know who has."""
        async with self._helped(), anyio.create_task_group() as tasks:
            await tasks.start(self.shards.run)
            gc.collect()
            gc.freeze()
            task_status.started()

    @asynccontextmanager
    async def _helped(self) -> AsyncIterator[None]:
        """With what all systems need, as long as one of them runs."""
        collection = Collection(lambda: all(system.is_quiet() for system in self.shards.systems.values()))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collection.run)
            tasks.start_soon(self._misplaced.run)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    # ------------------------------------------------------------------------------------------ over HTTP

    def exposition(self, now: float) -> bytes:
        """The process's own metrics, and those of each shard with its number."""
        parts = {number: exposition(system, now) for number, system in self.shards.systems.items()}
        return merged(exposition(self._process, now), parts)

    def not_alive(self) -> list[str]:
        """Why the process should be restarted."""
        return self.shards.not_alive()

    def not_ready(self) -> list[str]:
        """Why nothing should be expected of it at this moment."""
        return self.shards.not_ready()

    def document(self, room: str) -> dict[str, Any]:
        """Who holds which shard, and of ours all that one system says."""
        systems = sorted(self.shards.systems.items())
        standing = [named(election.statistics()) for election in self.shards.standing]
        return {
            "division": {"identity": self.shards.sharding.identity, **named(self.shards.statistics())},
            "standing": standing,
            "shards": [{"shard": number, **document(system, room)} for number, system in systems],
        }

    def recorder(self, shard: str) -> Recorder | None:
        """The flight recorder of that shard; of the only one when none is named."""
        systems = self.shards.systems
        number = int(shard) if shard.isdecimal() else next(iter(systems), -1) if len(systems) == 1 else -1
        return systems[number].recorder if number in systems else None
