"""A Rollout behind Ambassador: its canary's Mapping is there as long as it has a weight, and a little longer."""

from __future__ import annotations

import anyio
import pytest

from actors.rollout.traffic.ambassador import MAPPINGS
from runtime.objects import Object
from tests.rollouts.routers import define, routed, stored, thing
from tests.rollouts.world import RolloutWorld, rollout_world, service

pytestmark = pytest.mark.virtual_time

PATH = "spec.strategy.canary.trafficRouting.ambassador.mappings"
PAUSE: Object = {"pause": {}}
ROUTING: Object = {"ambassador": {"mappings": ["echo"]}}


def echo(**more: object) -> Object:
    return thing(MAPPINGS, "echo", {"resolver": "endpoint", "prefix": "/echo", "service": "s:80", **more})


def share(here: RolloutWorld) -> int | None:
    """The weight of the canary's Mapping; None while there is none."""
    try:
        weight = stored(here, MAPPINGS, "echo-canary")["spec"]["weight"]
    except KeyError:
        return None
    assert isinstance(weight, int)
    return weight


async def begin(here: RolloutWorld, wanted: Object) -> None:
    await define(here, MAPPINGS)
    await here.apply(service("c"), service("s"), echo(), wanted)
    await here.until_phase("Healthy")
    await here.settle(3)


@pytest.mark.spec("RO-1.6-ambassador")
async def test_a_canarys_mapping_follows_the_steps_and_goes_when_the_update_is_done() -> None:
    steps = [{"setWeight": 30}, PAUSE, {"setWeight": 60}, PAUSE, {"setWeight": 100}, PAUSE]
    async with rollout_world() as here:
        await begin(here, routed(steps, ROUTING))
        shares = here.watch(lambda: share(here))
        await here.image("v2")
        for weight in (30, 60, 100):
            await here.until_phase("Paused")
            assert share(here) == weight
            assert here.weights() == (weight, 100 - weight)
            assert stored(here, MAPPINGS, "echo-canary")["spec"]["service"] == "c:80"
            await here.promote()
            await here.settle(2)
        await here.until_phase("Healthy")
        await here.settle(10)
        assert shares == [None, 30, 60, 100, 0, None]
        assert stored(here, MAPPINGS, "echo")["spec"] == echo()["spec"]
        assert here.events("CanaryMappingWeightUpdate") == [
            f"Set canary mapping weight to {weight}" for weight in (30, 60, 100, 0)
        ]


@pytest.mark.spec("RO-1.6-ambassador")
@pytest.mark.parametrize("dies", [False, True])
async def test_no_pod_goes_before_ambassador_has_had_five_seconds_though_controllers_die(dies: bool) -> None:
    """The old version would go at once; a controller that comes after another reads when the Mapping may go."""
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 30}, PAUSE], ROUTING, scaleDownDelaySeconds=0))
        await here.image("v2")
        await here.until_phase("Paused")
        await here.promote()
        await here.until(lambda: share(here) == 0)
        began = anyio.current_time()
        found = here.watch(lambda: (share(here), here.sizes()[1]))
        if dies:
            await here.settle(2)
            here.die()
        await here.until(lambda: share(here) is None)
        assert 4.5 <= anyio.current_time() - began <= 7
        await here.until_phase("Healthy")
        await here.settle(3)
        assert found == [(0, 1), (None, 1), (None, 0)]


@pytest.mark.spec("RO-1.6-ambassador")
async def test_an_abort_takes_the_weight_and_then_the_mapping_and_a_retry_makes_another() -> None:
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 30}, PAUSE], ROUTING))
        await here.image("v2")
        await here.until_phase("Paused")
        shares = here.watch(lambda: share(here))
        await here.abort()
        await here.until_phase("Degraded")
        await here.settle(10)
        assert (shares, here.weights()) == ([30, 0, None], (0, 100))
        await here.retry()
        await here.until_phase("Paused")
        assert (share(here), here.weights()) == (30, (30, 70))


@pytest.mark.spec("RO-1.6-ambassador")
async def test_the_canarys_mapping_belongs_to_its_rollout() -> None:
    async with rollout_world() as here:
        await begin(here, routed([{"setWeight": 30}, PAUSE], ROUTING))
        await here.image("v2")
        await here.until_phase("Paused")
        [owner] = stored(here, MAPPINGS, "echo-canary")["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Rollout", here.rollout()["metadata"]["uid"])


@pytest.mark.spec("RO-1.6-ambassador", "RO-1.16-references")
@pytest.mark.parametrize(("mappings", "things", "message"), [
    ([], [], f"{PATH}: Invalid value: null: must provide at least one mapping"),
    (["echo"], [], f'{PATH}: Invalid value: "echo": mappings.getambassador.io "echo" not found'),
    (["echo"], [echo(weight=20)],
     'spec.weight: Invalid value: "echo": Ambassador mapping "echo" can not define weight'),
])  # fmt: skip
async def test_unfit_mappings_are_told_in_upstreams_words(
    mappings: list[str], things: list[Object], message: str
) -> None:
    async with rollout_world() as here:
        await define(here, MAPPINGS)
        await here.apply(service("c"), service("s"), *things, routed([], {"ambassador": {"mappings": mappings}}))
        await here.until_phase("Degraded")
        found = here.condition("InvalidSpec")
        assert found is not None
        assert found["message"] == f'The Rollout "r" is invalid: {message}'
