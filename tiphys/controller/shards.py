"""One process among several: it holds some groups of namespaces, each with controllers of its own, and takes its share.

A group is a whole system of actors with a lease: it begins with lists of its own, which fill its caches while another
process still holds the lease, and it ends as a controller ends: its actors stop, what they have asked for is written,
and then the lease is given back. So taking a group over, or giving it up, touches no other.

    shards (rest_for_one) > standing leases, division > one system for each group that is ours, announcement

Once a second each process looks at all leases, and does what `runtime.allotment` says. The announcement ends first, so
the others are ready for our groups when we let go of them; the standing leases end last.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

import anyio
from anyio.abc import TaskGroup, TaskStatus

from runtime.allotment import Notice, allot, holder, notice
from runtime.api import Api, ApiError, Gone, Selection
from runtime.clock import Clock
from runtime.dependent import Announced, Dependent, Standing
from runtime.election import Election
from runtime.health import not_alive, not_ready
from runtime.lease import TERMS, Terms, parse
from runtime.log import Log
from runtime.objects import LEASES, Reference
from runtime.supervisor import Child, Supervisor
from runtime.system import System
from tiphys.controller.sharding import Sharding

LOOK_S = 1.0
"""Between two looks at who is there."""

LOOKS_FIRST = 2
"""Looks before a group is taken: processes that start together see each other, and nothing is moved at once."""

SHUTDOWN_S = 15.0
"""What all systems together are given to write what they have begun."""

FORGOTTEN_S = 600.0
"""The announcement of somebody who has been silent for so long is taken away."""

log = Log()


class ShardsStatistics(NamedTuple):
    """Who is there, who holds each group (empty: nobody), and which are ours; as of the last look."""

    groups: int
    members: tuple[str, ...]
    holders: tuple[str, ...]
    ours: tuple[int, ...]
    looked: bool
    error: str  # why the last look failed


class Shards:
    """A member of a division. `make` builds the system of a group, which stands for that election."""

    def __init__(
        self,
        api: Api,
        sharding: Sharding,
        make: Callable[[int, Election], System],
        clock: Clock,
        *,
        terms: Terms = TERMS,
        beside: Callable[[System], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.sharding = sharding
        self.systems: dict[int, System] = {}  # by group: ours, and those that we are about to take or give up
        self.standing = tuple(Standing(api, ref, sharding.together, clock, terms) for ref in sharding.standing)
        self.announced = Announced(api, sharding.member, sharding.identity, clock, terms)
        self._api = api
        self._make = make
        self._beside = beside  # what is run with each system
        self._clock = clock
        self._terms = terms
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._notices: dict[str, Notice] = {}
        self._uids: dict[str, str] = {}
        self._members: tuple[str, ...] = ()
        self._looks = 0
        self._error = ""
        self._settled = anyio.Event()
        self._starting: set[int] = set()
        self._tree = Supervisor(
            "shards",
            [
                *(Child(f"standing {election.name}", election.run) for election in self.standing),
                Child("division", self._divide, shutdown_s=SHUTDOWN_S),
                Child("announcement", self.announced.run),
            ],
            strategy="rest_for_one",
            monotonic=clock.monotonic,
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Take part until cancelled; started when we have what is ours, or know who has. Raises groups of Escalated."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tree.run)
            await self._settled.wait()
            task_status.started()

    async def _divide(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        async with anyio.create_task_group() as tasks:
            while True:
                try:
                    await self._look()
                except (ApiError, TimeoutError) as error:
                    self._failed(error)
                else:
                    await self._act(tasks)
                await anyio.sleep(LOOK_S)

    # ------------------------------------------------------------------------------------------------ look

    async def _look(self) -> None:
        with anyio.fail_after(self._terms.renew_s):
            found = (await self._api.list(LEASES, Selection(self.sharding.namespace))).items
        leases = {thing["metadata"]["name"]: thing for thing in found}
        records = {name: parse(leases[name], self._terms) for name in self._names(leases)}
        now = self._clock.monotonic()
        self._notices = notice(self._notices, records, now)
        self._uids = {name: leases[name]["metadata"].get("uid", "") for name in records}
        present = {holder(seen, now) for name, seen in self._notices.items() if self._is_member(name)}
        self._members = tuple(sorted({*present, self.sharding.identity} - {""}))
        self._looks += 1
        self._error = ""

    def _names(self, leases: Mapping[str, object]) -> list[str]:
        ours = {self.sharding.group(number).name for number in range(self.sharding.groups)}
        return [name for name in leases if name in ours or self._is_member(name)]

    def _is_member(self, name: str) -> bool:
        return name.startswith(self.sharding.members)

    def _failed(self, error: ApiError | TimeoutError) -> None:
        text = str(error) or f"no answer within {self._terms.renew_s:g} s"
        if text != self._error:
            log.warning("shards.not_read", error=text)
        self._error = text

    def holders(self) -> tuple[str, ...]:
        """Who holds each group, as of the last look; empty: nobody."""
        now = self._clock.monotonic()
        names = [self.sharding.group(number).name for number in range(self.sharding.groups)]
        return tuple(holder(self._notices.get(name), now) for name in names)

    # ------------------------------------------------------------------------------------------------- act

    async def _act(self, tasks: TaskGroup) -> None:
        """Begin with what is to be ours, and end with what is not."""
        wanted = self._wanted()
        if wanted is None:
            return
        for number in [number for number in self._scopes if number not in wanted]:
            if not self._scopes[number].cancel_called:
                log.info("shard.given_up", shard=number, of=self.sharding.groups)
                self._scopes[number].cancel()
        for number in sorted(wanted - self._scopes.keys()):
            log.info("shard.wanted", shard=number, of=self.sharding.groups)
            self._starting.add(number)
            self._scopes[number] = anyio.CancelScope()
            tasks.start_soon(self._work, number)
        self._settle()
        await self._tidy()

    def _wanted(self) -> frozenset[int] | None:
        """The groups that are to be ours; None: all stays as it is."""
        if any(election.known and election.holder not in ("", election.identity) for election in self.standing):
            self._settled.set()
            return frozenset()  # somebody of another kind leads: we have nothing, and stand by
        if self._looks < LOOKS_FIRST or not self.announced.held or not all(each.held for each in self.standing):
            return None
        share = allot(self._members, self.holders())
        return frozenset(number for number, who in enumerate(share) if who == self.sharding.identity)

    async def _work(self, number: int) -> None:
        """Run a group's system until it is not to be ours any more."""
        sharding = self.sharding
        ref, terms = sharding.group(number), self._terms
        lease = Dependent(self._api, ref, sharding.identity, self._clock, on=self.standing, terms=terms)
        if ref.name in self._notices:
            lease.remember(*self._notices[ref.name])
        try:
            with self._scopes[number]:
                system = self.systems[number] = self._make(number, lease)
                async with anyio.create_task_group() as tasks:
                    await tasks.start(system.run)
                    if self._beside is not None:
                        tasks.start_soon(self._beside, system)
                    self._starting.discard(number)
                    self._settle()
        finally:
            self._starting.discard(number)
            self.systems.pop(number, None)
            self._scopes.pop(number, None)

    def _settle(self) -> None:
        if not self._starting:
            self._settled.set()

    async def _tidy(self) -> None:
        """The first of all members takes away what the dead have left."""
        if self._members[:1] != (self.sharding.identity,):
            return
        now = self._clock.monotonic()
        for name, seen in self._notices.items():
            if self._is_member(name) and now - seen.since > FORGOTTEN_S:
                try:
                    await self._api.delete(Reference(LEASES, self.sharding.namespace, name, self._uids[name]))
                except Gone:
                    continue
                except ApiError as error:
                    self._failed(error)

    # ------------------------------------------------------------------------------------------------- ask

    def statistics(self) -> ShardsStatistics:
        """The state of this moment."""
        ours = tuple(sorted(number for number, system in self.systems.items() if system.elections[0].held))
        holders = [self.sharding.identity if at in ours else who for at, who in enumerate(self.holders())]
        return ShardsStatistics(self.sharding.groups, self._members, tuple(holders), ours, self._looks > 0, self._error)

    def not_alive(self) -> list[str]:
        """Why the process should be restarted."""
        complaints = [
            f"{each.name} does not run" for each in self._tree.statistics() if each.wanted and not each.running
        ]
        return complaints + self._each(lambda system: not_alive(system.statistics()))

    def not_ready(self) -> list[str]:
        """Why nothing should be expected of it at this moment."""
        unknown = [f"it is not known who holds the lease {each.name}" for each in self.standing if not each.known]
        if not unknown and not self._looks:
            unknown = [f"it is not known who has which shard: {self._error or 'nobody has looked yet'}"]
        return unknown + self._each(lambda system: not_ready(system.statistics()))

    def _each(self, judge: Callable[[System], Sequence[str]]) -> list[str]:
        return [f"shard {number}: {text}" for number, one in sorted(self.systems.items()) for text in judge(one)]
