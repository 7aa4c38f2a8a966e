"""What a former life's agent has left behind is cleared up at the workflow's end, whoever runs the workflow by then."""

from __future__ import annotations

import pytest

from runtime.objects import Object
from tests.world.flows import flow
from tests.world.test_agent import GET, agents_stay, left, with_agent
from tests.world.world import Outcome

pytestmark = pytest.mark.virtual_time

THEN_A_POD = flow(f"""
  - {GET}
  - name: main
    steps: [[{{name: a, template: get}}], [{{name: b, template: leaf}}]]
""")


def long_pods(name: str, pod: Object) -> Outcome:
    stays = agents_stay(name, pod)
    return stays if stays.delay_s > 1e5 else Outcome(delay_s=60)


@pytest.mark.spec("AGENT-4", "KIND-6")
async def test_an_agent_whose_nodes_had_ended_before_a_restart_goes_with_its_workflow() -> None:
    async with with_agent(script=long_pods) as (here, asked):
        ref = await here.submit(THEN_A_POD)
        await here.after(20)
        here.die()
        await here.end_of(ref, limit_s=600)
        await here.at_rest(ref)
        remains = await left(here)

    assert asked == ["http://x"]
    assert remains == []
