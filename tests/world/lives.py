"""The controllers live, die and are replaced: at any moment, at any write, with their last words still on the wire.

Whatever dies, only what the API server holds survives; so death right before and right after every write is death
between any two commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import anyio
from anyio.abc import TaskGroup

from actors.names import labels
from runtime.actor import Mind, Room, Watch
from runtime.api import ApiError
from runtime.election import Election
from runtime.lease import Terms
from runtime.messages import Address, Command, Done, Gone, Message, Observed, Told
from runtime.objects import LEASES, PODS, Object, Reference
from runtime.system import Settings, System
from tests.virtual_time import VirtualClock
from tests.world.faults import Plan
from tests.world.installation import installed
from tests.world.judge import Judge
from tests.world.weather import Call, Weather
from tiphys.controllers import ControllerSettings, rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

DEATHS_MAX = 8
LEASE = Reference(LEASES, "default", "controller")
TERMS = Terms(lease_s=80.0, renew_s=20.0, fence_s=50.0, look_s=5.0)  # in hours of waiting, seldom enough
GROUPS_MAX = 2  # actors of composites that crash in one run
CONCURRENCY = 8
ROOMS = frozenset({"workflow", "node", "lock", "queue"})  # those that a workflow needs
OTHERS = {"user_delete": "orphan"}  # and those that it needs when that may happen
SEEN = frozenset({"workflows", "pods"})  # what a workflow here is made of; other streams would only cost time
SETTINGS = ControllerSettings(node_events=False)  # likewise Events about nodes: nothing depends on them
_POD_LABELS = f"{labels.WORKFLOW},!nobody"  # all pods of workflows, by a stream of its own


class Struck(Exception):
    """An actor is made to crash."""


class SkewedClock:
    """The controller's own clock: wrong by `off_s`, which may change while it runs."""

    def __init__(self, clock: VirtualClock, off_s: float = 0.0) -> None:
        self._clock = clock
        self.off_s = off_s

    def wall(self) -> float:
        """Seconds since the epoch, as this machine believes."""
        return self._clock.wall() + self.off_s

    def monotonic(self) -> float:
        """Seconds since some moment; nobody's clock error."""
        return self._clock.monotonic()


class Mortal:
    """A mind whose actors crash when the plan says so."""

    def __init__(self, mind: Mind, strikes: Callable[[Address, Message], bool]) -> None:
        self._mind = mind
        self._strikes = strikes

    def birth(self, address: Address, argument: Any) -> Any:
        """As the mind does."""
        return self._mind.birth(address, argument)

    def receive(self, state: Any, message: Message, now: float) -> Iterable[Command]:
        """As the mind does; a crash comes before it, or after it, when what it wanted is lost."""
        strikes = self._strikes(self._address(state), message)
        commands = list(self._mind.receive(state, message, now))
        if strikes:
            raise Struck("struck by the simulator")
        return commands

    def waiting(self, state: Any) -> str:
        """As the mind does."""
        return self._mind.waiting(state)

    def _address(self, state: Any) -> Address:
        found: Address = getattr(state, "address", Address("", "", "", ""))
        return found


class Witness:
    """A mind that is told of all pods and checks what the kernel promises to minds."""

    def __init__(self, broken: Callable[[str], None]) -> None:
        self._broken = broken
        self.known: dict[str, Object] = {}

    def birth(self, address: Address, argument: Any) -> None:
        """Nothing is known yet."""
        del address, argument
        self.known.clear()

    def receive(self, state: None, message: Message, now: float) -> Iterable[Command]:
        """Another uid under a name is never told before the end of the former one."""
        del state, now
        match message:
            case Observed(ref, thing):
                before = self.known.get(ref.name)
                if before is not None and before["metadata"]["uid"] != thing["metadata"]["uid"]:
                    self._broken(f"pod {ref.name} is told with a new uid, and the old one has never gone")
                self.known[ref.name] = thing
            case Gone(ref):
                before = self.known.get(ref.name)
                if before is not None and before["metadata"]["uid"] == ref.uid:
                    del self.known[ref.name]
        return ()

    def waiting(self, state: None) -> str:
        """What would wake it."""
        del state
        return "for pods"


@dataclass
class Lives:
    """One life of the controllers after the other, until the run is over."""

    api: InProcessApi
    server: ApiServer
    plan: Plan
    judge: Judge
    tasks: TaskGroup
    struck_nodes: Callable[[Address], bool]  # whether a node's actor is to crash when its pod runs
    system: System | None = None
    weather: Weather | None = None
    witness: Witness | None = None
    clock: SkewedClock = field(default_factory=lambda: SkewedClock(VirtualClock()))
    scope: anyio.CancelScope | None = None
    deaths: int = 0
    between: int = 0  # deaths after a pod was made and before the record knew it
    crashes: int = 0  # of actors, asked for
    is_group: Callable[[Address], bool] = lambda address: False  # whether a node has others below it
    groups_struck: int = 0
    partner: Lives | None = None  # another process that runs the same controllers: one of the two leads, by a lease
    name: str = "one"
    _until_strike: dict[str, int] = field(default_factory=dict)
    _away_until: float = 0.0

    async def run(self) -> None:
        """Live until cancelled."""
        self._draw()
        if self.plan.on("skew"):
            self.tasks.start_soon(self._wander)
        while True:
            self._born()
            with anyio.CancelScope() as self.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._fate)
                    assert self.system is not None
                    await tasks.start(self.system.run)
                    await anyio.sleep_forever()
            self.deaths += 1

    def _born(self) -> None:
        self.weather = Weather(self.api, self.server, self.plan, self, self.judge.wrong)
        self.weather.away_until = self._away_until
        self.witness = Witness(self.judge.wrong)
        probe = Room("witness", self.witness, (Watch(PODS, _to_witness, labels=_POD_LABELS, wakes=True),))
        here = installed(self.plan.seed, self.plan.kinds, self.deaths)
        if here != installed(self.plan.seed, self.plan.kinds, max(0, self.deaths - 1)):
            self.plan.hit("reconfigured")
        wanted = ROOMS | here.rooms | {name for kind, name in OTHERS.items() if kind in self.plan.kinds}
        minds = [
            replace(room, mind=Mortal(room.mind, self._strikes_actor), watches=_seen(room))
            for room in map(here.furnish, rooms(here.settings(SETTINGS)))
            if room.name in wanted
        ]
        dice = Random(self.plan.dice("lives").random())
        if self.plan.on("skew"):
            off = self.plan.dice("skew").choice([0.0, 0.4, -0.6, 7.0, -7.0, 90.0])
            self.clock.off_s = off
            self.plan.tally["skew"] += bool(off)
        settings = Settings(concurrency=CONCURRENCY, election=self._election() if self.partner else None)
        self.system = System(self.weather, [*minds, probe], settings=settings, clock=self.clock, dice=dice)

    def _election(self) -> Election:
        assert self.weather is not None
        return Election(self.weather, LEASE, f"{self.name}-{self.deaths}", self.clock, TERMS)

    def leading(self) -> System | None:
        """The controllers that work at this moment; of two, those that hold the lease."""
        both = [self.system, *([self.partner.system] if self.partner is not None else [])]
        found = [one for one in both if one is not None and (one.ready or self.partner is None)]
        return found[0] if found else None

    # ------------------------------------------------------------------------------------------------ deaths

    def _draw(self) -> None:
        """After how many writes death comes."""
        for kind, most in (("death_between", 60), ("death_after_create", 12)):
            if self.plan.on(kind):
                self._until_strike[kind] = self.plan.dice(kind).randint(1, most)

    def strikes(self, verb: str, subject: str, moment: str) -> bool:
        """Whether the controllers die right at this write."""
        if self.plan.calm or self.deaths >= DEATHS_MAX or subject.startswith("leases/"):
            return False
        kinds = ["death_between"]
        if verb == "create" and subject.startswith("pods/") and moment == "after":
            kinds.append("death_after_create")
        for kind in kinds:
            left = self._until_strike.get(kind)
            if left is None:
                continue
            self._until_strike[kind] = left - 1
            if left <= 1:
                again = self.plan.dice(kind).random() < 0.5
                self._until_strike[kind] = self.plan.dice(kind).randint(1, 60) if again else 10**9
                self.die(kind)
                return True
        return False

    def die(self, kind: str) -> None:
        """The controllers are no more."""
        self.plan.hit(kind)
        if self.partner is not None and self.system is not None and self.system.ready:
            self.plan.hit("standby")
        self.between += bool(self.judge.unrecorded)
        assert self.scope is not None
        self.scope.cancel()

    async def _fate(self) -> None:
        """What comes over this life by itself."""
        dice, plan = self.plan.dice("fate"), self.plan
        while self.deaths < DEATHS_MAX and not plan.calm:
            await anyio.sleep(dice.choice([1.0, 4.0, 15.0]) * dice.random() * 2)
            if plan.on("hand_over") and dice.random() < 0.15:
                await self._hand_over()
            elif plan.on("death") and dice.random() < 0.25:
                self.die("death")

    async def _hand_over(self) -> None:
        """A leader stalls, loses its lease and is replaced; what it has sent arrives all the same."""
        weather, dice = self.weather, self.plan.dice("hand_over")
        assert weather is not None
        weather.stalled = True
        await anyio.sleep(dice.choice([0.1, 0.5, 8.0]))
        for verb, call in list(weather.flying.values()):
            late = dice.choice([0.05, 0.5, 3.0, 20.0]) * dice.random()
            self.tasks.start_soon(_land, call, 0.0 if verb == "create" else late)  # no precondition guards a create
        self.die("hand_over")

    def _strikes_actor(self, address: Address, message: Message) -> bool:
        if address.room == "node":
            struck = self.struck_nodes(address) and _shows_running_pod(message)
            if struck:
                self.crashes += 1
            return struck or self._strikes_group(address, message)
        if self.crashes < 3 and self.plan.throw("actor_death", 0.006):
            self.crashes += 1
            self.judge.struck = True
            return True
        return False

    def _strikes_group(self, address: Address, message: Message) -> bool:
        """Whether the actor of steps, a dag, a loop or a retried call crashes; what runs then is not foretold."""
        if not isinstance(message, Told) or not self.plan.on("group_death") or self.groups_struck >= GROUPS_MAX:
            return False
        if not self.is_group(address) or not self.plan.throw("group_death", 0.03):
            return False
        self.groups_struck += 1
        self.judge.crashed.add(address.name)
        self.judge.vague.add(address.name)
        return True

    # ------------------------------------------------------------------------------------------- the cluster

    async def absences(self) -> None:
        """The API server goes away for a while, now and then."""
        dice = self.plan.dice("away")
        for _ in range(dice.randint(1, 3)):
            await anyio.sleep(dice.uniform(0.5, 30))
            if not self.plan.on("away"):
                return
            self.plan.hit("away")
            self._away_until = anyio.current_time() + dice.choice([2.0, 30.0, 400.0, 3600.0])
            for one in (self, *([self.partner] if self.partner is not None else [])):
                one._away_until = self._away_until
                if one.weather is not None:
                    one.weather.away_until = self._away_until
            await anyio.sleep_until(self._away_until)

    async def _wander(self) -> None:
        dice = self.plan.dice("skew")
        for _ in range(3):
            await anyio.sleep(dice.uniform(1, 40))
            if self.plan.on("skew"):
                self.plan.hit("skew")
                self.clock.off_s += dice.choice([-3.0, -0.5, 0.5, 3.0])


async def _land(call: Call, after_s: float) -> None:
    await anyio.sleep(after_s)
    with suppress(ApiError):
        await call()


def _seen(room: Room) -> tuple[Watch, ...]:
    """A room's watches of what there is in this world."""
    return tuple(watch for watch in room.watches if watch.resource.plural in SEEN)


def _to_witness(pod: Object) -> Address:
    del pod
    return Address("witness", "", "", "")


def _shows_running_pod(message: Message) -> bool:
    thing = message.object if isinstance(message, Observed) else message.result if isinstance(message, Done) else None
    return (
        isinstance(thing, dict)
        and thing.get("kind") == "Pod"
        and (thing.get("status") or {}).get("phase") not in {None, "Pending"}
    )
