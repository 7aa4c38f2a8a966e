"""A finished workflow that is retried, resubmitted or begun again from a node runs on to its end."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
import yaml

from actors.names.timestamps import seconds
from runtime.objects import Object
from tests.world import retries
from tests.world.flows import FAIL, phases
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("OP-4")
@pytest.mark.parametrize("seed", range(40))
async def test_a_retried_workflow_succeeds_and_runs_only_what_was_taken_away(seed: int) -> None:
    text = yaml.safe_dump(retries.workflow(Random(seed)))
    healed = False

    def script(name: str, pod: Object) -> Outcome:
        del pod
        bad = not healed and Random(f"{seed}{name.partition('(')[0]}").random() < 0.25
        return FAIL if bad else Outcome()

    async with world(script, seed=seed) as here:
        ref = await here.submit(text)
        first = await here.end_of(ref)
        if first["status"]["phase"] == "Succeeded":
            return
        first = await here.at_rest(ref)
        ran, healed = len(here.created), True
        begun, _ = await retries.retried(here, ref, seconds(first["status"]["finishedAt"]) + 60)
        await here.end_of(ref, limit_s=600)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == "Succeeded", phases(done)
    new = Counter(here.created[ran:])
    assert max(new.values()) == 1
    kept = begun["status"]["nodes"]
    again = [node for node in done["status"]["nodes"].values() if node["type"] == "Pod" and node["id"] not in kept]
    assert len(new) == len(again)
    for node_id, node in kept.items():
        if node["phase"] != "Running":
            before, after = first["status"]["nodes"][node_id], done["status"]["nodes"][node_id]
            assert (after["phase"], after.get("outputs")) == (before["phase"], before.get("outputs")), before["name"]
