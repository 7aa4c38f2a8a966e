"""Daemons serve while their boundary lives, and are ended before anything is called finished."""

from __future__ import annotations

import pytest

from actors.names import ids
from tests.world.test_runs import nodes, workflow
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

SERVED = workflow(
    """
  - name: serve
    daemon: true
    container: {image: nginx, command: [nginx]}
  - name: main
    steps:
    - - {name: d, template: serve}
    - - {name: ask, template: leaf, arguments: {parameters: [{name: m, value: "{{steps.d.ip}}"}]}}
"""
)


@pytest.mark.spec("DMN-1")
@pytest.mark.spec("DMN-2")
@pytest.mark.spec("DMN-4")
async def test_a_daemon_is_ended_and_succeeded_before_the_workflow_is_finished() -> None:
    async with world(lambda name, pod: Outcome(delay_s=10_000 if name.endswith(".d") else 1)) as here:
        done = await here.end_of(await here.submit(SERVED), limit_s=60)

        found = nodes(done)
        assert done["status"]["phase"] == "Succeeded"
        assert found["d"]["phase"] == "Succeeded"
        assert "daemoned" not in found["d"]
        assert found["ask"]["inputs"]["parameters"][0]["value"] == "10.0.0.1"
        pods = {pod["metadata"]["name"]: pod["status"]["phase"] for pod in await here.settled_pods()}
        assert pods[ids.pod_name("w", "w[0].d", "serve")] == "Failed"  # ended by its deadline
