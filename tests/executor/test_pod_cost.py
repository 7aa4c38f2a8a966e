"""What a pod costs the API server is counted by `bench/pod.py`; here for few pods, so that a change is seen at once."""

from __future__ import annotations

import pytest

from bench.pod import LIMITS, exceeded, measured

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("shape", LIMITS)
@pytest.mark.parametrize(("gc", "held"), [("", True), ("OnPodCompletion", True), ("OnPodCompletion", False)])
async def test_a_node_costs_no_more_requests_than_its_shape_may(shape: str, gc: str, *, held: bool) -> None:
    cost = await measured(shape, 120, gc, deleted=True, held=held)
    assert exceeded(shape, gc, cost, held=held) == [], dict(cost.requests)
