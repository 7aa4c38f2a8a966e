"""Schedules under bad weather: whoever dies, whatever is lost, every run is made once and counted once."""

from __future__ import annotations

from random import Random

import anyio
import pytest

from actors.names import labels
from tests.world.cron_world import Coat, Lossy, cron, cron_world
from tests.world.world import Outcome

pytestmark = pytest.mark.virtual_time


async def every_run_once(seed: int, *, deaths: bool, coat: Coat | None = None) -> None:
    """Twelve minutes with a run in each, whatever happens to the controllers; then all is counted and made once."""
    metadata = {"annotations": {labels.CRON_CATCH_UP: "all"}}
    script = lambda name, pod: Outcome(code=int(name[-10:]) // 60 % 2, delay_s=20)  # noqa: E731
    async with cron_world(script, seed=seed, coat=coat) as here:
        ref = await here.create(cron(metadata=metadata, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=0))
        while deaths and here.clock.wall() < 1767225600 + 720:
            await anyio.sleep(here.dice.expovariate(1 / 25))
            here.die()
            await anyio.sleep(here.dice.expovariate(1 / 10))
            await here.start()
        if not deaths:
            await here.until("2026-01-01T00:12:10Z")
        await here.edit(ref, suspend=True)
        await anyio.sleep(180)
        status = await here.status(ref)
        made = here.all_runs()
        assert len(made) >= 11
        assert made == [f"00:{minute:02d}:00" for minute in range(1, len(made) + 1)]
        assert status.get("active") is None
        failures = sum(thing["status"]["phase"] == "Failed" for thing in here.seen.values())
        assert (status["failed"], status["succeeded"]) == (failures, len(made) - failures)
        assert len(await here.runs()) == 2


@pytest.mark.spec("CRON-9", "CRON-10", "8.23")
@pytest.mark.parametrize("seed", range(4))
async def test_whoever_dies_when_every_run_is_made_once_and_counted_once(seed: int) -> None:
    await every_run_once(seed, deaths=True)


@pytest.mark.spec("CRON-9", "CRON-10", "8.23")
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_server_answers_every_run_is_made_once_and_counted_once(seed: int) -> None:
    dice = Random(seed)
    await every_run_once(seed, deaths=False, coat=lambda api: Lossy(api, dice))
