"""What Rollouts have written into objects of others is taken out when none refers to them any more."""

from __future__ import annotations

import pytest

from actors.rollout import wire
from actors.rollout.traffic.istio import DESTINATION_RULES, VIRTUAL_SERVICES
from runtime.objects import Reference
from tests.rollouts.routers import define
from tests.rollouts.world import RolloutWorld, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

RULE = Reference(DESTINATION_RULES, "default", "d")
ISTIO = {
    "virtualService": {"name": "v"},
    "destinationRule": {"name": "d", "canarySubsetName": "canary", "stableSubsetName": "stable"},
}


async def meshed(here: RolloutWorld) -> None:
    """A Rollout whose two sides are subsets."""
    await define(here, DESTINATION_RULES, VIRTUAL_SERVICES)
    subsets = [{"name": each, "labels": {"app": "r"}} for each in ("canary", "stable")]
    route = [
        {"destination": {"host": "r", "subset": each}, "weight": at} for each, at in (("stable", 100), ("canary", 0))
    ]
    for resource, name, spec in (
        (DESTINATION_RULES, "d", {"host": "r", "subsets": subsets}),
        (VIRTUAL_SERVICES, "v", {"hosts": ["x"], "http": [{"route": route}]}),
    ):
        meta = {"name": name, "namespace": "default"}
        thing = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}
        await here.api.create(resource, thing)
    await here.apply(service("r"), rollout(canary={"trafficRouting": {"istio": ISTIO}}))
    await here.until_phase("Healthy")


async def hashes(here: RolloutWorld) -> list[str]:
    rule = await here.api.get(RULE)
    return [each["labels"].get(wire.HASH, "") for each in rule["spec"]["subsets"]]


async def test_a_rule_is_given_back_when_its_rollout_names_it_no_more() -> None:
    async with rollout_world() as here:
        await meshed(here)
        assert await hashes(here) == [here.hash(1)] * 2
        await here.patch({"spec": {"strategy": {"canary": {"trafficRouting": None}}}})
        await here.settle(3)
        assert await hashes(here) == ["", ""]
        assert wire.MANAGED_BY not in ((await here.api.get(RULE))["metadata"].get("annotations") or {})


async def test_a_rule_is_given_back_when_its_rollout_goes() -> None:
    async with rollout_world() as here:
        await meshed(here)
        await here.api.delete(Reference(wire.ROLLOUTS, "default", "r"))
        await here.settle(3)
        assert await hashes(here) == ["", ""]
