"""An agent's pod that cannot be made: its nodes are Errors that say why, as upstream's do."""

from __future__ import annotations

import pytest

from runtime.api import Refused
from tests.kernel.coat import Coat
from tests.world.flows import flow, named
from tests.world.test_agent import GET, left, with_agent

pytestmark = pytest.mark.virtual_time

ONE = flow(f"  - {GET}\n  - name: main\n    steps: [[{{name: a, template: get}}]]\n")


@pytest.mark.spec("AGENT-4")
async def test_an_agents_pod_that_is_refused_is_an_error_of_its_nodes() -> None:
    def coat(api: object) -> Coat:
        clad = Coat(api)  # type: ignore[arg-type]
        clad.fault = lambda verb, subject: Refused("no room") if verb == "create" and "agent" in subject else None
        return clad

    async with with_agent(coat=coat) as (here, _):
        ref = await here.submit(ONE)
        done = named(await here.end_of(ref, limit_s=60))["w[0].a"]
        await here.at_rest(ref)
        remains = await left(here)

    said = 'create agent pod failed with reason:"failed to create Agent pod: no room"'
    assert (done["phase"], done["message"]) == ("Error", said)
    assert remains == []


@pytest.mark.spec("AGENT-4", "POD-3")
async def test_a_patch_that_does_not_fit_the_agents_pod_is_an_error_of_its_nodes() -> None:
    async with with_agent() as (here, _):
        done = named(await here.end_of(await here.submit(flow(f"""
  - {GET}
  - name: main
    steps: [[{{name: a, template: get}}]]
""", podSpecPatch="'{containers: 1'")), limit_s=60))["w[0].a"]  # fmt: skip

    assert done["phase"] == "Error"
    assert done["message"] == 'create agent pod failed with reason:"Error applying PodSpecPatch"'
