"""One of several processes holds a lease: the loop that does what `lease.step` says, and tells when it is won or lost.

Losing it is noticed twice. After five seconds without an acknowledged renewal `held` is false, so nothing is written,
but nothing is thrown away either: the server may only have been out of reach. When the record names somebody else,
the reign is over, and what was decided in it is dropped. The holder's last act is to give the lease back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import anyio
from anyio.abc import TaskStatus

from runtime.api import AlreadyExists, Api, ApiError, Conflict, Gone
from runtime.clock import Clock
from runtime.lease import (
    TERMS,
    Happened,
    Look,
    Next,
    Seen,
    Terms,
    Unwritten,
    View,
    Written,
    claim,
    deposed,
    holds,
    parse,
    release,
    step,
)
from runtime.log import Log
from runtime.objects import LEASES, Object, Reference

RELEASE_S = 1.0
"""What the farewell may take: a successor waits for it, and without it only as long as the lease lasts."""

log = Log()


class ElectionStatistics(NamedTuple):
    """The lease, who holds it as far as we know (empty: nobody), whether we do, and since when nobody confirmed it."""

    lease: str
    identity: str
    holder: str
    held: bool
    known: bool
    reign: int
    unconfirmed_s: float


class Election:
    """A candidate for one lease. Its `run` is a supervisor's child."""

    def __init__(self, api: Api, ref: Reference, identity: str, clock: Clock, terms: Terms = TERMS) -> None:
        if ref.resource != LEASES or not identity:
            raise ValueError(f"an election needs a Lease and an identity, not {ref} and {identity!r}")
        self.identity = identity
        self.since = 0.0  # when this reign was acknowledged, by the monotonic clock
        self.on_held: Callable[[], None] = lambda: None  # told after each acknowledged write of ours
        self._api = api
        self._ref = ref
        self._clock = clock
        self._terms = terms
        self._view = View()
        self._moved = anyio.Event()  # replaced whenever the view has changed
        self._error = ""  # the last failure, so that a server away for an hour is said once

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Stand for election until cancelled; then give the lease back.

        Started when it was looked who leads, and taken what nobody held: who lists after that need not list again."""
        next_: Next = Look(0.0)
        started = False
        try:
            while True:
                await anyio.sleep(next_.after_s)
                happened = await self._look() if isinstance(next_, Look) else await self._write()
                next_ = self._take_in(happened)
                if not started and (self.held or isinstance(next_, Look)):
                    started = True
                    task_status.started()
        finally:
            with anyio.move_on_after(RELEASE_S, shield=True):
                await self._release()

    def _take_in(self, happened: Happened) -> Next:
        before = self._view
        was = self.held
        self._view, next_ = step(before, happened, self._clock.monotonic(), self.identity, self._terms)
        if self._view.reign != before.reign:
            self.since = self._clock.monotonic()
        if isinstance(happened, Written):
            self._error = ""
            if not was:
                log.info("lease.held", lease=str(self._ref), identity=self.identity, reign=self._view.reign)
            self.on_held()
        elif (
            before.renewed_at is not None and deposed(self._view, self.identity) and not deposed(before, self.identity)
        ):
            log.warning("lease.lost", lease=str(self._ref), identity=self.identity, holder=self.holder)
        moved, self._moved = self._moved, anyio.Event()
        moved.set()
        return next_

    async def _look(self) -> Happened:
        try:
            with anyio.fail_after(self._terms.renew_s):
                return Seen(parse(await self._api.get(self._ref), self._terms))
        except Gone:
            return Seen(None)
        except (ApiError, TimeoutError) as error:
            return self._failed("read", error)

    async def _write(self) -> Happened:
        begun_at = self._clock.monotonic()
        record = self._view.record
        wish = claim(self._ref, record, self.identity, self._clock.wall(), self._terms)
        try:
            with anyio.fail_after(self._terms.renew_s):
                stored = await self._store(wish, new=record is None)
        except (Conflict, AlreadyExists, Gone):
            return Unwritten(contested=True)
        except (ApiError, TimeoutError) as error:
            return self._failed("written", error)
        return Written(parse(stored, self._terms), begun_at)

    async def _store(self, wish: Object, *, new: bool) -> Object:
        return await (self._api.create(LEASES, wish) if new else self._api.replace(LEASES, wish))

    def _failed(self, what: str, error: ApiError | TimeoutError) -> Unwritten:
        text = f"no answer within {self._terms.renew_s:g} s" if isinstance(error, TimeoutError) else str(error)
        if text != self._error:
            log.warning(f"lease.not_{what}", lease=str(self._ref), error=text)
        self._error = text
        return Unwritten()

    async def _release(self) -> None:
        record = self._view.record
        if record is None or record.holder != self.identity or self._view.renewed_at is None:
            return
        try:
            await self._api.replace(LEASES, release(self._ref, record, self._clock.wall()))
            log.info("lease.released", lease=str(self._ref), identity=self.identity)
        except ApiError as error:
            log.warning("lease.not_released", lease=str(self._ref), error=str(error))
        finally:
            self._view = View()

    # -------------------------------------------------------------------------------------------------- ask

    @property
    def name(self) -> str:
        """The lease, as "namespace/name"."""
        return f"{self._ref.namespace}/{self._ref.name}"

    @property
    def held(self) -> bool:
        """Whether we may write at this moment."""
        return holds(self._view, self._clock.monotonic(), self.identity, self._terms)

    @property
    def holder(self) -> str:
        """Who holds the lease, as far as we know; empty: nobody."""
        return self._view.record.holder if self._view.record is not None else ""

    @property
    def known(self) -> bool:
        """Whether the server has told us who leads."""
        return self._view.known

    async def informed(self) -> None:
        """Wait until it is known who leads."""
        while not self._view.known:
            await self._moved.wait()

    async def won(self) -> int:
        """Wait until the lease is ours; the number of this reign."""
        while not self.held:
            await self._moved.wait()
        return self._view.reign

    async def lost(self, reign: int) -> None:
        """Wait until that reign is over: the record named somebody else, or nobody, in between."""
        while self._view.reign == reign and not deposed(self._view, self.identity):
            await self._moved.wait()

    def statistics(self) -> ElectionStatistics:
        """The state of this moment."""
        view = self._view
        since = view.renewed_at if self.holder == self.identity else view.changed_at
        silent = 0.0 if since is None or not view.known else self._clock.monotonic() - since
        return ElectionStatistics(
            self.name,
            self.identity,
            self.holder,
            self.held,
            view.known,
            view.reign,
            silent,
        )
