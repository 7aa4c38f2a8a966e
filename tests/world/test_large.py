"""A large status is written compressed while the workflow runs, and read back after a death of the controllers."""

from __future__ import annotations

import anyio
import pytest

from actors.packing import nodes_of
from actors.workflow.state import WORKFLOWS
from tests.world.test_runs import workflow
from tests.world.world import Outcome, finished, world

pytestmark = pytest.mark.virtual_time

WIDE = workflow(
    """
  - name: main
    dag:
      tasks:
      - {name: t, template: leaf, withSequence: {count: "500"}}
      - {name: last, template: leaf, dependencies: [t]}
"""
)


@pytest.mark.spec("OFF-1")
@pytest.mark.parametrize("deaths_every_s", [None, 2.0])
async def test_many_nodes_travel_compressed_and_end_inline(deaths_every_s: float | None) -> None:
    async with world(lambda name, pod: Outcome(delay_s=3), deaths_every_s=deaths_every_s) as here:
        ref = await here.submit(WIDE)
        compressed = 0
        with anyio.fail_after(600):
            while not finished(thing := await here.api.get(ref)):
                status = thing.get("status") or {}
                if status.get("compressedNodes"):
                    compressed += 1
                    assert "nodes" not in status
                    assert all(entry["id"] == node_id for node_id, entry in nodes_of(status).items())
                await anyio.sleep(0.5)

        done = await here.api.get(ref)
        assert compressed > 0
        assert done["status"]["phase"] == "Succeeded"
        assert done["status"]["progress"] == "501/501"
        assert len(done["status"]["nodes"]) == 503
        assert "compressedNodes" not in done["status"]
        assert len(set(here.created)) == len(here.created) == 501
        assert (await here.api.list(WORKFLOWS)).items[0]["metadata"]["labels"]["workflows.argoproj.io/completed"]
