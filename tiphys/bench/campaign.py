"""Scenarios one after the other, each size on a rig of its own; several controllers take turns: drift hits all."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from actors.names import buckets
from runtime.api import Api, Gone
from runtime.objects import NAMESPACES, Reference
from tiphys.bench.measure import Result
from tiphys.bench.observer import Observer, Stuck
from tiphys.bench.processes import NotReady
from tiphys.bench.rig import OURS, Rig, RigSettings, rigged
from tiphys.bench.scenarios import SCENARIOS, Scenario

PREFIX = "tiphys-bench-"
NAMESPACES_EACH = 4  # in each shard: as many as that take turns there


@dataclass(frozen=True, slots=True)
class Wish:
    """What to run."""

    scenarios: Sequence[str]
    full: bool = False
    sizes: Sequence[int] = ()  # instead of the scenarios' own
    controllers: Sequence[str] = (OURS,)
    rounds: int = 1
    kubeconfig: str = ""
    node_delay_s: float = 0.0
    shards: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one scenario under one controller."""

    controller: str
    round: int
    result: Result


Report = Callable[[str, int], None]
"""(what runs, how many workflows have ended)"""

RunOne = Callable[[Scenario, int, RigSettings, Report], Awaitable[Result]]
"""How a run is done: `run_one`, unless somebody knows another way."""

Beside = Callable[[Rig], Coroutine[Any, Any, None]]
"""What is done while a scenario runs."""


Turn = tuple[Scenario, int, int, str]
"""A scenario, its size, which round it is, and under which controller."""


def turns(wish: Wish) -> list[Turn]:
    """Every run there will be, in their order. Raises KeyError for an unknown scenario."""
    found: list[Turn] = []
    for name in wish.scenarios:
        scenario = SCENARIOS[name]
        for size in wish.sizes or (scenario.full if wish.full else scenario.short):
            found += [(scenario, size, turn, who) for turn in range(wish.rounds) for who in wish.controllers]
    return found


def settings_of(wish: Wish, controller: str) -> RigSettings:
    """What a run's processes are started with."""
    return RigSettings(Path(), wish.kubeconfig, controller, wish.node_delay_s, wish.shards)


async def campaign(wish: Wish, report: Report, run: RunOne | None = None) -> AsyncIterator[Run]:
    """Every run, as it ends; one that came to no end is a result that says so. Raises KeyError for an unknown scenario,
    and NotOurs where a scenario cannot be had."""
    for scenario, size, turn, controller in turns(wish):
        result = Result(scenario.name, {"size": size}, failed=1)
        try:
            result = await (run or run_one)(scenario, size, settings_of(wish, controller), report)
        except* (Stuck, NotReady) as group:
            result.more["error"] = str(leaves(group)[0])
        result.parameters.setdefault("kind", scenario.size)
        yield Run(controller, turn, result)


def leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The exceptions in a tree of groups."""
    return [
        leaf for one in group.exceptions for leaf in (leaves(one) if isinstance(one, BaseExceptionGroup) else [one])
    ]


async def run_one(
    scenario: Scenario, size: int, settings: RigSettings, report: Report, *, beside: Beside | None = None
) -> Result:
    """One run on processes of its own; `beside` is run as long as it lasts. Raises what the rig and observer raise."""
    what = f"{scenario.name} {size} {scenario.size}"
    with tempfile.TemporaryDirectory(prefix="tiphys-bench-") as folder:
        async with rigged(replace(settings, folder=Path(folder))) as rig, AsyncExitStack() as stack:
            names = [await stack.enter_async_context(namespace(rig.api, name)) for name in names_for(settings.shards)]
            report(what, 0)
            observer = Observer(rig.api, names, lambda ended: report(what, ended))
            async with anyio.create_task_group() as tasks, observer.watching():
                if beside is not None:
                    tasks.start_soon(beside, rig)
                result = await scenario.drive(rig, observer, size)
                tasks.cancel_scope.cancel()
            if settings.shards:
                result.parameters["shards"] = settings.shards
            return result


def names_for(shards: int) -> list[str]:
    """Names of new namespaces: one, or equally many in each shard."""
    wanted = dict.fromkeys(range(shards), NAMESPACES_EACH)
    found = [] if shards else [f"{PREFIX}{secrets.token_hex(3)}"]
    while any(wanted.values()):
        name = f"{PREFIX}{secrets.token_hex(3)}"
        number = buckets.group(name, shards)
        if wanted[number]:
            wanted[number] -= 1
            found.append(name)
    return found


@asynccontextmanager
async def namespace(api: Api, name: str) -> AsyncIterator[str]:
    """A namespace for one run, deleted after it."""
    await api.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield name
    finally:
        with suppress(Gone):
            await api.delete(Reference(NAMESPACES, "", name))
