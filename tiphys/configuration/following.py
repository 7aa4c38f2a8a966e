"""The configuration of a running controller follows its ConfigMap: what is changed there counts without a restart.

A ConfigMap that is not there is an empty one. One that cannot be used changes nothing: the log and an Event at the
ConfigMap say why, and the last good one stays in force. At the start it is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from actors.names.timestamps import rfc3339
from runtime.api import AlreadyExists, Api, ApiError, Gone, Selection
from runtime.clock import Clock
from runtime.informer import Informer, Scope
from runtime.log import Log
from runtime.messages import Address, Observed
from runtime.objects import CONFIGMAPS, EVENTS, Object, Reference
from runtime.store import Change, Store
from tiphys.configuration.notices import notices
from tiphys.configuration.problems import BadConfiguration

if TYPE_CHECKING:  # where there is no ConfigMap, nobody waits for pydantic
    from tiphys.configuration.keys import Configuration

NAME = "workflow-controller-configmap"
HERE = Address("configuration", "", "", "")

log = Log()


async def at_start(api: Api, ref: Reference) -> Configuration:
    """The configuration as it is now. Raises BadConfiguration, ApiError."""
    try:
        thing = await api.get(ref)
    except Gone:
        log.info("configuration.absent", config_map=f"{ref.namespace}/{ref.name}")
        return _read({})
    return _read(thing.get("data") or {})


def _read(written: Mapping[str, str]) -> Configuration:
    from tiphys.configuration.reading import configuration  # noqa: PLC0415

    return configuration(written)


class Follower:
    """Keeps what a ConfigMap says in force: `use` is called with every configuration that can be used."""

    def __init__(
        self, api: Api, ref: Reference, use: Callable[[Configuration], Sequence[str]], clock: Clock, dice: Random
    ) -> None:
        self.problems: list[str] = []  # of the ConfigMap as it is; empty when it is in force
        self._api = api
        self._ref = ref
        self._use = use
        self._clock = clock
        self._wrong = anyio.Event()
        self._last: Mapping[str, Any] | None = None
        selection = Selection(ref.namespace, fields=f"metadata.name={ref.name}")
        store = Store(CONFIGMAPS, lambda thing: (HERE if thing["metadata"]["name"] == ref.name else None,))
        self._informer = Informer(api, Scope(CONFIGMAPS, selection), store, self._told, clock, dice)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._informer.run)
            while True:
                await self._wrong.wait()
                self._wrong = anyio.Event()
                await self._report()

    def _told(self, changes: Sequence[Change]) -> None:
        for change in changes:
            thing = change.message.object if isinstance(change.message, Observed) else None
            self._take(thing)

    def _take(self, thing: Object | None) -> None:
        written = (thing or {}).get("data") or {}
        if written == self._last:
            return
        self._last = written
        try:
            read = _read(written)
            told = [*notices(read), *self._use(read)]
        except BadConfiguration as error:
            self.problems = error.problems
            self._wrong.set()
            for problem in error.problems:
                log.error("configuration.refused", problem=problem, kept="the last good one")  # noqa: TRY400  # no bug
        else:
            self.problems = []
            log.info("configuration.used", config_map=f"{self._ref.namespace}/{self._ref.name}")
            for notice in told:
                log.warning("configuration.without_effect", notice=notice)

    async def _report(self) -> None:
        """Tell of problems by an Event at the ConfigMap, once for each text."""
        try:
            thing = await self._api.get(self._ref)
            await self._api.create(EVENTS, event(thing, self.problems, self._clock.wall()))
        except (AlreadyExists, Gone):
            return
        except ApiError as error:
            log.warning("configuration.event_refused", error=error.message)


def event(config_map: Object, problems: Sequence[str], now: float) -> Object:
    """The Event that says why a ConfigMap is not in force; its name follows from what it says."""
    meta = config_map["metadata"]
    text = "; ".join(problems)[:1024]
    digest = hashlib.sha256(f"{meta['uid']}\0{text}".encode()).hexdigest()[:16]
    at = rfc3339(now)
    return {
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": f"{meta['name'][:200]}.{digest}", "namespace": meta.get("namespace", "")},
        "involvedObject": {
            "apiVersion": "v1", "kind": "ConfigMap", "namespace": meta.get("namespace", ""), "name": meta["name"],
            "uid": meta["uid"],
        },
        "type": "Warning", "reason": "ConfigurationRefused", "message": text,
        "source": {"component": "workflow-controller"}, "reportingComponent": "workflow-controller",
        "firstTimestamp": at, "lastTimestamp": at, "count": 1,
    }  # fmt: skip
