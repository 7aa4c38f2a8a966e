"""Random Rollouts under random actions, lost answers and controller deaths keep their promises.

`python -m tests.rollouts --seeds 1000` tries more of them."""

from __future__ import annotations

import pytest

from tests.rollouts.trial import trial

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@pytest.mark.parametrize(
    "seed", [2, 7, 11, 26, 33, 157, 201, 318, 5117, 5141, 30039, 30201, 100145, 100156, 400195, 413913, 419811]
)
async def test_a_random_rollout_keeps_its_promises(seed: int) -> None:
    found = await trial(seed)
    assert not found.wrong, (found.kind, found.actions)
