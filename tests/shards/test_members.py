"""Two to four processes divide all namespaces: nothing is lost, nothing is doubled, whoever comes, goes or dies."""

from __future__ import annotations

import anyio
import pytest

from actors.names import buckets, labels
from actors.workflow.state import WORKFLOWS
from runtime.objects import LEASES, NAMESPACES, PODS
from tests.shards.members import Division, divided, namespaces, workflow
from tests.world.world import Outcome, finished

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]


def script(name, pod):
    del name, pod
    return Outcome(delay_s=2.0)


async def submit(here: Division, each: int = 2) -> int:
    names = namespaces(here.groups)
    for name in names:
        await here.here.api.create(NAMESPACES, {"metadata": {"name": name}})
        for number in range(each):
            await here.here.api.create(WORKFLOWS, workflow(name, f"{name}-w{number}"))
    return len(names) * each


async def two_at_work(here: Division) -> int:
    """Members `a` and `b` have their shares and run workflows: how many."""
    await here.join("a")
    await here.join("b")
    await here.even()
    number = await submit(here)
    await anyio.sleep(1)
    return number


async def all_succeed(here: Division, number: int, limit_s: float = 200.0) -> None:
    api = here.here.api
    with anyio.fail_after(limit_s):
        while True:
            found = (await api.list(WORKFLOWS)).items
            if len(found) == number and all(finished(thing) for thing in found):
                break
            await anyio.sleep(0.5)
    assert {thing["status"]["phase"] for thing in found} == {"Succeeded"}
    assert len(here.here.created) == len(set(here.here.created)) == 3 * number
    for thing in (*found, *(await api.list(PODS)).items):
        meta = thing["metadata"]
        assert meta["labels"][labels.BUCKET] == str(buckets.bucket(meta["namespace"]))


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_members_that_start_together_have_equal_shares_and_all_workflows_run(count: int):
    async with divided(script, 4) as here:
        for at in range(count):
            here.begin(f"m{at}")
        await here.even()
        number = await submit(here)
        await all_succeed(here, number)
        assert sum(len(member.births) for member in here.members.values()) == 4, "nothing was moved"


async def test_a_member_that_comes_takes_its_share_while_workflows_run():
    async with divided(script, 4) as here:
        await here.join("a")
        number = await submit(here)
        await anyio.sleep(1)
        await here.join("b")
        await here.even()
        assert {len(groups) for groups in here.held().values()} == {2}
        assert len(here.members["b"].births) == 2
        assert here.most_unheld_s < 4.0, "from start to end nobody waited for long"
        await all_succeed(here, number)


async def test_a_member_that_leaves_gives_its_shards_to_the_others_at_once():
    async with divided(script, 4) as here:
        number = await two_at_work(here)
        here.most_unheld_s = 0.0
        await here.leave("a")
        await here.even()
        assert here.most_unheld_s < 4.0
        await all_succeed(here, number)
        names = [thing["metadata"]["name"] for thing in (await here.here.api.list(LEASES)).items]
        assert sum("-member-" in name for name in names) == 1, "who leaves takes its announcement away"


async def test_a_dead_members_shards_are_taken_over_when_its_leases_are_over():
    async with divided(script, 4) as here:
        number = await two_at_work(here)
        here.most_unheld_s = 0.0
        here.members["a"].kill()
        await here.even()
        assert here.held() == {"b": {0, 1, 2, 3}}
        assert 2.0 < here.most_unheld_s < 13.0
        await all_succeed(here, number)


@pytest.mark.parametrize("at", [1, 3, 8, 15, 24, 33])
async def test_whenever_a_member_dies_between_two_of_its_writes_nothing_is_lost_or_doubled(at: int):
    async with divided(script, 3, seed=at) as here:
        await here.join("a", dies_at=at)
        await here.join("b")
        await here.even()
        number = await submit(here)
        with anyio.move_on_after(20):
            await here.members["a"].ended.wait()
        await here.join("c")
        await all_succeed(here, number)


async def test_a_member_that_is_cut_off_writes_nothing_where_others_have_taken_over_and_is_given_its_share_again():
    async with divided(script, 4) as here:
        number = await two_at_work(here)
        here.members["a"].is_cut_off = True
        await anyio.sleep(20)
        assert here.held() == {"a": set(), "b": {0, 1, 2, 3}}
        here.members["a"].is_cut_off = False
        await here.even()
        assert {len(groups) for groups in here.held().values()} == {2}
        await all_succeed(here, number)


async def test_members_of_another_number_of_shards_wait_until_all_of_these_are_gone():
    async with divided(script, 4) as here:
        await here.join("a")
        await here.join("b")
        await here.even()
        others = Division(here.here, 2, here.tasks)
        await others.join("c")
        await anyio.sleep(30)
        assert others.held() == {"c": set()}
        await here.leave("a")
        await anyio.sleep(30)
        assert others.held() == {"c": set()}, "one of the others is still there"
        await here.leave("b")
        await others.even()
        number = await submit(here)
        here.wrong.extend(others.wrong)
        await all_succeed(here, number)
