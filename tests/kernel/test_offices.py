"""Two leases: a process may lead the rooms of one and stand by for those of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from actors.rollout.room import rollout_rooms
from actors.rollout.state import RolloutSettings
from runtime.actor import Room, Watch
from runtime.api import Unavailable
from runtime.election import Election
from runtime.messages import Address
from runtime.objects import CONFIGMAPS, LEASES, Object, Reference
from runtime.office import Office, offices_of
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.kernel.test_election import marking, server
from tests.virtual_time import VirtualClock
from tiphys.controller.leading import ROOMS_OF_ROLLOUTS, Candidacy, lease_name, offices, part_of, rooms_of
from tiphys.controllers import ControllerSettings, analysis_rooms, rooms
from tiphys.devcluster.inprocess import InProcessApi

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]

LEFT, RIGHT = (Reference(LEASES, "default", name) for name in ("left", "right"))


def of(room: str) -> Any:
    """A ConfigMap is a room's by the first word of its name."""

    def route(thing: Object) -> Address | None:
        meta = thing["metadata"]
        mine = meta["name"].startswith(room)
        return Address(room, meta["namespace"], meta["name"], meta["uid"]) if mine else None

    return route


@asynccontextmanager
async def running(api: InProcessApi, who: str, *leases: Reference) -> AsyncIterator[tuple[System, Coat]]:
    """A process that runs the rooms `left` and `right`, and stands for these leases."""
    coat, clock = Coat(api, delay_s=0.01), VirtualClock()
    named = [Room(name, marking(who), (Watch(CONFIGMAPS, of(name), wakes=True),)) for name in ("left", "right")]
    stood_for = tuple(Office(frozenset({ref.name}), Election(coat, ref, who, clock)) for ref in leases)
    settings = Settings("default", offices=stood_for)
    chosen = [room for room in named if room.name in {ref.name for ref in leases}]
    system = System(coat, chosen, settings=settings, clock=clock, dice=Random(1))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        yield system, coat
        tasks.cancel_scope.cancel()


async def wish(api: InProcessApi, name: str, value: str) -> None:
    if value == "1":
        meta = {"name": name, "namespace": "default"}
        await api.create(CONFIGMAPS, {"metadata": meta, "data": {"wish": value}})
    else:
        await api.patch(Reference(CONFIGMAPS, "default", name), {"data": {"wish": value}})


async def done_by(api: InProcessApi) -> dict[str, tuple[str | None, str | None]]:
    found = await api.list(CONFIGMAPS)
    marked = [thing for thing in found.items if "wish" in (thing.get("data") or {})]
    return {thing["metadata"]["name"]: (thing["data"].get("done"), thing["data"].get("by")) for thing in marked}


async def holders(api: InProcessApi) -> tuple[str, ...]:
    return tuple([(await api.get(ref))["spec"]["holderIdentity"] for ref in (LEFT, RIGHT)])


async def test_a_process_leads_the_rooms_of_one_lease_and_stands_by_for_those_of_the_other():
    api = server()
    async with running(api, "theirs", RIGHT), running(api, "ours", LEFT, RIGHT) as (system, _):
        for name in ("left", "right"):
            await wish(api, name, "1")
        await anyio.sleep(1)
        assert await holders(api) == ("ours", "theirs")
        assert await done_by(api) == {"left": ("1", "ours"), "right": ("1", "theirs")}
        assert (len(system.addresses("left")), system.addresses("right")) == (1, [])
        assert [(each.held, each.holder) for each in system.statistics().elections] == [
            (True, "ours"), (False, "theirs"),
        ]  # fmt: skip
        assert system.ready, "all that it leads is alive"


async def test_the_lease_of_the_other_is_taken_over_and_nothing_of_the_own_rooms_notices():
    api = server()
    async with anyio.create_task_group() as tasks:
        up, over = anyio.Event(), anyio.Event()

        async def theirs() -> None:
            async with running(api, "theirs", RIGHT):
                up.set()
                await over.wait()

        tasks.start_soon(theirs)
        await up.wait()
        async with running(api, "ours", LEFT, RIGHT) as (system, _):
            for name in ("left", "right"):
                await wish(api, name, "1")
            await anyio.sleep(1)
            (before,) = system.living("left")
            over.set()
            await anyio.sleep(2)
            assert await holders(api) == ("ours", "ours")
            await wish(api, "right", "2")
            await anyio.sleep(0.1)
            assert (await done_by(api))["right"] == ("2", "ours")
            assert system.living("left") == [before]
    assert await holders(api) == ("", ""), "both are given back"


async def test_the_loss_of_one_lease_ends_the_actors_of_its_rooms_and_of_no_others():
    api = server()
    async with running(api, "ours", LEFT, RIGHT) as (system, coat):
        for name in ("left", "right"):
            await wish(api, name, "1")
        await anyio.sleep(1)
        lease = await api.get(RIGHT)
        lease["spec"] |= {"holderIdentity": "theirs", "leaseDurationSeconds": 3600}
        await api.replace(LEASES, lease)
        await anyio.sleep(4)
        assert (len(system.addresses("left")), system.addresses("right")) == (1, [])
        for name in ("left", "right"):
            await wish(api, name, "2")
        await anyio.sleep(1)
        assert await done_by(api) == {"left": ("2", "ours"), "right": ("1", "ours")}
        assert not any(verb == "patch" and subject == "right" for verb, subject in coat.calls[-4:])


async def test_while_one_lease_is_not_renewed_its_rooms_write_nothing_and_the_others_go_on():
    api = server()
    async with running(api, "ours", LEFT, RIGHT) as (_, coat):
        for name in ("left", "right"):
            await wish(api, name, "1")
        await anyio.sleep(1)
        coat.fault = lambda verb, subject: Unavailable("away") if subject == LEFT.name and verb == "replace" else None
        await anyio.sleep(6)
        for name in ("left", "right"):
            await wish(api, name, "2")
        await anyio.sleep(0.5)
        assert await done_by(api) == {"left": ("1", "ours"), "right": ("2", "ours")}
        coat.fault = lambda verb, subject: None
        await anyio.sleep(3)
        assert (await done_by(api))["left"] == ("2", "ours")


def test_every_room_is_in_one_office():
    rest = offices_of(["a", "b", "c"], [Office(frozenset("a"))], None)
    assert [sorted(office.rooms) for office in rest] == [["a"], ["b", "c"]]
    with pytest.raises(ValueError, match="in two offices: a"):
        offices_of(["a"], [Office(frozenset("a")), Office(frozenset("a"))], None)
    with pytest.raises(ValueError, match="not there: x"):
        offices_of(["a"], [Office(frozenset("x"))], None)


def test_a_controller_stands_for_upstreams_lease_of_each_part_that_it_runs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LEADER_ELECTION_DISABLE", raising=False)
    api, clock, all_rooms = server(), VirtualClock(), rooms()

    def leases(*parts: Any, elect: bool = True) -> dict[str, frozenset[str]]:
        chosen = rooms_of(parts, all_rooms)
        return {office.lease: office.rooms for office in offices(api, Candidacy(elect), "n", clock, chosen)}

    both = leases("workflows", "rollouts")
    assert list(both) == ["n/workflow-controller", "n/argo-rollouts-controller-lock"]
    assert frozenset.union(*both.values()) == {room.name for room in all_rooms}
    assert list(leases("rollouts")) == ["n/argo-rollouts-controller-lock"]
    assert leases("workflows", elect=False) == {}
    assert lease_name("workflows", "blue") == "workflow-controller-blue"
    assert lease_name("rollouts", "blue") == "argo-rollouts-controller-lock"


def test_what_is_about_rollouts_is_what_their_rooms_are():
    settings = ControllerSettings()
    found = {room.name for room in (*analysis_rooms(settings), *rollout_rooms(RolloutSettings(), {}))}
    assert found == ROOMS_OF_ROLLOUTS
    assert {part_of(room) for room in found} == {"rollouts"}
