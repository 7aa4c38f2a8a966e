"""A steady load of small workflows of four kinds, from submission to deletion, with a ledger of what became of each.

Namespaces take turns, and each is deleted some time after its turn, with the Events in it: the API server of an hour
holds no more than that of a minute. Their names come again: of a namespace that there ever was, counters by namespace
are kept (up to a thousand of each), and no installation has three new ones a minute.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any, Final

import anyio

from runtime.api import Api, ApiError, Conflict, Expired, Gone, Selection, Throttled
from runtime.objects import NAMESPACES, PODS, Object, Reference, Resource, owner_uid
from tiphys.bench.ledger import Ledger
from tiphys.bench.workloads import WORKFLOWS, one_pod, work, workflow

TURN_S: Final = 20.0  # of a namespace
KEPT_S: Final = 15.0  # a workflow is judged and deleted so long after its end
OLD_S: Final = 120.0  # a namespace is deleted so long after its turn, if all in it is settled
NAMESPACES_MAX: Final = 12  # names: four minutes from one turn to the next, twice as long as it takes to be gone
DELETERS: Final = 4
SUBMITTERS: Final = 16

EXIT_CODE: Final = "simulated.tiphys.dev/exit-code"


def steps(name: str) -> Object:
    """A loop of two, then one: three pods."""
    first = {"name": "a", "template": "work", "withItems": [1, 2]}
    return workflow(name, [{"name": "main", "steps": [[first], [{"name": "b", "template": "work"}]]}, work()], "main")


def retried(name: str) -> Object:
    """A pod that fails and is tried once more: two pods."""
    again = {**work(), "retryStrategy": {"limit": "2"}}
    again["metadata"] = {"annotations": {EXIT_CODE: "{{=retries == '0' ? '1' : '0'}}"}}
    return workflow(name, [again])


def locked(name: str, number: int) -> Object:
    """One pod under one of eight mutexes."""
    made = one_pod(name)
    made["spec"]["synchronization"] = {"mutexes": [{"name": f"soak-{number % 8}"}]}
    return made


def of_number(number: int) -> tuple[Object, int]:
    """The workflow of this number, and how many pods it makes; ten in a row hold the whole mixture."""
    name = f"soak-{number}"
    match number % 10:
        case 0 | 1:
            return steps(name), 3
        case 2:
            return retried(name), 2
        case 3:
            return locked(name, number // 10), 1
        case _:
            return one_pod(name), 1


class Load:
    """Submits, watches, judges and deletes, within `running`."""

    def __init__(self, api: Api, ledger: Ledger) -> None:
        self.ledger = ledger
        self.held_back_s = 0.0  # how long submissions waited because too many were alive
        self._api = api
        self._numbers = count()
        self._over: deque[tuple[float, str]] = deque()  # (when it ended, uid), to be judged
        self._places: dict[str, tuple[str, str]] = {}  # uid -> namespace, name, of workflows that are not deleted
        self._namespaces: dict[str, float] = {}  # and when it was in use for the last time, at most
        self._opening = anyio.Lock()  # a namespace is made by one, and there before the others use it

    @property
    def alive(self) -> int:
        """Workflows that have not ended."""
        return self.ledger.submitted - self.ledger.ended

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch, judge and delete while inside."""
        async with anyio.create_task_group() as tasks:
            for resource, kind in ((WORKFLOWS, "workflow"), (PODS, "pod")):
                version = (await self._api.list(resource, limit=1)).resource_version
                tasks.start_soon(self._follow, resource, kind, version)
            for _ in range(DELETERS):
                tasks.start_soon(self._judge)
            tasks.start_soon(self._tidy)
            yield
            tasks.cancel_scope.cancel()

    async def closed(self, seconds: float, in_flight: int) -> float:
        """As fast as they end, so many alive at a time; how many ended in a second."""
        began, ended = time.monotonic(), self.ledger.ended
        await self._submit(began + seconds, lambda _: 0.0, in_flight)
        return (self.ledger.ended - ended) / (time.monotonic() - began)

    async def steady(self, seconds: float, rate: float, in_flight: int) -> None:
        """So many a second, and never more than `in_flight` alive."""
        began = time.monotonic()
        await self._submit(began + seconds, lambda number: began + number / rate, in_flight)

    async def _submit(self, end: float, due: Callable[[int], float], in_flight: int) -> None:
        """Create each when it is due, as long as there is room."""
        numbers = count()

        async def one_after_the_other() -> None:
            for number in numbers:
                await anyio.sleep(max(0.0, due(number) - time.monotonic()))
                began = time.monotonic()
                while self.alive >= in_flight and time.monotonic() < end:  # noqa: ASYNC110  a load, not a wait
                    await anyio.sleep(0.005)
                self.held_back_s += time.monotonic() - began
                if time.monotonic() >= end:
                    return
                await self._create()

        async with anyio.create_task_group() as tasks:
            for _ in range(SUBMITTERS):
                tasks.start_soon(one_after_the_other)

    async def drained(self, limit_s: float) -> None:
        """Wait until all have ended and are judged, or none ended for so long; what is left is judged then."""
        ended, since = self.ledger.ended, time.monotonic()
        while self.ledger.open and time.monotonic() < since + limit_s:
            await anyio.sleep(0.5)
            if self.ledger.ended != ended:
                ended, since = self.ledger.ended, time.monotonic()
        for uid in list(self.ledger.open):
            self.ledger.settle(uid)

    async def _create(self) -> None:
        thing, pods = of_number(next(self._numbers))
        thing["metadata"]["namespace"] = namespace = await self._namespace()
        while True:
            try:
                made = await self._api.create(WORKFLOWS, thing)
            except Throttled as refusal:
                await anyio.sleep(refusal.after_s)
            else:
                self._places[made["metadata"]["uid"]] = namespace, made["metadata"]["name"]
                self.ledger.submit(made, pods, time.monotonic())
                return

    async def _namespace(self) -> str:
        """The one whose turn it is; if all in it from its last turn was not settled yet, it is used again as it is."""
        name = f"soak-{int(time.monotonic() / TURN_S) % NAMESPACES_MAX}"
        async with self._opening:
            while name not in self._namespaces:
                try:
                    await self._api.create(NAMESPACES, {"metadata": {"name": name}})
                    self._namespaces[name] = 0.0
                except Conflict:
                    await anyio.sleep(0.5)  # it is not gone yet
            self._namespaces[name] = time.monotonic() + TURN_S
        return name

    # ------------------------------------------------------------------------------------------ what came of it

    async def _follow(self, resource: Resource, kind: str, version: str) -> None:
        """Tell the ledger of every state, and also when something can have been overlooked."""
        while True:
            try:
                async with self._api.watch(resource, Selection(), resource_version=version) as events:
                    async for event in events:
                        version = event.object["metadata"]["resourceVersion"]
                        if event.type == "ADDED" or (kind == "workflow" and event.type == "MODIFIED"):
                            self._tell(kind, event.object)
            except Expired:
                self.ledger.overlooked(f"the watch of {resource.plural} fell behind: the observer was too slow")
                version = await self._look_again(resource, kind)
            except ApiError:
                await anyio.sleep(0.2)  # the stream ended: go on where it was

    async def _look_again(self, resource: Resource, kind: str) -> str:
        """Tell what there is now of workflows that are not settled; the version to go on from."""
        found = await self._api.list(resource)
        for thing in found.items:
            if (thing["metadata"]["uid"] if kind == "workflow" else owner_uid(thing)) in self.ledger.open:
                self._tell(kind, thing)
        return found.resource_version

    def _tell(self, kind: str, thing: Object) -> None:
        now = time.monotonic()
        if uid := self.ledger.see(kind, thing, now):
            self._over.append((now, uid))

    async def _judge(self) -> None:
        """Settle and delete what has been over for long enough."""
        while True:
            if not self._over or self._over[0][0] + KEPT_S > time.monotonic():
                await anyio.sleep(0.1)
                continue
            _, uid = self._over.popleft()
            self.ledger.settle(uid)
            namespace, name = self._places.pop(uid)
            with suppress(Gone):
                await self._api.delete(Reference(WORKFLOWS, namespace, name, uid), propagation="Background")

    async def _tidy(self) -> None:
        """Delete namespaces that nobody needs any more."""
        while True:
            await anyio.sleep(TURN_S / 2)
            for name, end in list(self._namespaces.items()):
                async with self._opening:
                    if end + OLD_S < time.monotonic() and name not in {place for place, _ in self._places.values()}:
                        del self._namespaces[name]
                        with suppress(Gone):
                            await self._api.delete(Reference(NAMESPACES, "", name))


def summary(load: Load) -> dict[str, Any]:
    """What the ledger says, and how long submissions were held back."""
    return load.ledger.verdict() | {"held back s": round(load.held_back_s, 1)}
