"""The whole kernel over the in-process API: birth from the cache, writing, failing, stopping."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from runtime.actor import Room, Watch
from runtime.api import Unavailable
from runtime.messages import (
    Address,
    Create,
    Delete,
    Done,
    Down,
    Failed,
    Gone,
    Measure,
    Observed,
    Patch,
    Spawn,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
)
from runtime.metrics import Metric
from runtime.objects import CONFIGMAPS, SECRETS, Reference, Resource, reference
from runtime.restarts import Budget
from runtime.supervisor import Escalated
from runtime.system import OUTSIDE, Settings, System
from tests.kernel.coat import Coat
from tests.kernel.kernel import Scripted
from tests.kernel.objects import configmap
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]


def own(thing: dict) -> Address:
    meta = thing["metadata"]
    return Address("a", meta["namespace"], meta["name"], meta["uid"])


def by_label(room: str) -> Any:
    def route(thing: dict) -> Address | None:
        name = thing["metadata"].get("labels", {}).get("for")
        return Address(room, "default", name, "") if name else None

    return route


OWN = Watch(CONFIGMAPS, own, wakes=True)


class World:
    """A server and a way to run systems on it."""

    def __init__(self) -> None:
        self.server = ApiServer(now=VirtualClock().wall)
        self.server.start()
        self.direct = InProcessApi(self.server)
        self.api = Coat(self.direct, delay_s=0.01)

    def system(self, *rooms: Room, **options: Any) -> System:
        settings = options.pop("settings", Settings("default"))
        return System(self.api, rooms, settings=settings, clock=VirtualClock(), dice=Random(5), **options)

    @asynccontextmanager
    async def running(self, *rooms: Room, **options: Any) -> AsyncIterator[System]:
        system = self.system(*rooms, **options)
        async with anyio.create_task_group() as tasks:
            await tasks.start(system.run)
            yield system
            tasks.cancel_scope.cancel()
        assert system.stopped_cleanly

    async def make(self, name: str, **content: str) -> dict:
        return await self.direct.create(CONFIGMAPS, configmap(name, **content))


def state(system: System, name: str) -> list[Any]:
    (address,) = (address for address in system.addresses("a") if address.name == name)
    return system._parts.registry.actors[address].state


async def test_started_means_synced_and_every_object_has_its_actor():
    world = World()
    for number in range(200):
        await world.make(f"c{number}")
    async with world.running(Room("a", Scripted(), (OWN,))) as system:
        assert system.ready
        assert len(system.addresses("a")) == 200
        await anyio.lowlevel.checkpoint()
        assert system.statistics().informers[0].synced


async def test_no_actor_is_born_before_all_caches_are_filled():
    """Else it would not find its pods in the cache, and make them again."""
    world = World()
    await world.make("a")
    await world.direct.create(SECRETS, {"metadata": {"name": "s", "namespace": "default", "labels": {"for": "a"}}})
    slow = True
    world.api.fault = lambda verb, subject: Unavailable("later") if slow and subject == "secrets" else None
    mind = Scripted()
    rooms = Room("a", mind, (OWN, Watch(SECRETS, lambda thing: own(made), wakes=False)))
    made = await world.direct.get(Reference(CONFIGMAPS, "default", "a"))
    system = world.system(rooms)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(system.run)
        await anyio.sleep(100)
        assert not system.ready
        assert mind.born == []
        slow = False
        await anyio.sleep(60)
        assert system.ready
        assert [type(message) for message in state(system, "a")] == [Started, Observed, Observed]
        tasks.cancel_scope.cancel()


async def test_an_actor_sees_its_object_change_and_end():
    def receive(state, message, now):
        return [Stop()] if isinstance(message, Gone) else ()

    world = World()
    async with world.running(Room("a", Scripted(receive), (OWN,))) as system:
        made = await world.make("a", k="1")
        await anyio.sleep(1)
        await world.direct.patch(reference(CONFIGMAPS, made), {"data": {"k": "2"}})
        await anyio.sleep(1)
        first, *seen = state(system, "a")
        assert first == Started(0)
        assert [message.object["data"]["k"] for message in seen] == ["1", "2"]
        await world.direct.delete(reference(CONFIGMAPS, made))
        await anyio.sleep(1)
        assert system.addresses("a") == []


async def test_a_successor_of_the_same_name_has_another_actor():
    world = World()
    async with world.running(Room("a", Scripted(), (OWN,))) as system:
        for _ in range(2):
            made = await world.make("a")
            await anyio.sleep(1)
            await world.direct.delete(reference(CONFIGMAPS, made))
            await anyio.sleep(1)
        assert len({address.uid for address in system.addresses("a")}) == 2


async def test_commands_are_performed_and_their_results_come_back():
    def receive(state, message, now):
        match message:
            case Observed(ref, thing) if not thing.get("data"):
                return [Patch(ref, {"data": {"seen": "yes"}}), Create(SECRETS, secret), WakeAt(now + 3600, "t")]
            case Done(Create(), result):
                return [Delete(reference(SECRETS, result), tag="d")]
        return ()

    secret = {"metadata": {"name": "s", "namespace": "default"}}
    world = World()
    await world.make("a")
    async with world.running(Room("a", Scripted(receive), (OWN,))) as system:
        await anyio.sleep(3700)
        seen = [type(message) for message in state(system, "a")]
        assert sorted(kind.__name__ for kind in seen) == [
            "Done",
            "Done",
            "Done",
            "Observed",
            "Observed",
            "Started",
            "Woke",
        ]
        assert state(system, "a")[-1] == Woke("t")
        assert world.server is not None


async def test_the_same_object_may_concern_actors_of_several_rooms_by_one_watch():
    world = World()
    b, c = Scripted(), Scripted()
    rooms = [
        Room("b", b, (Watch(CONFIGMAPS, lambda t: Address("b", "", t["metadata"]["name"], ""), wakes=True),)),
        Room("c", c, (Watch(CONFIGMAPS, lambda t: Address("c", "", "all", ""), wakes=True),)),
    ]
    await world.make("x")
    await world.make("y")
    async with world.running(*rooms) as system:
        assert sorted(address.name for address in system.addresses("b")) == ["x", "y"]
        assert len(system.addresses("c")) == 1
    assert world.api.calls.count(("watch", "configmaps")) == 1


async def test_what_does_not_wake_waits_in_the_cache_for_a_child():
    child = Address("b", "default", "child", "")

    def receive(state, message, now):
        return [Spawn(child)] if message == Told(OUTSIDE, "spawn") else ()

    world = World()
    await world.make("a")
    thing = {"metadata": {"name": "s", "namespace": "default", "labels": {"for": "child"}}}
    rooms = [
        Room("a", Scripted(receive), (OWN,)),
        Room("b", Scripted(), (Watch(SECRETS, by_label("b")),)),
    ]
    async with world.running(*rooms) as system:
        made = await world.direct.create(SECRETS, thing)
        await anyio.sleep(1)
        assert system.addresses("b") == []
        assert system.tell(system.addresses("a")[0], "spawn")
        await anyio.sleep(1)
        read = system._parts.registry.actors[child].state
        assert read == [Started(0), Observed(reference(SECRETS, made), made)]
        await world.direct.patch(reference(SECRETS, made), {"metadata": {"labels": {"for": None}}})
        await anyio.sleep(1)
        assert type(read[-1]) is Gone, "it no longer routes here"


async def test_a_broken_route_and_a_broken_mind_harm_nobody_else():
    def broken(thing: dict) -> Address:
        raise KeyError("labels")

    def receive(state, message, now):
        raise RuntimeError("always")

    world = World()
    for name in "xyz":
        await world.make(name)
    quarantined: list[Any] = []
    rooms = [
        Room("broken", Scripted(), (Watch(CONFIGMAPS, broken, wakes=True),)),
        Room("b", Scripted(receive), (Watch(CONFIGMAPS, lambda t: own(t)._replace(room="b"), wakes=True),)),
        Room("a", Scripted(), (OWN,)),
    ]
    settings = Settings("default", budget=Budget(1, 60.0))
    async with world.running(*rooms, settings=settings, on_quarantine=quarantined.append) as system:
        await anyio.sleep(1)
        statistics = system.statistics()
        assert len(system.addresses("a")) == 3
        assert statistics.route_errors == 3
        assert len(quarantined) == 3
        assert statistics.lives.crashes == 6
        assert system.explain(quarantined[0].address) == (
            "put aside after 2 crashes (RuntimeError: always); tried again in 9 s or when its object changes"
        )
        await world.direct.patch(Reference(CONFIGMAPS, "default", "x"), {"data": {"k": "v"}})
        await anyio.sleep(1)
        assert [entry.address.name for entry in quarantined[3:]] == ["x"]
        await world.direct.delete(Reference(CONFIGMAPS, "default", "x"))
        await anyio.sleep(1)
        assert "x" not in [entry.address.name for entry in system.statistics().lives.quarantined]
        assert system.statistics().lives.crashes == 7, "for an object that is gone nobody is tried again"


async def test_a_word_wakes_an_objects_retired_actor():
    def receive(state, message, now):
        return [Stop()] if isinstance(message, Observed) else ()

    world = World()
    made = await world.make("a")
    mind = Scripted(receive)
    async with world.running(Room("a", mind, (OWN,))) as system:
        await anyio.sleep(1)
        assert system.addresses("a") == []
        assert system.explain(own(made)) == f"nobody lives at {own(made)}"
        assert system.tell(own(made), "wake up")
        assert not system.tell(own(made)._replace(uid="other"), "wake up")
        await anyio.sleep(1)
        assert len(mind.born) == 2


async def test_explain_asks_the_mind():
    world = World()
    await world.make("a")
    async with world.running(Room("a", Scripted(), (OWN,))) as system:
        await anyio.sleep(1)
        assert system.explain(system.addresses("a")[0]) == "read 2 messages"


async def test_a_parents_end_ends_its_children_and_their_unbegun_commands():
    child = Address("b", "default", "child", "")

    def parent(state, message, now):
        if isinstance(message, Observed) and len(state) == 2:
            return [Spawn(child, "x")]
        return [Stop()] if isinstance(message, Told) else ()

    def worker(state, message, now):
        if isinstance(message, Started):
            return [Create(SECRETS, {"metadata": {"name": f"s{n}", "namespace": "default"}}) for n in range(100)]
        return [Tell(system.addresses("a")[0], "stop")] if isinstance(message, Done) else ()

    world = World()
    await world.make("a")
    rooms = [Room("a", Scripted(parent), (OWN,)), Room("b", Scripted(worker))]
    async with world.running(*rooms, settings=Settings("default", concurrency=2)) as system:
        await anyio.sleep(10)
        assert system.addresses("b") == []
        assert 1 <= [verb for verb, _ in world.api.calls].count("create") <= 4


async def test_measures_and_statistics_are_scraped():
    def receive(state, message, now):
        return [Measure("told_total", labels=(("who", "me"),)), Measure("unknown")] if isinstance(message, Told) else ()

    world = World()
    await world.make("a")
    settings = Settings("default", metrics=(Metric("told_total", "counter", "Words.", ("who",)),))
    async with world.running(Room("a", Scripted(receive), (OWN,)), settings=settings) as system:
        for _ in range(3):
            system.tell(system.addresses("a")[0], "x")
        await anyio.sleep(1)
        text = system.exposition().decode()
    assert 'told_total{who="me"} 3.0' in text
    assert 'runtime_actors{room="a"} 1.0' in text
    assert 'runtime_cache_objects{resource="configmaps",selector=""} 1.0' in text
    assert "runtime_messages_total 5.0" in text


async def test_what_is_in_flight_at_the_end_is_finished():
    def receive(state, message, now):
        return (
            [Create(SECRETS, {"metadata": {"name": "s", "namespace": "default"}})]
            if isinstance(message, Started)
            else ()
        )

    world = World()
    world.api.delay_s = 2.0
    await world.make("a")
    async with world.running(Room("a", Scripted(receive), (OWN,))):
        await anyio.sleep(1)
    assert await world.direct.get(Reference(SECRETS, "default", "s"))


async def test_a_kernel_that_keeps_falling_says_so_to_who_runs_it():
    world = World()
    system = world.system(Room("a", Scripted(), (OWN,)))

    async def fall(*, task_status: Any) -> None:
        task_status.started()
        raise RuntimeError("bug in the kernel")

    system._parts.scheduler.run = fall
    system._tree = system._plant()
    with pytest.raises(Escalated, match="the last of scheduler"):
        await system.run()


async def test_what_is_warm_may_be_frozen():
    world = World()
    gc.unfreeze()
    async with world.running(Room("a", Scripted(), (OWN,)), settings=Settings("default", collect=True)):
        frozen = gc.get_freeze_count()
    gc.unfreeze()
    assert frozen > 1000


async def test_two_rooms_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two rooms have the same name: a, a"):
        World().system(Room("a", Scripted()), Room("a", Scripted()))


async def test_a_resource_whose_definition_comes_later_is_picked_up():
    foos = Resource("example.com/v1", "Foo", "foos")
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Foo", "plural": "foos", "singular": "foo"},
            "versions": [
                {
                    "name": "v1", "served": True, "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }  # fmt: skip
    world = World()
    async with world.running(Room("a", Scripted(), (Watch(foos, own, wakes=True),))) as system:
        assert not system.statistics().informers[0].served
        await world.direct.create(
            Resource(
                "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
            ),
            crd,
        )
        thing = {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "f", "namespace": "default"}}
        await world.direct.create(foos, thing)
        await anyio.sleep(60)
        assert [address.name for address in system.addresses("a")] == ["f"]


def test_the_words_of_the_kernel_are_values():
    assert Down(OUTSIDE, "normal") == Down(OUTSIDE, "normal")
    assert Failed(Spawn(OUTSIDE), Unavailable("x")) != Failed(Spawn(OUTSIDE), Unavailable("x"))
