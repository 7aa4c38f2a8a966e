"""Elections of those that share a division of work: what all of them hold together, who is there, and each one's part.

    standing     one lease for all members, under one name: while one of them lives, nobody of another kind may lead
    announced    a lease of each member's own, which only says that it lives
    dependent    the lease of a part, which counts only while the standing ones do

A member writes only while its own renewals of all that its part rests on are young enough, so whoever takes over the
standing lease (another kind of controller, or members that divide the work otherwise) finds all parts silent.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.api import Api, ApiError, Gone
from runtime.clock import Clock
from runtime.election import Election
from runtime.lease import TERMS, Record, Terms, View
from runtime.log import Log
from runtime.objects import Reference

log = Log()


class Standing(Election):
    """A lease that several hold under one identity; who leaves does not give it back: others may be there."""

    async def _release(self) -> None:
        """It is over when the last of them no longer renews it."""


class Announced(Election):
    """A lease that nobody else wants: it says that we are there, and goes with us."""

    async def _release(self) -> None:
        record = self._view.record
        if record is None or record.holder != self.identity:
            return
        try:
            await self._api.delete(self._ref)
        except Gone:
            pass
        except ApiError as error:
            log.warning("lease.not_deleted", lease=str(self._ref), error=str(error))


class Dependent(Election):
    """A candidate for a lease that counts only together with others, which somebody else runs."""

    def __init__(
        self,
        api: Api,
        ref: Reference,
        identity: str,
        clock: Clock,
        on: Sequence[Election],
        terms: Terms = TERMS,
    ) -> None:
        super().__init__(api, ref, identity, clock, terms)
        self._on = tuple(on)
        self._reigns: tuple[int, ...] = ()  # of those others, when this one was won

    def remember(self, record: Record, since: float) -> None:
        """What is known of the lease before it is looked at: it has said so since then (monotonic)."""
        self._view = View(record, since, known=True)

    @property
    def held(self) -> bool:
        """Whether we may write at this moment."""
        return super().held and all(other.held for other in self._on)

    async def won(self) -> int:
        """Wait until all is ours. Looked at again with each of our renewals."""
        reign = await super().won()
        self._reigns = self._now()
        self.since = max(self.since, *(other.since for other in self._on))
        return reign

    async def lost(self, reign: int) -> None:
        """Wait until one of those reigns is over."""
        while self._view.reign == reign and not self._deposed() and self._now() == self._reigns:
            await self._moved.wait()

    def _deposed(self) -> bool:
        view = self._view
        mine = view.record is not None and view.record.holder == self.identity
        return (view.known and not mine) or any(other.holder != other.identity for other in self._on)

    def _now(self) -> tuple[int, ...]:
        return tuple(other.statistics().reign for other in self._on)
