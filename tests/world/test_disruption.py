"""A workflow's PodDisruptionBudget is there while it runs, and nobody else's is touched."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.names import labels
from runtime.api import Api, Refused, Unavailable
from runtime.objects import DISRUPTION_BUDGETS, Object, Reference, Resource
from tests.world.test_runs import workflow
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time

GUARDED = workflow(
    "\n  - {name: main, steps: [[{name: a, template: leaf}]]}\n", podDisruptionBudget="{minAvailable: 9999}"
)
OURS = Reference(DISRUPTION_BUDGETS, "default", "w")


async def budgets(here: World) -> list[Object]:
    return (await here.api.list(DISRUPTION_BUDGETS)).items


@pytest.mark.spec("POD-7")
async def test_the_budget_is_there_while_the_workflow_runs() -> None:
    async with world(lambda name, pod: Outcome(delay_s=10.0)) as here:
        ref = await here.submit(GUARDED)
        await anyio.sleep(2)
        budget = await here.api.get(OURS)
        done = await here.end_of(ref)
        await here.at_rest(ref)

        assert budget["spec"] == {"minAvailable": 9999, "selector": {"matchLabels": {labels.WORKFLOW: "w"}}}
        assert budget["metadata"]["ownerReferences"][0]["uid"] == ref.uid
        assert done["status"]["phase"] == "Succeeded"
        assert not await budgets(here)
        assert here.system is not None
        assert not here.system.addresses("workflow")


@pytest.mark.spec("POD-7")
async def test_a_budget_may_choose_its_pods_itself() -> None:
    text = GUARDED.replace("{minAvailable: 9999}", "{minAvailable: 1, selector: {matchLabels: {app: mine}}}")
    async with world(lambda name, pod: Outcome(delay_s=10.0)) as here:
        await here.submit(text)
        await anyio.sleep(2)
        (budget,) = await budgets(here)

    assert budget["spec"] == {"minAvailable": 1, "selector": {"matchLabels": {"app": "mine"}}}


@pytest.mark.spec("POD-7")
async def test_a_workflow_that_is_stopped_before_it_began_leaves_none_behind() -> None:
    text = GUARDED.replace("spec:", "spec:\n  suspend: true")
    async with world(lambda name, pod: Outcome()) as here:
        ref = await here.submit(text)
        await anyio.sleep(2)
        assert await budgets(here)
        await here.api.patch(ref, {"spec": {"shutdown": "Terminate"}})
        await here.end_of(ref)
        await anyio.sleep(10)

        assert not await budgets(here)


@pytest.mark.spec("POD-7")
async def test_a_budget_of_somebody_else_stays_and_the_status_says_so() -> None:
    theirs = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"maxUnavailable": 1}}
    async with world(lambda name, pod: Outcome()) as here:
        await here.api.create(DISRUPTION_BUDGETS, {**theirs, "metadata": {"name": "w", "namespace": "default"}})
        done = await here.end_of(await here.submit(GUARDED))
        await anyio.sleep(10)

        assert done["status"]["phase"] == "Succeeded"
        assert "not this workflow's" in str(done["status"]["conditions"])
        assert [budget["spec"] for budget in await budgets(here)] == [{"maxUnavailable": 1}]


class BadBudgets:
    """An API whose first calls about budgets fail."""

    def __init__(self, api: Api, error: Exception) -> None:
        self._api = api
        self._error = error
        self._left = 2

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def _fail(self, resource: Resource) -> None:
        if resource == DISRUPTION_BUDGETS and self._left:
            self._left -= 1
            raise self._error

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        self._fail(resource)
        return await self._api.create(resource, thing, dry_run=dry_run)

    async def delete(self, ref: Reference, **how: Any) -> None:
        self._fail(ref.resource)
        await self._api.delete(ref, **how)


@pytest.mark.spec("POD-7")
async def test_an_api_that_is_away_is_asked_again() -> None:
    async with world(lambda name, pod: Outcome(delay_s=20.0), coat=lambda api: BadBudgets(api, Unavailable("?"))) as w:
        ref = await w.submit(GUARDED)
        await anyio.sleep(10)
        assert await budgets(w)
        await w.end_of(ref)
        await w.at_rest(ref)
        assert not await budgets(w)


@pytest.mark.spec("POD-7")
async def test_a_budget_that_is_refused_is_a_warning() -> None:
    async with world(lambda name, pod: Outcome(), coat=lambda api: BadBudgets(api, Refused("forbidden"))) as here:
        done = await here.end_of(await here.submit(GUARDED))

        assert done["status"]["phase"] == "Succeeded"
        assert "cannot be made: forbidden" in str(done["status"]["conditions"])


@pytest.mark.spec("POD-7")
@pytest.mark.parametrize("seed", range(6))
async def test_whoever_dies_no_budget_is_left(seed: int) -> None:
    async with world(lambda name, pod: Outcome(delay_s=3.0), seed=seed, deaths_every_s=1.0) as here:
        ref = await here.submit(GUARDED)
        await here.end_of(ref)
        here.dice.seed(seed)
        await here.api.delete(ref)
        await anyio.sleep(30)

        assert here.deaths
        assert not [budget for budget in await budgets(here) if "deletionTimestamp" not in budget["metadata"]]
