"""Candidates over one API in virtual time: never two fences open, hand-over in time, whatever the clocks say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from runtime.actor import Room, Watch
from runtime.api import Refused, Unavailable
from runtime.election import Election
from runtime.messages import Address, Observed, Patch
from runtime.objects import CONFIGMAPS, LEASES, Object, Reference
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.kernel.kernel import Scripted
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]

REF = Reference(LEASES, "default", "controller")


class Skewed(VirtualClock):
    """A machine whose wall clock is wrong, and whose monotonic one began at another time and runs at another rate."""

    def __init__(self, wall_s: float, start_s: float, rate: float) -> None:
        super().__init__()
        self._wall_s, self._start_s, self._rate = wall_s, start_s, rate

    def monotonic(self) -> float:
        return self._start_s + super().monotonic() * self._rate

    def wall(self) -> float:
        return super().wall() + self._wall_s


class Lossy(Coat):
    """Some answers are lost after the call was carried out."""

    lost = 0.0
    dice = Random(0)

    async def _pass(self, verb: str, subject: Any, call: Callable[[], Any]) -> Any:
        result = await super()._pass(verb, subject, call)
        if self.dice.random() < self.lost:
            raise Unavailable("the answer was lost")
        return result


def server() -> InProcessApi:
    made = ApiServer(now=VirtualClock().wall)
    made.start()
    return InProcessApi(made)


def own(thing: Object) -> Address:
    meta = thing["metadata"]
    return Address("a", meta["namespace"], meta["name"], meta["uid"])


@pytest.mark.parametrize("seed", range(20))
async def test_two_never_write_at_once_whatever_their_clocks_say_and_however_late_answers_come(seed: int):
    dice = Random(seed)
    api = server()
    coats = []
    elections = []
    for name in "abc":
        coat = Lossy(api, delay_s=dice.uniform(0.0, 0.3))
        coat.dice = dice
        coats.append(coat)
        clock = Skewed(dice.uniform(-86400, 86400), dice.uniform(0, 1e6), dice.uniform(0.99, 1.01))
        elections.append(Election(coat, REF, name, clock))

    held_s = changes = 0.0
    last = ""
    async with anyio.create_task_group() as tasks:
        for election in elections:
            await tasks.start(election.run)
        for tick in range(3000):
            if tick % 100 == 0:
                for coat in coats:
                    away = dice.random() < 0.2
                    coat.delay_s = dice.choice([0.01, 0.5, 1.9, 3.0])
                    coat.lost = dice.choice([0.0, 0.2, 0.6])
                    coat.fault = lambda verb, subject, away=away: Unavailable("away") if away else None
            await anyio.sleep(0.1)
            held = [election.identity for election in elections if election.held]
            assert len(held) <= 1, (seed, held)
            held_s += 0.1 * len(held)
            changes += bool(held) and held[0] != last
            last = held[0] if held else last
        tasks.cancel_scope.cancel()
    assert held_s > 30, "somebody leads for a good part of the time"
    assert changes >= 1


@asynccontextmanager
async def running(api: InProcessApi, identity: str, mind: Scripted) -> AsyncIterator[tuple[System, Coat]]:
    coat = Coat(api, delay_s=0.01)
    clock = VirtualClock()
    room = Room("a", mind, (Watch(CONFIGMAPS, own, wakes=True),))
    settings = Settings("default", election=Election(coat, REF, identity, clock))
    system = System(coat, [room], settings=settings, clock=clock, dice=Random(1))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        yield system, coat
        tasks.cancel_scope.cancel()


def marking(who: str) -> Scripted:
    """A mind that writes who it is into what it is told about."""

    def receive(state: Any, message: Any, now: float) -> Any:
        match message:
            case Observed(ref, thing) if (thing.get("data") or {}).get("wish") != (thing.get("data") or {}).get("done"):
                return [Patch(ref, {"data": {"done": thing["data"]["wish"], "by": who}})]
        return ()

    return Scripted(receive)


async def wish(api: InProcessApi, name: str, value: str) -> None:
    thing = {"metadata": {"name": name, "namespace": "default"}, "data": {"wish": value}}
    if value == "1":
        await api.create(CONFIGMAPS, thing)
    else:
        await api.patch(Reference(CONFIGMAPS, "default", name), {"data": {"wish": value}})


async def done_by(api: InProcessApi, name: str) -> tuple[str | None, str | None]:
    found = await api.get(Reference(CONFIGMAPS, "default", name))
    return found["data"].get("done"), found["data"].get("by")


async def test_a_standby_has_filled_caches_and_no_actors_and_takes_over_within_two_seconds_of_a_release():
    api = server()
    async with anyio.create_task_group() as tasks:
        leading = anyio.Event()
        over = anyio.Event()

        async def lead() -> None:
            async with running(api, "one", marking("one")):
                leading.set()
                await over.wait()

        tasks.start_soon(lead)
        await leading.wait()
        async with running(api, "two", marking("two")) as (standby, _):
            await wish(api, "x", "1")
            await anyio.sleep(1)
            assert await done_by(api, "x") == ("1", "one")
            assert standby.addresses("a") == []
            seen = standby.statistics()
            assert (seen.informers[0].objects, seen.elections[0].holder) == (1, "one")
            over.set()
            await anyio.sleep(2)
            await wish(api, "x", "2")
            await anyio.sleep(0.1)
            assert await done_by(api, "x") == ("2", "two")
    assert (await api.get(REF))["spec"]["holderIdentity"] == ""


async def test_hand_over_by_release_takes_less_than_two_seconds_and_by_death_less_than_ten():
    for kill, limit_s in ((False, 2.0), (True, 10.0)):
        api = server()
        clock = VirtualClock()
        async with anyio.create_task_group() as tasks:
            coat = Coat(api)
            leader = Election(coat, REF, "one", clock)
            other = Election(api, REF, "two", clock)
            scope = anyio.CancelScope()

            async def lead(election: Election = leader, scope: anyio.CancelScope = scope) -> None:
                with scope:
                    await election.run()

            tasks.start_soon(lead)
            await leader.won()
            tasks.start_soon(other.run)
            await anyio.sleep(7.3)
            if kill:
                coat.fault = lambda verb, subject: Unavailable("dead")
            ended = clock.monotonic()
            scope.cancel()
            await other.won()
            took = clock.monotonic() - ended
            assert took < limit_s, (kill, took)
            tasks.cancel_scope.cancel()


async def test_the_door_for_writes_is_shut_while_the_lease_is_not_renewed_and_opens_again():
    """The server is out of reach for six seconds: nobody else can take the lease, nothing is thrown away."""
    api = server()
    mind = marking("one")
    async with running(api, "one", mind) as (system, coat):
        await wish(api, "x", "1")
        await anyio.sleep(1)
        coat.fault = lambda verb, subject: Unavailable("away") if subject == REF.name else None
        await anyio.sleep(6)
        assert not system.elections[0].held
        await wish(api, "x", "2")
        await anyio.sleep(0.5)
        assert await done_by(api, "x") == ("1", "one"), "decided, but not written"
        coat.fault = lambda verb, subject: None
        await anyio.sleep(3)
        assert await done_by(api, "x") == ("2", "one")
        assert len(mind.born) == 1, "the same actors go on"


async def test_who_finds_the_lease_in_other_hands_drops_what_it_had_decided_and_starts_anew_when_it_leads_again():
    api = server()
    mind = marking("one")
    async with running(api, "one", mind) as (system, coat):
        await wish(api, "x", "1")
        await anyio.sleep(1)
        lease = await api.get(REF)
        lease["spec"]["holderIdentity"] = "two"
        await api.replace(LEASES, lease)
        await wish(api, "x", "2")
        await anyio.sleep(4)
        assert not system.ready
        assert system.addresses("a") == []
        writes = [verb for verb, subject in coat.calls if verb == "patch"]
        await wish(api, "x", "3")
        await anyio.sleep(2)
        assert [verb for verb, subject in coat.calls if verb == "patch"] == writes
        await anyio.sleep(10)
        assert system.ready, "two has never renewed"
        assert await done_by(api, "x") == ("3", "one")
        assert len(mind.born) == 2


async def test_the_lease_is_given_back_after_the_last_write():
    api = server()
    order: list[str] = []
    async with running(api, "one", marking("one")) as (_, coat):
        await wish(api, "x", "1")
        await anyio.sleep(0.005)
        coat.fault = lambda verb, subject: order.append(f"{verb} {subject}")  # type: ignore[func-returns-value]
        await anyio.sleep(0.01)
    assert order[-1] == "replace controller"
    assert (await api.get(REF))["spec"]["holderIdentity"] == ""


async def test_a_server_that_forbids_leases_leaves_us_waiting_and_says_so():
    api = server()
    coat = Coat(api)
    coat.fault = lambda verb, subject: Refused("forbidden", code=403) if subject == REF.name else None
    election = Election(coat, REF, "one", VirtualClock())
    async with anyio.create_task_group() as tasks:
        await tasks.start(election.run)
        await anyio.sleep(60)
        assert not election.known
        assert not election.held
        tasks.cancel_scope.cancel()
