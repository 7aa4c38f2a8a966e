"""While a workflow of http nodes is suspended nothing more is asked; a stop and a time-out take back what would be."""

from __future__ import annotations

import pytest

from tests.world.flows import flow, named, phases
from tests.world.test_agent import GET, left, with_agent

pytestmark = pytest.mark.virtual_time

TWO = flow(f"  - {GET}\n  - name: main\n    steps: [[{{name: a, template: get}}], [{{name: b, template: get}}]]\n")


@pytest.mark.spec("SUS-6", "AGENT-3")
async def test_while_a_workflow_is_suspended_nothing_more_is_asked() -> None:
    async with with_agent(work_s=10) as (here, asked):
        ref = await here.submit(TWO)
        await here.after(3)
        await here.api.patch(ref, {"spec": {"suspend": True}})
        await here.after(30)
        while_suspended = list(asked)
        await here.api.patch(ref, {"spec": {"suspend": None}})
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    assert while_suspended == ["http://x"]
    assert asked == ["http://x", "http://x"]
    assert done["status"]["phase"] == "Succeeded"
    assert remains == []


@pytest.mark.spec("SUS-6", "AGENT-3")
async def test_what_is_asked_for_in_a_suspended_workflow_is_not_asked_after_a_stop() -> None:
    async with with_agent(work_s=10) as (here, asked):
        ref = await here.submit(TWO.replace("entrypoint", "suspend: true\n  entrypoint", 1))
        await here.after(3)
        await here.api.patch(ref, {"spec": {"shutdown": "Terminate"}})
        done = await here.end_of(ref, limit_s=60)
        await here.at_rest(ref)
        remains = await left(here)

    assert done["status"]["phase"] == "Failed"
    assert "w[1].b" not in phases(done)
    assert (asked, remains) == ([], [])


@pytest.mark.spec("SUS-6", "AGENT-3")
@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_when_the_controllers_die_while_it_is_suspended(seed: int) -> None:
    async with with_agent(seed=seed, work_s=10, deaths_every_s=5) as (here, asked):
        ref = await here.submit(TWO)
        await here.after(3)
        await here.api.patch(ref, {"spec": {"suspend": True}})
        await here.after(30)
        await here.api.patch(ref, {"spec": {"suspend": None}})
        done = await here.end_of(ref, limit_s=600)
        await here.after(120)
        remains = await left(here)

    assert named(done)["w[1].b"]["phase"] == "Succeeded"
    assert asked == ["http://x", "http://x"]
    assert here.deaths
    assert remains == []


@pytest.mark.spec("TMO-3", "TMO-4", "AGENT-3")
@pytest.mark.parametrize("field", ["timeout", "pendingTimeout"])
async def test_a_node_that_is_not_answered_in_time_fails_and_its_task_is_taken_back(field: str) -> None:
    text = TWO.replace("{name: get, inputs", f"{{name: get, {field}: 5s, inputs")
    async with with_agent(work_s=30) as (here, asked):
        ref = await here.submit(text)
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    node = named(done)["w[0].a"]
    assert (node["phase"], node["message"], node["finishedAt"][-3:]) == ("Failed", "timeout", "05Z")
    assert asked == ["http://x"]
    assert remains == []
