"""A manager escalates only when more than a fifth of its children crash within a minute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from runtime.actor import Room, Watch
from runtime.messages import Address, Message, Observed, Stop, Told
from runtime.objects import CONFIGMAPS, Object
from runtime.restarts import Budget, is_epidemic
from runtime.supervisor import Escalated
from runtime.system import Settings, System
from tests.kernel.kernel import Scripted
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]


@pytest.mark.parametrize(
    ("crashed", "actors", "expected"),
    [(4, 4, False), (5, 5, True), (5, 24, True), (5, 25, False), (20, 100, False), (21, 100, True)],
)
def test_more_than_a_fifth_and_at_least_five_within_a_minute(crashed: int, actors: int, expected: bool):
    assert is_epidemic(dict.fromkeys(range(crashed), 100.0), actors, 159.9) == expected
    assert not is_epidemic(dict.fromkeys(range(crashed), 100.0), actors, 160.0)


def own(thing: Object) -> Address:
    meta = thing["metadata"]
    return Address("a", meta["namespace"], meta["name"], meta["uid"])


@asynccontextmanager
async def running(objects: int, mind: Scripted, **settings: Any) -> AsyncIterator[System]:
    server = ApiServer(now=VirtualClock().wall)
    server.start()
    api = InProcessApi(server)
    for number in range(objects):
        await api.create(CONFIGMAPS, {"metadata": {"name": f"c{number}", "namespace": "default"}})
    room = Room("a", mind, (Watch(CONFIGMAPS, own, wakes=True),))
    system = System(api, [room], settings=Settings("default", **settings), clock=VirtualClock(), dice=Random(5))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        yield system
        tasks.cancel_scope.cancel()


def crashing(state: Any, message: Message, now: float) -> Any:
    return 1 / 0 if isinstance(message, Told) else ()


async def test_a_fifth_of_the_room_may_crash_and_nobody_else_notices():
    mind = Scripted(crashing)
    async with running(30, mind) as system:
        for address in system.addresses("a")[:6]:
            system.tell(address, "crash")
        await anyio.sleep(1)
        assert len(mind.born) == 36


async def test_beyond_a_fifth_the_whole_room_is_rebuilt_from_the_cache():
    mind = Scripted(crashing)
    async with running(30, mind) as system:
        for address in system.addresses("a")[:7]:
            system.tell(address, "crash")
        await anyio.sleep(1)
        assert len(mind.born) == 30 + 7 + 30
        assert len(system.addresses("a")) == 30
        (manager,) = (child for child in system.statistics().children if child.name == "a")
        assert (manager.running, manager.starts) == (True, 2)


async def test_objects_that_always_crash_end_in_quarantine_and_the_room_goes_on():
    """Six poisoned objects among twenty: the room is rebuilt a few times, then they are put aside, not the process."""

    def poisoned(state: Any, message: Message, now: float) -> Any:
        if isinstance(message, Observed) and message.ref.name in {"c0", "c1", "c2", "c3", "c4", "c5"}:
            raise RuntimeError("bug")
        return ()

    async with running(20, Scripted(poisoned)) as system:
        await anyio.sleep(1800)
        assert len(system.addresses("a")) == 14
        assert len(system.statistics().lives.quarantined) == 6


async def test_a_room_that_cannot_be_mended_ends_the_process_in_the_end():
    """Every actor crashes again and again without ever exhausting a budget: somebody above has to try."""

    async def crash_all_the_time() -> None:
        async with running(10, Scripted(crashing), budget=Budget(10_000, 60.0)) as system:
            while True:
                for address in system.addresses("a"):
                    system.tell(address, "crash")
                await anyio.sleep(0.1)

    with pytest.raises(BaseExceptionGroup) as caught:
        await crash_all_the_time()
    assert caught.group_contains(Escalated)


async def test_a_stop_is_no_crash():
    def stopping(state: Any, message: Message, now: float) -> Any:
        return [Stop()] if isinstance(message, Told) else ()

    mind = Scripted(stopping)
    async with running(10, mind) as system:
        for address in system.addresses("a"):
            system.tell(address, "stop")
        await anyio.sleep(1)
        assert len(mind.born) == 10
