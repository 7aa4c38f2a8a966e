"""Upstream's cron examples run: every Workflow that they start ends Succeeded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from actors.cron.child import CRON_WORKFLOWS, WORKFLOWS
from runtime.objects import Object
from tests.world.cron_world import cron_world
from tiphys.cli.kinds import resource_of

pytestmark = pytest.mark.virtual_time

FOLDER = Path(os.environ.get("TIPHYS_CONFORMANCE", Path(__file__).parents[2] / "../shared/conformance"))
EXAMPLES = FOLDER / "workflows/examples"

FILES = [  # its CronWorkflow, what it needs beside itself, when to begin, how long to wait, the least it runs
    ("cron-workflow.yaml", [], "2026-01-01T00:00:00Z", 330, 5),
    ("cron-workflow-multiple-schedules.yaml", [], "2026-01-01T00:00:00Z", 570, 4),
    ("cron-when.yaml", [], "2026-01-01T00:00:00Z", 930, 2),
    ("cron-backfill.yaml", [], "2026-01-01T01:59:00Z", 90, 1),
    ("dag-inline-cronworkflow.yaml", ["dag-inline-workflowtemplate.yaml"], "2026-01-01T00:00:00Z", 630, 2),
]


def documents(name: str) -> list[Object]:
    if not EXAMPLES.is_dir():
        pytest.skip("the conformance examples are not there: set TIPHYS_CONFORMANCE")
    return [thing for thing in yaml.load_all((EXAMPLES / name).read_bytes(), yaml.CSafeLoader) if thing]


@pytest.mark.spec("CRON-1", "CRON-6", "CRON-9")
@pytest.mark.parametrize(("name", "others", "start", "wait_s", "least"), FILES, ids=[entry[0] for entry in FILES])
async def test_the_runs_of_an_example_succeed(
    name: str, others: list[str], start: str, wait_s: float, least: int
) -> None:
    things = [thing for file in (*others, name) for thing in documents(file) if thing["kind"] != "Workflow"]
    async with cron_world(start=start) as here:
        for thing in things:
            thing["metadata"]["namespace"] = "default"
            if thing["kind"] == "CronWorkflow":
                ref = await here.create(thing)
            else:
                await here.api.create(resource_of(thing["apiVersion"], thing["kind"]), thing)
        await here.player.after(wait_s)
        status = await here.status(ref)
        assert status["succeeded"] >= least
        assert (status["failed"], status.get("conditions")) == (0, None)
        phases = {thing["status"].get("phase") for thing in here.seen.values()}
        assert phases == {"Succeeded"}
        kept = (await here.api.list(WORKFLOWS)).items
        assert 0 < len(kept) <= len((await here.api.list(CRON_WORKFLOWS)).items) * 5
