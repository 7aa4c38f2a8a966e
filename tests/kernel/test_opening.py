"""Who comes to lead decides on what there is at that moment, however far its caches had lagged behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from runtime.actor import Room, Watch
from runtime.api import Gone, Unavailable, WatchEvent
from runtime.election import Election
from runtime.messages import Observed
from runtime.objects import CONFIGMAPS, LEASES, Reference, Resource
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.kernel.kernel import Scripted
from tests.kernel.test_election import REF, own, server
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]

THING = Reference(CONFIGMAPS, "default", "x")
UNSERVED = Resource("example.com/v1", "Fleece", "fleeces")


class Deaf(Coat):
    """A server whose streams stay open and say nothing."""

    def watch(self, resource: Any, *args: Any, **options: Any) -> Any:
        self.calls.append(("watch", resource.plural))

        @asynccontextmanager
        async def silence() -> AsyncIterator[AsyncIterator[WatchEvent]]:
            yield nothing()

        async def nothing() -> AsyncIterator[WatchEvent]:
            await anyio.sleep(float("inf"))
            yield WatchEvent("BOOKMARK", {})

        return silence()


class Process:
    """A controller of ConfigMaps that notes what each of its actors is told."""

    def __init__(self, coat: Coat, who: str) -> None:
        self.coat, self.told = coat, []
        room = Room("a", Scripted(self._receive), (Watch(CONFIGMAPS, own, wakes=True), Watch(UNSERVED, own)))
        self.election = Election(coat, REF, who, VirtualClock())
        settings = Settings("default", election=self.election)
        self.system = System(coat, [room], settings=settings, clock=VirtualClock(), dice=Random(1))

    def _receive(self, state: Any, message: Any, now: float) -> tuple[()]:
        del state, now
        if isinstance(message, Observed) and message.ref.name == THING.name:
            self.told.append(message.object["data"]["is"])
        return ()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It stands for election, and works while it leads."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self.system.run)
            yield
            tasks.cancel_scope.cancel()

    def lists(self) -> int:
        """How often it has listed what there is."""
        return self.coat.calls.count(("list", CONFIGMAPS.plural))


async def write(api: InProcessApi, value: str) -> None:
    if value == "1":
        await api.create(CONFIGMAPS, {"metadata": {"name": "x", "namespace": "default"}, "data": {"is": value}})
    else:
        await api.patch(THING, {"data": {"is": value}})


async def held_by(api: InProcessApi, who: str) -> None:
    """Somebody has, or nobody has, the lease."""
    try:
        lease = await api.get(REF)
    except Gone:
        meta = {"name": REF.name, "namespace": REF.namespace}
        await api.create(LEASES, {"metadata": meta, "spec": {"holderIdentity": who, "leaseDurationSeconds": 3600}})
        return
    lease["spec"] |= {"holderIdentity": who, "leaseDurationSeconds": 3600}
    await api.replace(LEASES, lease)


async def test_a_standby_whose_stream_is_silent_decides_on_what_the_former_leader_has_left():
    api = server()
    await write(api, "1")
    await held_by(api, "other")
    standby = Process(Deaf(api, delay_s=0.01), "me")
    async with standby.running():
        await anyio.sleep(3)
        await write(api, "2")
        await held_by(api, "")
        await anyio.sleep(1)
        assert (standby.system.ready, standby.told) == (True, ["2"])


async def test_what_went_while_it_stood_by_is_not_there_when_it_leads():
    api = server()
    await write(api, "1")
    await held_by(api, "other")
    standby = Process(Deaf(api, delay_s=0.01), "me")
    async with standby.running():
        await api.delete(THING)
        await held_by(api, "")
        await anyio.sleep(2)
        assert standby.system.ready
        assert (standby.told, standby.system.addresses("a")) == ([], [])


async def test_a_kind_that_the_server_does_not_serve_holds_nobody_up():
    api = server()
    await held_by(api, "other")
    standby = Process(Coat(api, delay_s=0.01), "me")
    async with standby.running():
        await anyio.sleep(600)  # by now such a kind is looked for seldom
        await held_by(api, "")
        await anyio.sleep(2.5)
        assert standby.system.ready


async def test_who_finds_the_lease_free_at_its_start_lists_once():
    api = server()
    await write(api, "1")
    alone = Process(Coat(api, delay_s=0.01), "me")
    async with alone.running():
        assert (alone.system.ready, alone.lists(), alone.told) == (True, 1, ["1"])


async def test_who_cannot_list_at_the_moment_waits_with_its_decisions_until_it_can():
    api = server()
    await write(api, "1")
    await held_by(api, "other")
    standby = Process(Deaf(api, delay_s=0.01), "me")
    async with standby.running():
        standby.coat.fault = lambda verb, subject: Unavailable("away") if verb == "list" else None
        await write(api, "2")
        await held_by(api, "")
        await anyio.sleep(20)
        assert (standby.election.held, standby.system.ready, standby.told) == (True, False, [])
        standby.coat.fault = lambda verb, subject: None
        await anyio.sleep(40)
        assert (standby.system.ready, standby.told) == (True, ["2"])


async def test_a_lease_that_is_lost_before_the_caches_are_renewed_was_no_reign():
    api = server()
    await write(api, "1")
    await held_by(api, "other")
    standby = Process(Deaf(api, delay_s=0.01), "me")
    async with standby.running():
        standby.coat.fault = lambda verb, subject: Unavailable("away") if verb == "list" else None
        await held_by(api, "")
        await anyio.sleep(5)
        await held_by(api, "other")
        await anyio.sleep(5)
        standby.coat.fault = lambda verb, subject: None
        await anyio.sleep(40)
        assert (standby.system.ready, standby.told) == (False, [])
        await write(api, "3")
        await held_by(api, "")
        await anyio.sleep(2)
        assert (standby.system.ready, standby.told) == (True, ["3"])
