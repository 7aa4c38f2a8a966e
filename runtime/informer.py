"""One list+watch per resource and selector feeds one store, and through it everybody who is concerned.

The driver of `watch.step`: it does what the state says, reports what happened, lets the store change, and only then
tells. However many rooms look at a resource, the server streams it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from runtime.api import Api, ApiError, Gone, Refused, Selection, Unavailable, WatchEvent
from runtime.clock import Clock
from runtime.log import Log
from runtime.objects import Resource
from runtime.shares import Share
from runtime.store import Change, Store
from runtime.watch import (
    Broke,
    Closed,
    Dropped,
    Elapsed,
    Heard,
    Input,
    Listed,
    Listing,
    Paged,
    Put,
    State,
    Waiting,
    Watching,
    anew,
    ordinary,
    step,
)

WATCH_TIMEOUT_S = 290
"""Asked of the server: below the five minutes after which many a proxy cuts a silent connection."""

WATCH_GRACE_S = 15.0
"""So much later we hang up ourselves: a connection may be dead without anybody having said so."""

LIST_TIMEOUT_S = 60.0
PAGE_LIMIT = 500
"""Objects a page: what the server can send in one answer without being ill."""

SLICE_S = 0.005
"""After so long with the news of one resource, the event loop may do something else."""

log = Log()


class Scope(NamedTuple):
    """What is listed and watched: which objects of which resource."""

    resource: Resource
    selection: Selection = Selection()
    optional: bool = False  # forbidden is as good as absent


class InformerStatistics(NamedTuple):
    """How fresh one resource is: seconds since the server last said anything, and how it stands with the watch."""

    resource: Resource
    labels: str
    objects: int
    synced: bool
    served: bool
    doing: str  # listing, watching, waiting
    silent_s: float
    lists: int
    events: int
    error: str  # the last failure; empty once the server has answered again


class Informer:
    """Keeps `store` true to the server, and tells what changed through `tell`."""

    def __init__(
        self,
        api: Api,
        scope: Scope,
        store: Store | Share,
        tell: Callable[[Sequence[Change]], None],
        clock: Clock,
        dice: Random,
    ) -> None:
        self.resource, self._selection, self._optional = scope
        self.store = store
        self.synced = anyio.Event()
        self.listed_at = 0.0  # when the list was asked for that was taken in last, by the monotonic clock
        self._asked_at = 0.0  # when the last one was asked for
        self._taken_in = anyio.Event()  # replaced whenever a list was
        self._doing: anyio.CancelScope | None = None  # only while there is a loop
        self._api = api
        self._tell = tell
        self._clock = clock
        self._dice = dice
        self._state: State = Listing()
        self._served = True
        self._heard_at = clock.monotonic()
        self._lists = self._events = 0
        self._error = ""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """List and watch until cancelled. Restarted after a crash, it lists again."""
        self._state = Listing()
        task_status.started()
        while True:
            with anyio.CancelScope() as self._doing:
                await self._do(self._state)

    async def renew(self) -> None:
        """List anew, and return when all is in the store that there was at this moment."""
        since = self._clock.monotonic()
        while self.listed_at < since:
            self._asked_at = -1.0  # what is under way was asked for before
            self._state = anew(self._state) if self._served else Listing()  # nobody asked to wait for an absent kind
            if isinstance(self._state, Listing) and self._doing is not None:
                self._doing.cancel()
            await self._taken_in.wait()

    async def _do(self, state: State) -> None:
        """What the state says is to be done next."""
        match state:
            case Listing():
                await self._list(state)
            case Watching():
                await self._watch(state)
            case Waiting(delay_s):
                await anyio.sleep(delay_s)
                await self._happened(Elapsed())

    async def _list(self, state: Listing) -> None:
        self._lists += 1
        self._asked_at = self._asked_at if state.continue_ else self._clock.monotonic()
        known = self.store.get if len(self.store) else None  # of a first list nothing is: nobody need look for it
        try:
            with anyio.fail_after(LIST_TIMEOUT_S):
                page = await self._api.list(
                    self.resource, self._selection, limit=PAGE_LIMIT, continue_=state.continue_, known=known
                )
        except ApiError as error:
            await self._failed(error)
        except TimeoutError:
            await self._failed(Unavailable(f"no list of {self.resource.plural} within {LIST_TIMEOUT_S:.0f} s"))
        except Exception as error:  # noqa: BLE001  # a bug below must not leave the others without news
            await self._broke(error)
        else:
            self._served = True
            self._answered()
            if self._state is state:  # nobody wants another list meanwhile
                await self._happened(Paged(page))

    async def _watch(self, state: Watching) -> None:
        opened = paused = self._clock.monotonic()
        try:
            with anyio.move_on_after(WATCH_TIMEOUT_S + WATCH_GRACE_S) as limit:
                stream = self._api.watch(
                    self.resource, self._selection, resource_version=state.version, timeout_s=WATCH_TIMEOUT_S
                )
                async with stream as events:
                    self._error = ""  # it takes the watch
                    async for event in events:
                        self._events += 1
                        self._answered()
                        self._hear(event)
                        if not isinstance(self._state, Watching):
                            return  # there is a reason to list again
                        if self._heard_at - paused >= SLICE_S:
                            await anyio.lowlevel.checkpoint()
                            paused = self._clock.monotonic()
        except ApiError as error:
            await self._failed(error)
        except Exception as error:  # noqa: BLE001  # see _list
            await self._broke(error)
        else:
            if not limit.cancelled_caught:
                self._answered()  # it closed in order: it is there, though nothing has happened
            await self._happened(Closed(self._clock.monotonic() - opened))

    def _hear(self, event: WatchEvent) -> None:
        """One line of the watch; the shortest way, for there are thousands in a second."""
        after = ordinary(self._state, event)
        if after is not None:
            self._state = after
            self._tell(self.store.put(event.object))
            return
        self._state, output = step(self._state, Heard(event), self._dice)
        if output is not None:
            self._tell(self._change(output))  # type: ignore[arg-type]  # an event is never a list

    def _answered(self) -> None:
        self._heard_at = self._clock.monotonic()
        self._error = ""

    async def _broke(self, error: Exception) -> None:
        log.exception("informer.broke", resource=self.resource.plural, exc_info=error)
        await self._failed(Unavailable(f"{type(error).__name__}: {error}"))

    async def _failed(self, error: ApiError) -> None:
        text = f"{type(error).__name__}: {error}"
        if self._optional and isinstance(error, Refused):
            error = Gone(error.message, code=error.code, reason=error.reason)
        if isinstance(error, Gone):
            if self._served:  # said once, and again only when it was there in between
                source = {"resource": self.resource.plural, "api_version": self.resource.api_version}
                log.info("resource.absent", **source, error=text)
            self._served = False
        elif text != self._error:
            log.warning("watch.failed", resource=self.resource.plural, error=text)
        self._error = text
        await self._happened(Broke(error))

    async def _happened(self, what: Input) -> None:
        self._state, output = step(self._state, what, self._dice)
        if isinstance(output, Listed):
            await self._replace(output)
        elif output is not None:
            self._tell(self._change(output))

    async def _replace(self, listed: Listed) -> None:
        """Take in a whole list, a slice of time at a time; a state that was said before is not said again."""
        paused = self._clock.monotonic()
        for changes in self.store.replace(listed.items):
            self._tell(changes)
            if self._clock.monotonic() - paused >= SLICE_S:
                await anyio.lowlevel.checkpoint()
                paused = self._clock.monotonic()
        self.listed_at = self._asked_at
        taken_in, self._taken_in = self._taken_in, anyio.Event()
        taken_in.set()
        if not self.synced.is_set():
            self.synced.set()
            log.info("informer.synced", resource=self.resource.plural, objects=len(self.store))

    def _change(self, output: Put | Dropped) -> list[Change]:
        return self.store.put(output.object) if isinstance(output, Put) else self.store.drop(output.object)

    def statistics(self) -> InformerStatistics:
        """The state of this moment."""
        doing = {Listing: "listing", Watching: "watching", Waiting: "waiting"}[type(self._state)]
        return InformerStatistics(
            self.resource,
            self._selection.labels,
            len(self.store),
            self.synced.is_set(),
            self._served,
            doing,
            self._clock.monotonic() - self._heard_at,
            self._lists,
            self._events,
            self._error,
        )
