"""The driver of the watch, against the in-process API under faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from runtime import informer as module
from runtime import log
from runtime.api import Expired, Refused, Selection, Throttled, Unavailable, WatchEvent
from runtime.informer import Informer, Scope
from runtime.messages import Address, Gone, Observed
from runtime.objects import CONFIGMAPS, Reference, Resource
from runtime.store import Store
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = pytest.mark.virtual_time

DEFAULT = Selection("default")
ROUTES = Resource("example.com/v1", "Route", "routes")
LINES: list[tuple[str, str]] = []


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was logged: level and event."""
    LINES.clear()
    monkeypatch.setattr(log.Log, "_write", lambda self, level, event, fields: LINES.append((level, event)))
    return LINES


def configmap(name: str, **labels: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
    }


def own(thing: dict) -> Address:
    meta = thing["metadata"]
    return Address("a", meta.get("namespace", ""), meta["name"], meta["uid"])


class Watched:
    """An informer, its server, and what it told."""

    def __init__(
        self, resource: Resource = CONFIGMAPS, selection: Selection = DEFAULT, *, optional: bool = False
    ) -> None:
        self.server = ApiServer(now=VirtualClock().wall)
        self.server.start()
        self.direct = InProcessApi(self.server)
        self.api = Coat(self.direct)
        self.told: list[tuple[str, str]] = []
        self.store = Store(resource, lambda thing: (own(thing),))
        self.informer = Informer(
            self.api, Scope(resource, selection, optional), self.store, self._tell, VirtualClock(), Random(3)
        )

    def _tell(self, changes: Any) -> None:
        for change in changes:
            kind = type(change.message)
            self.told.append((change.address.name, kind.__name__))
            cached = self.store.get("default", change.address.name)
            newest = None if cached is None else cached["metadata"]["resourceVersion"]
            if kind is Observed:
                assert newest == change.message.object["metadata"]["resourceVersion"], "told before the cache knew"
            else:
                assert kind is Gone
                assert cached is None or cached["metadata"]["uid"] != change.message.ref.uid

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            await tasks.start(self.informer.run)
            yield
            tasks.cancel_scope.cancel()

    def heard(self) -> list[tuple[str, str]]:
        told, self.told = self.told, []
        return told


async def test_what_is_there_is_told_and_then_what_changes():
    w = Watched()
    await w.direct.create(CONFIGMAPS, configmap("a"))
    async with w.running():
        await w.informer.synced.wait()
        assert w.heard() == [("a", "Observed")]
        await w.direct.create(CONFIGMAPS, configmap("b"))
        await w.direct.delete(Reference(CONFIGMAPS, "default", "a"))
        await anyio.sleep(1)
        assert w.heard() == [("b", "Observed"), ("a", "Gone")]
    assert [verb for verb, _ in w.api.calls] == ["list", "watch"]


async def test_a_long_list_comes_in_pages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PAGE_LIMIT", 3)
    w = Watched()
    for number in range(10):
        await w.direct.create(CONFIGMAPS, configmap(f"c{number}"))
    async with w.running():
        await w.informer.synced.wait()
    assert len(w.store) == 10
    assert w.informer.statistics().lists == 4


async def test_the_news_of_one_resource_leave_room_for_others(monkeypatch: pytest.MonkeyPatch):
    """A list and a burst of events: others have their turn before all of it is told."""
    monkeypatch.setattr(module, "SLICE_S", 0.0)
    w = Watched()
    seen: set[int] = set()

    async def look() -> None:
        while True:
            seen.add(len(w.told))
            await anyio.lowlevel.checkpoint()

    for number in range(10):
        await w.direct.create(CONFIGMAPS, configmap(f"c{number}"))
    async with w.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await w.informer.synced.wait()
        assert {1, 5, 9} <= seen
        assert len(w.heard()) == 10
        seen.clear()
        for number in range(10):
            await w.direct.create(CONFIGMAPS, configmap(f"d{number}"))
        while len(w.told) < 10:
            await anyio.lowlevel.checkpoint()
        assert {2, 5, 8} <= seen
        tasks.cancel_scope.cancel()


async def test_what_is_optional_and_not_served_or_forbidden_is_empty_and_said_once_for_an_hour():
    for fault, resource in ((None, ROUTES), (Refused("forbidden", code=403), CONFIGMAPS)):
        LINES.clear()
        w = Watched(resource, Selection(None), optional=True)
        if fault is not None:
            w.api.fault = lambda verb, subject, fault=fault: fault
        async with w.running():
            await w.informer.synced.wait()
            await anyio.sleep(3600)
        assert [line for line in LINES if line[1] != "informer.synced"] == [("info", "resource.absent")]
        assert not w.informer.statistics().served
        assert len(w.api.calls) < 3600 / 7


async def test_what_is_optional_is_there_once_it_is_permitted():
    w = Watched(optional=True)
    await w.direct.create(CONFIGMAPS, configmap("a"))
    w.api.fault = lambda verb, subject: Refused("forbidden", code=403)
    async with w.running():
        await w.informer.synced.wait()
        w.api.fault = lambda verb, subject: None
        await anyio.sleep(60)
        assert w.heard() == [("a", "Observed")]
        assert w.informer.statistics().served


async def test_the_watch_goes_on_for_hours_without_listing_again():
    w = Watched()
    async with w.running():
        for number in range(12):
            await anyio.sleep(600)
            await w.direct.create(CONFIGMAPS, configmap(f"c{number}"))
        await anyio.sleep(1)
    assert len(w.heard()) == 12
    assert w.informer.statistics().lists == 1


async def test_a_broken_connection_loses_nothing():
    w = Watched()
    down = False
    w.api.fault = lambda verb, subject: Unavailable("connection refused") if down else None
    async with w.running():
        await w.informer.synced.wait()
        down = True
        await anyio.sleep(600)
        await w.direct.create(CONFIGMAPS, configmap("meanwhile"))
        assert w.informer.statistics().doing == "waiting"
        assert "connection refused" in w.informer.statistics().error
        down = False
        await anyio.sleep(60)
    assert w.heard() == [("meanwhile", "Observed")]
    assert w.informer.statistics().lists == 1
    assert LINES.count(("warning", "watch.failed")) == 1, "said once, not at every try"


async def test_a_forgotten_version_is_a_new_list_and_who_is_gone_is_told():
    w = Watched()
    await w.direct.create(CONFIGMAPS, configmap("a"))
    await w.direct.create(CONFIGMAPS, configmap("stays"))
    faults = iter([])
    w.api.fault = lambda verb, subject: next(faults, None) if verb == "watch" else None
    async with w.running():
        await w.informer.synced.wait()
        w.heard()
        faults = iter([Unavailable("cut"), Unavailable("cut"), Expired("too old")])
        await anyio.sleep(289.9)
        # The watch is about to be reopened; what happens before the list is seen only by the list.
        await anyio.sleep(0.2)
        await w.direct.delete(Reference(CONFIGMAPS, "default", "a"))
        await w.direct.create(CONFIGMAPS, configmap("b"))
        await anyio.sleep(120)
    assert sorted(w.heard()) == [("a", "Gone"), ("b", "Observed")]
    assert w.informer.statistics().lists == 2


async def test_a_resource_that_is_not_served_yet_is_awaited_and_said_once():
    foo = Resource("example.com/v1", "Foo", "foos")
    w = Watched(foo)
    async with w.running():
        with anyio.fail_after(5):
            await w.informer.synced.wait()  # there is none of them: that is known
        await anyio.sleep(3600)
        assert not w.informer.statistics().served
        assert len(w.api.calls) < 3600 / 7
    assert [event for _, event in LINES].count("resource.absent") == 1


async def test_a_forbidden_list_is_tried_again_and_the_system_is_not_synced():
    w = Watched()
    w.api.fault = lambda verb, subject: Refused("configmaps is forbidden")
    async with w.running():
        await anyio.sleep(60)
        assert not w.informer.synced.is_set()
        assert w.informer.statistics().error == "Refused: configmaps is forbidden"
        w.api.fault = lambda verb, subject: None
        await anyio.sleep(60)
        assert w.informer.synced.is_set()


async def test_a_bug_below_is_weather():
    w = Watched()
    bugs = iter([ZeroDivisionError("oops"), KeyError("metadata")])
    w.api.fault = lambda verb, subject: next(bugs, None)
    async with w.running():
        await anyio.sleep(60)
        await w.direct.create(CONFIGMAPS, configmap("a"))
        await anyio.sleep(1)
    assert w.heard() == [("a", "Observed")]


async def test_a_list_without_an_answer_is_tried_again():
    w = Watched()
    w.api.delay_s = 10_000.0
    async with w.running():
        await anyio.sleep(module.LIST_TIMEOUT_S + 0.1)
        assert w.informer.statistics().error == "Unavailable: no list of configmaps within 60 s"
        w.api.delay_s = 0.0
        await anyio.sleep(5)
        assert w.informer.synced.is_set()


async def test_a_server_that_says_nothing_is_hung_up_on():
    w = Watched()

    @asynccontextmanager
    async def silent(*args: Any, **options: Any) -> AsyncIterator[Any]:
        opened.append(anyio.current_time())

        async def lines() -> AsyncIterator[Any]:
            await anyio.sleep_forever()
            yield

        yield lines()

    opened: list[float] = []
    w.api.watch = silent
    async with w.running():
        await anyio.sleep(1000)
        assert w.informer.statistics().silent_s == pytest.approx(1000)
    deadline = module.WATCH_TIMEOUT_S + module.WATCH_GRACE_S
    assert [round(at) for at in opened] == [0, deadline, 2 * deadline, 3 * deadline]


async def test_a_server_restored_from_an_older_state_is_listed_again_at_once():
    """It takes the watch from a version it has not reached yet, and says nothing until it has: but for bookmarks."""
    w = Watched()
    await w.direct.create(CONFIGMAPS, configmap("lost"))
    genuine = w.api.watch

    @asynccontextmanager
    async def restored(*args: Any, **options: Any) -> AsyncIterator[Any]:
        async def lines() -> AsyncIterator[Any]:
            await anyio.sleep(60)
            await w.direct.delete(Reference(CONFIGMAPS, "default", "lost"))  # it was made after the backup
            w.api.watch = genuine
            yield WatchEvent("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": "1"}})
            await anyio.sleep_forever()

        yield lines()

    w.api.watch = restored
    async with w.running():
        await w.informer.synced.wait()
        await anyio.sleep(61)
        assert w.heard() == [("lost", "Observed"), ("lost", "Gone")]
        assert w.informer.statistics().lists == 2


async def test_an_object_that_leaves_the_selector_is_gone():
    w = Watched(selection=Selection("default", labels="mine=yes"))
    await w.direct.create(CONFIGMAPS, configmap("a", mine="yes"))
    await w.direct.create(CONFIGMAPS, configmap("b", mine="no"))
    async with w.running():
        await w.informer.synced.wait()
        await w.direct.patch(Reference(CONFIGMAPS, "default", "a"), {"metadata": {"labels": {"mine": "no"}}})
        await anyio.sleep(1)
    assert w.heard() == [("a", "Observed"), ("a", "Gone")]


@pytest.mark.parametrize("delay_s", [0.0, 0.01])
async def test_a_list_asked_for_in_the_middle_of_another_loses_nothing(monkeypatch: pytest.MonkeyPatch, delay_s: float):
    monkeypatch.setattr(module, "PAGE_LIMIT", 3)
    w = Watched()
    w.api.delay_s = delay_s
    for number in range(10):
        await w.direct.create(CONFIGMAPS, configmap(f"c{number}"))
    async with w.running(), anyio.create_task_group() as tasks:
        await w.informer.synced.wait()
        w.heard()
        for number in range(40):
            await w.direct.delete(Reference(CONFIGMAPS, "default", f"c{number}"))
            await w.direct.create(CONFIGMAPS, configmap(f"c{number + 10}"))
            tasks.start_soon(w.informer.renew)
            await anyio.sleep(delay_s / 7 * (number % 9))
        await w.informer.renew()
        assert len(w.store) == 10
        told = w.heard()
    assert len([name for name, kind in told if kind == "Gone"]) <= 40
    assert {name for name, kind in told if kind == "Gone"} == {f"c{number}" for number in range(40)} & {
        name for name, _ in told
    }


async def test_a_wait_that_the_server_asked_for_is_kept_though_a_list_is_wanted_at_once():
    w = Watched()
    w.api.fault = lambda verb, subject: Throttled("later", after_s=30.0) if verb == "watch" else None
    async with w.running():
        await w.informer.synced.wait()
        await anyio.sleep(1)
        w.api.fault = lambda verb, subject: None
        begun = anyio.current_time()
        await w.informer.renew()
        assert 28 < anyio.current_time() - begun < 31
        assert [verb for verb, _ in w.api.calls][:3] == ["list", "watch", "list"]
