"""Alive and ready are read off the statistics; what is wrong is named, and an object put aside says so itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import pytest

from runtime.actor import Room, Watch
from runtime.api import Gone, Unavailable
from runtime.election import Election, ElectionStatistics
from runtime.health import not_alive, not_ready
from runtime.informer import InformerStatistics
from runtime.messages import Address, Answer, Asked, Told
from runtime.objects import CONFIGMAPS, EVENTS, LEASES, PODS, Object, Reference
from runtime.registry import RegistryStatistics
from runtime.restarts import Budget
from runtime.scheduler import SchedulerStatistics
from runtime.supervisor import ChildStatistics
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.kernel.kernel import Scripted
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]


GOOD = InformerStatistics(PODS, "", 3, True, True, "watching", 5.0, 1, 9, "")
LEADS = ElectionStatistics("n/lease", "me", "me", True, True, 1, 1.0)


@dataclass
class Now:
    """As much of SystemStatistics as health looks at."""

    ready: bool = True
    registry: Any = field(default_factory=lambda: RegistryStatistics({}, 0, 0, ()))
    scheduler: Any = field(default_factory=lambda: SchedulerStatistics(0, 0, 100.0))
    informers: tuple[InformerStatistics, ...] = (GOOD,)
    children: tuple[ChildStatistics, ...] = (ChildStatistics("opening", False, 1, False),)
    elections: tuple[ElectionStatistics, ...] = ()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Now(), []),
        (Now(children=(ChildStatistics("scheduler", False, 4, True),)), ["scheduler does not run"]),
        (Now(registry=RegistryStatistics({}, 7, 0, ())), ["7 actors have waited to read for 100 s"]),
        (Now(registry=RegistryStatistics({}, 7, 0, ()), scheduler=SchedulerStatistics(1, 0, 0.1)), []),
    ],
)
def test_it_lives_while_the_loop_turns_and_every_supervised_task_runs(now: Any, said: list[str]):
    assert not_alive(now) == said


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Now(), []),
        (Now(ready=False), ["actors are being born"]),
        (Now(informers=(GOOD._replace(synced=False, error="403"),)), ["pods: not listed yet: 403"]),
        (Now(informers=(GOOD._replace(silent_s=61, error="503"),)), ["pods: nothing heard for 61 s: 503"]),
        (Now(informers=(GOOD._replace(silent_s=61),)), []),
        (Now(informers=(GOOD._replace(silent_s=400, labels="a=b"),)), ["pods (a=b): nothing heard for 400 s"]),
        (Now(informers=(GOOD._replace(silent_s=400, served=False),)), []),
        (Now(elections=(LEADS,)), []),
        (Now(ready=False, elections=(LEADS,)), ["actors are being born"]),
        (Now(ready=False, elections=(LEADS._replace(holder="you", held=False),)), []),
        (Now(elections=(LEADS._replace(known=False),)), ["it is not known who holds the lease n/lease"]),
        (Now(elections=(LEADS._replace(unconfirmed_s=31),)), ["the lease n/lease was not confirmed for 31 s"]),
    ],
)
def test_it_is_ready_when_caches_are_full_and_fresh_and_it_is_known_who_leads(now: Any, said: list[str]):
    assert not_ready(now) == said


def own(thing: Object) -> Address:
    meta = thing["metadata"]
    return Address("a", meta["namespace"], meta["name"], meta["uid"])


def world(mind: Scripted, **settings: Any) -> tuple[Coat, System]:
    server = ApiServer(now=VirtualClock().wall)
    server.start()
    coat = Coat(InProcessApi(server))
    if settings.pop("elect", False):
        settings["election"] = Election(coat, Reference(LEASES, "default", "l"), "me", VirtualClock())
    room = Room("a", mind, (Watch(CONFIGMAPS, own, wakes=True),))
    return coat, System(coat, [room], settings=Settings("default", **settings), clock=VirtualClock(), dice=Random(1))


async def test_a_running_system_is_alive_and_ready_and_one_without_a_server_says_what_is_missing():
    coat, system = world(Scripted(), elect=True)
    assert any("not listed yet" in complaint for complaint in not_ready(system.statistics()))
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        await anyio.sleep(1)
        assert (not_alive(system.statistics()), not_ready(system.statistics())) == ([], [])
        assert b"runtime_leader{" in system.exposition()

        def away(verb: str, subject: Any) -> BaseException:
            return Unavailable("away")

        coat.fault = away
        await anyio.sleep(400)
        assert not_alive(system.statistics()) == [], "restarting us would not bring the server back"
        complaints = not_ready(system.statistics())
        assert any("configmaps: nothing heard" in complaint for complaint in complaints)
        assert any("was not confirmed" in complaint for complaint in complaints)
        coat.fault = lambda verb, subject: None
        await anyio.sleep(60)
        assert not_ready(system.statistics()) == []
        tasks.cancel_scope.cancel()


async def test_who_is_put_aside_shows_an_event_a_metric_and_a_sentence():
    def receive(state: Any, message: Any, now: float) -> Any:
        return 1 / 0 if isinstance(message, Told) else ()

    api, system = world(Scripted(receive), budget=Budget(1, 60.0))
    made = await api.api.create(CONFIGMAPS, {"metadata": {"name": "c", "namespace": "default"}})
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        (address,) = system.addresses("a")
        for _ in range(2):
            system.tell(address, "crash")
            await anyio.sleep(1)
        (event,) = (await api.list(EVENTS)).items
        assert (event["reason"], event["type"]) == ("Quarantined", "Warning")
        assert event["involvedObject"]["uid"] == made["metadata"]["uid"]
        assert "ZeroDivisionError: division by zero" in event["message"]
        assert b"runtime_actors_quarantined 1.0" in system.exposition()
        assert system.explain(address).startswith("put aside after 2 crashes (ZeroDivisionError")
        assert [resident.quarantined for resident in system.census()] == [True]
        tasks.cancel_scope.cancel()


async def test_one_may_ask_an_actor_from_outside_and_waits_no_longer_than_one_wants():
    def receive(state: Any, message: Any, now: float) -> Any:
        match message:
            case Told(_, Asked(number, "how much?")):
                return [Answer(number, 42)]
        return ()

    api, system = world(Scripted(receive))
    await api.api.create(CONFIGMAPS, {"metadata": {"name": "c", "namespace": "default"}})
    async with anyio.create_task_group() as tasks:
        await tasks.start(system.run)
        (address,) = system.addresses("a")
        assert await system.ask(address, "how much?") == 42
        before = VirtualClock().monotonic()
        with pytest.raises(Unavailable, match="no answer within 3 s"):
            await system.ask(address, "why?", 3.0)
        assert VirtualClock().monotonic() - before == pytest.approx(3.0)
        with pytest.raises(Gone):
            await system.ask(address._replace(uid="other"), "?")
        tasks.cancel_scope.cancel()
