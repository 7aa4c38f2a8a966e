"""What a pod costs the API server is counted by `bench/pod.py`; here for few pods, so that a change is seen at once."""

from __future__ import annotations

import pytest

from bench.pod import LIMITS, exceeded, measured

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("shape", LIMITS)
@pytest.mark.parametrize("gc", ["", "OnPodCompletion"])
async def test_a_node_costs_no_more_requests_than_its_shape_may(shape: str, gc: str) -> None:
    cost = await measured(shape, 120, gc, deleted=True)
    assert exceeded(shape, gc, cost) == [], dict(cost.requests)
