"""An abort in any state of an update, in which another version is stable, ends with stable serving everything.

The update is walked once and its states are counted: sizes, pods that are ready, steps, pauses, weights and what
Services select. Then it is walked again for one state after the other, and aborted there: in every sixth of them, or
as as TIPHYS_ABORT_EVERY says (1: in all).
"""

from __future__ import annotations

import os
from typing import Any

import anyio
import pytest

from runtime.objects import Object
from tests.controllers.world import Fate
from tests.rollouts.trial import routed_weight
from tests.rollouts.world import RolloutWorld, ingress, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

EVERY = int(os.environ.get("TIPHYS_ABORT_EVERY", "6"))
STEPS = [{"setWeight": 25}, {"pause": {"duration": 2}}, {"setWeight": 60}, {"pause": {"duration": 2}}]
ROUTED = {"canaryService": "c", "stableService": "s", "trafficRouting": {"nginx": {"stableIngress": "i"}}}
KINDS: dict[str, Object] = {
    "basic": {"canary": {"steps": STEPS, "canaryService": "c", "stableService": "s"}},
    "routed": {"canary": {"steps": STEPS, **ROUTED}},
    "dynamic": {"canary": {"steps": STEPS, **ROUTED, "dynamicStableScale": True}},
    "blueGreen": {"blueGreen": {"activeService": "a", "previewService": "p", "autoPromotionSeconds": 2}},
}


def seen(here: RolloutWorld) -> tuple[Any, ...]:
    """What can be seen of an update from outside."""
    status = here.status()
    ready = [len([pod for pod in here.pods_of(each) if pod in here.ready()]) for each in here.sets()]
    reasons = [each["reason"] for each in status.get("pauseConditions") or ()]
    selected = [here.selected(name) for name in "acps"]
    return here.sizes(), ready, status.get("currentStepIndex"), reasons, routed_weight(here), selected


async def walk(kind: str, stop: int | None) -> tuple[int, str]:
    """Walk an update; abort it in the state of that number. How many states there were, and how it ended."""
    wanted = rollout(replicas=4, **KINDS[kind])
    async with rollout_world(lambda pod: Fate(ready_s=0.8)) as here:
        await here.apply(*map(service, "acps"), ingress("i", "s"), wanted)
        await here.until_phase("Healthy")
        await here.settle(3)
        stable, states, reached = here.hash(1), [seen(here)], anyio.Event()

        def look() -> None:
            status = here.status()
            if status["stableRS"] == stable != status["currentPodHash"] and seen(here) != states[-1]:
                states.append(seen(here))
            if len(states) == stop:
                reached.set()

        here.after_commit(look)
        await here.image("v2")
        if stop is None:
            await here.until(lambda: here.status()["stableRS"] != stable)
            return len(states), "promoted"
        await reached.wait()
        await here.abort()
        await here.settle(120)
        return len(states), judge(here, kind, stable)


def judge(here: RolloutWorld, kind: str, stable: str) -> str:
    """How it ended; AssertionError when it is neither of the two ends."""
    status = here.status()
    selected = {name: here.selected(name) for name in ("a" if kind == "blueGreen" else "cs")}
    if status["stableRS"] != stable:  # it was promoted just then
        assert (here.phase(), here.sizes(), set(selected.values())) == ("Healthy", {1: 0, 2: 4}, {here.hash(2)})
        return "promoted"
    assert (here.phase(), here.sizes(), set(selected.values())) == ("Degraded", {1: 4, 2: 0}, {stable}), seen(here)
    assert routed_weight(here) == 0
    return "aborted"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_abort_in_any_state_of_an_update_ends_with_stable_serving_everything(kind: str) -> None:
    number, _ = await walk(kind, None)
    assert number > 8
    ends = [(await walk(kind, stop))[1] for stop in range(2, number + 1, EVERY)]
    assert ends.count("promoted") <= 1, ends
