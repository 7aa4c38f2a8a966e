"""What is read off a running controller: who holds which lock, what is due, how long messages wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from runtime.system import Settings, System
from tests.virtual_time import VirtualClock
from tests.world.flows import flow, table
from tests.world.world import World, world
from tiphys.controllers import METRICS, ControllerSettings, rooms
from tiphys.observability import own
from tiphys.observability.gauges import exposition
from tiphys.observability.probe import Probe

pytestmark = pytest.mark.virtual_time


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[World, System, VirtualClock]]:
    async with world(table()) as here:
        clock, chosen = VirtualClock(), ControllerSettings()
        settings = Settings(metrics=METRICS, metrics_prefix="tiphys_", series=chosen.series)
        system = System(here.api, rooms(chosen), settings=settings, clock=clock, dice=Random(1))
        async with here.instead(system):
            yield here, system, clock


def shown(system: System, clock: VirtualClock, name: str) -> dict[str, float]:
    """The samples of a metric, by their labels."""
    lines = exposition(system, clock.wall()).decode().splitlines()
    found = [line.removeprefix(name).rpartition(" ") for line in lines if line.startswith((name + "{", name + " "))]
    return {labels: float(value) for labels, _, value in found}


async def test_a_lock_shows_how_many_hold_it_and_how_many_wait() -> None:
    text = flow("  - {name: main, suspend: {}}").replace(
        "spec:", "spec:\n  synchronization: {mutexes: [{name: door}]}", 1
    )
    async with watched() as (here, system, clock):
        for name in ("a", "b", "c"):
            await here.submit(text, name)
        await here.after(5)
        held, waiting = (shown(system, clock, f"argo_workflows_locks_{what}") for what in ("held", "pending"))

    labels = '{lock_name="door",namespace="default",storage="configmap",type="mutex"}'
    assert (held, waiting) == ({labels: 1.0}, {labels: 2.0})


async def test_a_lock_that_nobody_uses_any_more_shows_none() -> None:
    text = flow("  - {name: main, suspend: {}}").replace(
        "spec:", "spec:\n  synchronization: {mutexes: [{name: door}]}", 1
    )
    async with watched() as (here, system, clock):
        refs = [await here.submit(text, name) for name in ("a", "b")]
        await here.after(5)
        shown(system, clock, "argo_workflows_locks_held")
        for ref in refs:
            await here.api.delete(ref)
        await here.after(5)
        left = [list(shown(system, clock, f"argo_workflows_locks_{what}").values()) for what in ("held", "pending")]

    assert left == [[0.0], [0.0]]


async def test_errors_and_lines_of_the_log_are_shown_before_there_is_one() -> None:
    async with watched() as (_, system, clock):
        causes = ("OperationPanic", "CronWorkflowSubmissionError", "CronWorkflowSpecError")
        assert shown(system, clock, "argo_workflows_error_count") == {f'{{cause="{cause}"}}': 0.0 for cause in causes}
        levels = {f'{{level="{level}"}}' for level in ("debug", "info", "warning", "error")}
        assert shown(system, clock, "argo_workflows_log_messages").keys() == levels


async def test_who_leads_which_version_and_what_was_asked_are_upstreams_series() -> None:
    async with watched() as (here, system, clock):
        await here.end_of(await here.submit(flow("  - {name: main, container: {image: busybox, command: [x]}}"), "w"))
        assert shown(system, clock, "argo_workflows_is_leader") == {"": 1.0}
        assert list(shown(system, clock, "argo_workflows_version").values()) == [1.0]
        assert shown(system, clock, "argo_workflows_total_count")['{namespace="default",phase="Succeeded"}'] == 1.0
        assert shown(system, clock, "tiphys_objects_stuck") == {'{kind="Pod"}': 0.0, '{kind="Workflow"}': 0.0}
        assert shown(system, clock, "tiphys_cron_runs_due") == {"": 0.0}


async def test_a_probe_among_the_messages_is_read_when_its_turn_comes() -> None:
    async with watched() as (here, system, clock):
        probe = Probe(system, clock)
        await probe.once()
        await here.after(1)
        await probe.once()
        await here.after(1)

        assert system.metrics.value(own.MESSAGE_DELAY.name) == 2
        assert system.metrics.value(own.OLDEST_MESSAGE.name) < 0.1
        assert system.metrics.value(own.LOOP_STALLS.name) == 0
