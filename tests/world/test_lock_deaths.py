"""Whatever dies when, the controllers or one actor, a lock never has too many holders and none is lost."""

from __future__ import annotations

import anyio
import pytest

from actors.lock_messages import LOCKS, ReturnLocks
from actors.messages import NodeChanged
from runtime.api import Api, Unavailable
from runtime.messages import Address
from runtime.objects import Object
from tests.kernel.coat import Coat
from tests.world.locks import FAN, MUTEX, SEMAPHORE, leaf, locked_world, overseer, single, workflow
from tests.world.world import Outcome

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("SYNC-9")
@pytest.mark.spec("SYNC-12")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("lock", "limit"), [(MUTEX, 1), (SEMAPHORE, 2)])
async def test_whatever_dies_when_a_lock_never_has_too_many_holders(seed: int, lock: str, limit: int) -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(delay_s=1.5)

    seen: list[int] = []
    async with locked_world(script, str(limit), seed=seed, deaths_every_s=1.2) as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(overseer, here, limit, seen)
            refs = [
                await here.submit(workflow(FAN, leaf(lock)), "one"),
                await here.submit(workflow(FAN, leaf(lock, "retryStrategy: {limit: 1}, ")), "two"),
                await here.submit(single(lock), "three"),
                await here.submit(single(lock, priority=9), "four"),
            ]
            for ref in refs:
                assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
            tasks.cancel_scope.cancel()

        assert here.deaths > 2
        assert max(seen) == limit
        assert here.most_running <= limit
        assert len(set(here.created)) == len(here.created) == 12


@pytest.mark.spec("SYNC-9")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("victim", ["lock", "workflow"])
async def test_a_crash_of_one_actor_takes_no_lock_away_and_gives_none_twice(victim: str, seed: int) -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(delay_s=4.0)

    seen: list[int] = []
    async with locked_world(script, "2", seed=seed) as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(overseer, here, 2, seen)
            refs = [await here.submit(workflow(FAN, leaf(SEMAPHORE)), name) for name in ("one", "two")]
            for _ in range(6):
                await anyio.sleep(here.dice.uniform(0.1, 3.0))
                assert here.system is not None
                if victim == "lock":  # each is told a word that nobody could make sense of
                    here.system.tell(LOCKS, ReturnLocks([]))  # type: ignore[arg-type]
                else:
                    address = Address("workflow", "default", "one", refs[0].uid)
                    here.system.tell(address, NodeChanged(None))  # type: ignore[arg-type]
            for ref in refs:
                assert (await here.end_of(ref, limit_s=300))["status"]["phase"] == "Succeeded"
            tasks.cancel_scope.cancel()

        assert here.system is not None
        assert here.system.statistics().lives.crashes > 1
        assert here.most_running <= 2
        assert len(set(here.created)) == len(here.created) == 10


@pytest.mark.spec("SYNC-9")
async def test_who_has_crashed_and_cannot_read_its_record_gives_no_lock_away() -> None:
    """The room of locks crashes, too, and asks everybody what he holds before the crashed one knows it."""
    away = False

    def coated(api: Api) -> Api:
        def fault(verb: str, subject: object) -> BaseException | None:
            return Unavailable("no answer") if away and (verb, subject) == ("get", "one") else None

        coat: Api = Coat(api, fault=fault)
        return coat

    async with locked_world(lambda name, pod: Outcome(delay_s=60.0), coat=coated) as here:
        one = await here.submit(single(MUTEX), "one")
        await here.after(5)
        two = await here.submit(single(MUTEX), "two")
        await here.after(5)
        assert here.system is not None
        away = True
        here.system.tell(Address("workflow", "default", "one", one.uid), NodeChanged(None))  # type: ignore[arg-type]
        here.system.tell(LOCKS, ReturnLocks([]))  # type: ignore[arg-type]
        await here.after(20)
        assert (here.system.statistics().lives.crashes, len(here.created)) == (2, 1)
        away = False
        for ref in (one, two):
            assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"

    assert here.most_running == 1
