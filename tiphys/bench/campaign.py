"""Scenarios one after the other, each size on a rig of its own; several controllers take turns: drift hits all."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.api import Api, Gone
from runtime.objects import NAMESPACES, Reference
from tiphys.bench.measure import Result
from tiphys.bench.observer import Observer
from tiphys.bench.rig import OURS, Rig, RigSettings, rigged
from tiphys.bench.scenarios import SCENARIOS, Scenario


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


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one scenario under one controller."""

    controller: str
    round: int
    result: Result


Report = Callable[[str, int], None]
"""(what runs, how many workflows have ended)"""


async def campaign(wish: Wish, report: Report) -> AsyncIterator[Run]:
    """Every run, as it ends. Raises KeyError for an unknown scenario, and what the rig and the observer raise."""
    for name in wish.scenarios:
        scenario = SCENARIOS[name]
        for size in wish.sizes or (scenario.full if wish.full else scenario.short):
            for turn in range(wish.rounds):
                for controller in wish.controllers:
                    settings = RigSettings(Path(), wish.kubeconfig, controller, wish.node_delay_s)
                    yield Run(controller, turn, await _run(scenario, size, settings, report))


async def _run(scenario: Scenario, size: int, settings: RigSettings, report: Report) -> Result:
    what = f"{scenario.name} {size} {scenario.size}"
    with tempfile.TemporaryDirectory(prefix="tiphys-bench-") as folder:
        async with rigged(replace(settings, folder=Path(folder))) as rig, _namespace(rig.api) as namespace:
            report(what, 0)
            observer = Observer(rig.api, namespace, lambda ended: report(what, ended))
            async with observer.watching():
                return await _driven(scenario, rig, observer, size)


async def _driven(scenario: Scenario, rig: Rig, observer: Observer, size: int) -> Result:
    result = await scenario.drive(rig, observer, size)
    result.parameters.setdefault("kind", scenario.size)
    return result


@asynccontextmanager
async def _namespace(api: Api) -> AsyncIterator[str]:
    """A namespace for one run, deleted after it."""
    name = f"tiphys-bench-{secrets.token_hex(3)}"
    await api.create(NAMESPACES, {"metadata": {"name": name}})
    try:
        yield name
    finally:
        with suppress(Gone):
            await api.delete(Reference(NAMESPACES, "", name))
