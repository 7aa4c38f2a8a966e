"""What a pod costs the API server is counted by `bench/pod.py`; here for few pods, so that a change is seen at once."""

from __future__ import annotations

import pytest

from bench.pod import LIMITS, exceeded, measured

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("shape", LIMITS)
@pytest.mark.parametrize("gc", ["", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"])
async def test_a_node_costs_no_more_requests_than_its_shape_may(shape: str, gc: str) -> None:
    cost = await measured(shape, 120, gc, deleted=True)
    assert exceeded(shape, gc, cost) == [], dict(cost.requests)


@pytest.mark.spec("PGC-4")
@pytest.mark.parametrize(("shape", "patches"), [("bare", 0.0), ("shim", 1.0), ("full", 1.0)])
async def test_who_has_collected_pods_held_pays_a_patch_for_each(shape: str, patches: float) -> None:
    cost = await measured(shape, 120, "OnPodCompletion", deleted=True, held="always")
    assert cost.per_node["pod patches"] == patches
