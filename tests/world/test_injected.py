"""A container that somebody else has put into the pod serves for ever: the node ends without it, and the pod too."""

from __future__ import annotations

import anyio
import pytest

from actors.names import labels
from runtime.objects import PODS, Object, reference
from tests.world.flows import flow, named
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

ONE = flow("  - {name: main, container: {image: busybox, command: [echo]}}\n")
PROXY = {"name": "istio-proxy", "ready": True, "state": {"running": {}}}


def main(state: Object) -> Object:
    return {"name": "main", "state": state}


@pytest.mark.spec("SIDE-4")
@pytest.mark.parametrize("deaths", [None, 1.0])
async def test_the_pod_is_ended_once_the_outcome_is_on_record(deaths: float | None) -> None:
    async with world(lambda name, pod: Outcome(pending_s=1e6), deaths_every_s=deaths) as here:
        ref = await here.submit(ONE)
        await here.after(2)
        (pod,) = (await here.api.list(PODS)).items
        ref_pod = reference(PODS, pod)
        done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        status = {"phase": "Running", "containerStatuses": [main(done), PROXY]}
        await here.api.patch(ref_pod, {"status": status}, subresource="status")
        with anyio.fail_after(60):
            while (await here.api.get(ref_pod))["spec"].get("activeDeadlineSeconds") != 1:
                await here.after(0.1)
        recorded = named(await here.api.get(ref))["w"]["phase"]
        killed = {"terminated": {"exitCode": 137, "reason": "Error"}}
        status = {
            "phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long",
            "containerStatuses": [main(done), {"name": "istio-proxy", "state": killed}],
        }  # fmt: skip
        await here.api.patch(ref_pod, {"status": status}, subresource="status")
        end = await here.end_of(ref)
        await here.after(60)
        released = await here.api.get(ref_pod)

    assert recorded == "Succeeded"
    assert end["status"]["phase"] == "Succeeded"
    assert released["metadata"]["labels"][labels.COMPLETED] == "true"
