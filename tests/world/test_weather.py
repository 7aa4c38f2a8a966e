"""Random workflows on bad days, with dying controllers: every node and the whole end as the oracle says."""

from __future__ import annotations

import pytest

from tests.world.trial import trial

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("seed", range(12))
async def test_on_a_quiet_day_a_random_workflow_ends_as_the_oracle_says(seed: int) -> None:
    await trial(seed, "quiet")


@pytest.mark.parametrize("seed", range(100, 108))
async def test_in_bad_weather_it_ends_the_same(seed: int) -> None:
    await trial(seed, "bad")


@pytest.mark.parametrize("seed", range(200, 206))
async def test_whoever_dies_in_bad_weather_it_ends_the_same(seed: int) -> None:
    await trial(seed, "deadly")
